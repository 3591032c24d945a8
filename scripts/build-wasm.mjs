/**
 * Compiles the kernels: every target of asconfig.json into build/, and those that travel inside JavaScript as text
 * too: the library's as src/wasm/inlined.ts reads them, the benchmark's as base64. Does nothing where the output is newer than every source.
 */
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compile } from './asc.mjs';
import { deltaOf } from './delta.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

const targets = Object.keys(JSON.parse(readFileSync('asconfig.json', 'utf8')).targets);

/** By what a target's name ends in: where its source begins, where its text goes and as what, and the most it may weigh. */
const kinds = {
  '': { entry: 'assembly/index.ts', modules: 'src/generated', limit: 40 * 1024, textOf: inlined },
  '-testing': { entry: 'assembly/testing.ts' },
  '-roof': {
    entry: 'assembly/roof.ts',
    modules: 'bench/generated',
    limit: 4 * 1024,
    textOf: (bytes) => bytes.toString('base64'),
  },
};

const sources = [
  'asconfig.json',
  'package-lock.json',
  'scripts/build-wasm.mjs',
  'scripts/asc.mjs',
  'scripts/delta.mjs',
  'common',
  'assembly',
];
const newest = Math.max(...sources.flatMap(files).map((file) => statSync(file).mtimeMs));

mkdirSync('build', { recursive: true });
for (const target of targets) {
  const [, build, kind] = /^([a-z]+)(.*)$/.exec(target);
  const { entry, modules, limit, textOf } = kinds[kind];
  const wasm = `build/${target}.wasm`;
  if (modified(wasm) < newest) await compile(entry, '--config', 'asconfig.json', '--target', target);
  if (modules === undefined) continue;
  const bytes = readFileSync(wasm);
  if (bytes.length > limit) throw new Error(`${wasm} has ${bytes.length} bytes, more than ${limit}`);
  const module = `${modules}/${build}.ts`;
  if (modified(module) >= modified(wasm)) continue;
  mkdirSync(modules, { recursive: true });
  writeFileSync(
    module,
    `/** The ${build} build of ${entry}, made by scripts/build-wasm.mjs. */\n` +
      `export const ${build}: string =\n  '${textOf(bytes, build)}';\n`,
  );
  console.log(`${wasm}: ${bytes.length} bytes`);
}

/** The baseline build is what it takes to make it of the relaxed one, which stands before it in asconfig.json. */
function inlined(bytes, build) {
  if (build === 'relaxed') return bytes.toString('hex');
  return Buffer.from(deltaOf(readFileSync('build/relaxed.wasm'), bytes)).toString('hex');
}

function files(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => files(`${path}/${name}`));
}

function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
