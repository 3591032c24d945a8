/**
 * Bundles the worker (src/threads/worker.ts) into one script: build/worker.js, which ships as heed/worker, and the same as text in
 * a module, from which threads are started without a file. Esbuild takes 10 ms, so it is always done.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const { outputFiles } = await build({
  entryPoints: ['src/threads/worker.ts'],
  bundle: true,
  minify: true,
  // A classic script: what Node evaluates and what a blob may be everywhere.
  format: 'iife',
  target: 'es2022',
  charset: 'ascii',
  legalComments: 'none',
  write: false,
});
const { text } = outputFiles[0];
mkdirSync('build', { recursive: true });
mkdirSync('src/generated', { recursive: true });
keep('build/worker.js', text);
keep(
  'src/generated/worker.ts',
  `/** src/threads/worker.ts as one script, made by scripts/build-worker.mjs. */\n` +
    `export const workerSource: string = ${JSON.stringify(text)};\n`,
);

/** Writes what has changed: a file that is as it was stays as old as it is. */
function keep(path, wanted) {
  let there;
  try {
    there = readFileSync(path, 'utf8');
  } catch {
    there = undefined;
  }
  if (there !== wanted) writeFileSync(path, wanted);
}
