/**
 * Compiles the kernels: every target of asconfig.json into build/, and those that ship into src/generated/ as base64
 * modules. Does nothing where the output is newer than every source.
 */
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

const targets = Object.keys(JSON.parse(readFileSync('asconfig.json', 'utf8')).targets);
const shipped = ['baseline', 'relaxed'];
const limit = 40 * 1024;

const sources = ['asconfig.json', 'package-lock.json', 'scripts/build-wasm.mjs', 'common', 'assembly'];
const newest = Math.max(...sources.flatMap(files).map((file) => statSync(file).mtimeMs));

mkdirSync('build', { recursive: true });
mkdirSync('src/generated', { recursive: true });
for (const target of targets) {
  const wasm = `build/${target}.wasm`;
  if (modified(wasm) < newest) await compile(target);
  if (!shipped.includes(target)) continue;
  const bytes = readFileSync(wasm);
  if (bytes.length > limit) throw new Error(`${wasm} has ${bytes.length} bytes, more than ${limit}`);
  const module = `src/generated/${target}.ts`;
  if (modified(module) >= modified(wasm)) continue;
  writeFileSync(
    module,
    `/** The ${target} build, made from assembly/ by scripts/build-wasm.mjs. */\n` +
      `export const ${target}: string =\n  '${bytes.toString('base64')}';\n`,
  );
  console.log(`${wasm}: ${bytes.length} bytes`);
}

/** asc writes the file itself; its warnings are errors here. */
async function compile(target) {
  const args = ['--config', 'asconfig.json', '--target', target];
  args.unshift(shipped.includes(target) ? 'assembly/index.ts' : 'assembly/testing.ts');
  const { error, stderr } = await asc.main(args);
  const messages = stderr.toString();
  if (error || /WARNING/.test(messages)) {
    throw new Error(`asc ${args.join(' ')}\n${messages}`, { cause: error });
  }
}

function files(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => files(`${path}/${name}`));
}

function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
