/** The programs that heed is compared with, in bench/peers as locked: installed where they are missing or older. */
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const peers = fileURLToPath(new URL('../bench/peers', import.meta.url));
const installed = statSync(`${peers}/node_modules/.package-lock.json`, { throwIfNoEntry: false });
if (installed === undefined || installed.mtimeMs < statSync(`${peers}/package-lock.json`).mtimeMs) {
  console.log('Installing the programs that heed is compared with (bench/peers) …');
  // npm is a shell script on Windows, where it is started in the directory: no path goes through a shell.
  const { status, error } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: peers,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
