/**
 * Where what ships comes from: every tool is pinned to one version, here and in the folders that have tools of their own; the same
 * sources give the same kernels, compiled once more in another folder; the bill of materials can be written.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from './asc.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

for (const file of [
  'package.json',
  'bench/peers/package.json',
  'test/platform/package.json',
  'examples/retrieval/texts/package.json',
]) {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(readFileSync(file, 'utf8'));
  const all = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies });
  const loose = all.filter(([, version]) => !/^(npm:.+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(version));
  if (all.length === 0 || loose.length > 0) throw new Error(`${file} does not pin ${loose.join(' ')}`);
}

// A name with a space, another depth: neither may have a part in what is compiled.
const folder = mkdtempSync(join(tmpdir(), 'heed reproduces-'));
try {
  for (const name of ['assembly', 'common', 'asconfig.json'])
    cpSync(name, join(folder, name), { recursive: true });
  execFileSync(process.execPath, ['scripts/build-wasm.mjs']);
  for (const build of ['baseline', 'relaxed']) {
    await compile('assembly/index.ts', '--config', 'asconfig.json', '--target', build, '--baseDir', folder);
    const [here, there] = ['.', folder].map((root) => hashOf(join(root, `build/${build}.wasm`)));
    if (here !== there) throw new Error(`${build}.wasm is ${here} here, compiled elsewhere ${there}`);
    console.log(`${here}  ${build}.wasm, twice`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const { components } = JSON.parse(execFileSync('npm', ['run', '--silent', 'sbom'], { maxBuffer: 2 ** 26 }));
if (!components.some(({ name }) => name === 'assemblyscript')) throw new Error('the SBOM lacks the compiler');
console.log(`${components.length} components in the SBOM`);

function hashOf(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}
