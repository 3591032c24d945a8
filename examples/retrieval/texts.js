/** The texts and their vectors, from the package that texts/ pins: installed where it is missing or older than its lockfile. */
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('texts/', import.meta.url);
const data = new URL('node_modules/@sap-ux/fiori-docs-embeddings/data/embeddings/', folder);

/** @returns { titles, vectors: [texts, dim], dim, model: what made the vectors } */
export function readTexts() {
  install();
  const { dimensions: dim, totalVectors, model } = JSON.parse(read('metadata.json'));
  const titles = read('records.jsonl')
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).title);
  // Little-endian float32. A copy, because floats have to start at a multiple of four bytes and a Buffer need not.
  const vectors = new Float32Array(new Uint8Array(read('embeddings.bin')).buffer);
  if (titles.length !== totalVectors || vectors.length !== totalVectors * dim)
    throw new Error(`${titles.length} texts, ${vectors.length} numbers: not ${totalVectors} × ${dim}`);
  return { titles, vectors, dim, model };
}

function read(file) {
  return readFileSync(new URL(file, data));
}

function install() {
  const changed = (file) => statSync(new URL(file, folder), { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;
  if (changed('node_modules/.package-lock.json') >= changed('package-lock.json')) return;
  console.log('Installing the texts, as locked (npm ci in examples/retrieval/texts) …');
  // Only errors are shown: on Node 20 npm would warn that the package's code asks for 22. Its files are all that is used.
  const words = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // npm is a shell script on Windows.
  const { status, error } = spawnSync('npm', words, {
    ...{ cwd: fileURLToPath(folder), stdio: 'inherit', shell: process.platform === 'win32' },
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
