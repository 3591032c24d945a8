/** All the set-up there is: dependencies as locked, then the kernels and the worker. Quick where there is nothing to do. */
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const installed = statSync('node_modules/.package-lock.json', { throwIfNoEntry: false });
if (installed === undefined || installed.mtimeMs < statSync('package-lock.json').mtimeMs) {
  console.log('Installing the tools, as locked (npm ci) …');
  run('npm', ['ci', '--no-audit', '--no-fund']);
}
run(process.execPath, ['scripts/build-wasm.mjs']);
run(process.execPath, ['scripts/build-worker.mjs']);

// npm is a shell script on Windows; a path with a space in it must not go through a shell.
function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    stdio: 'inherit',
    shell: command === 'npm' && process.platform === 'win32',
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
