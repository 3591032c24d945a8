/**
 * The programs that heed is compared with, in bench/peers as locked: installed where they are missing or older. With `--all`
 * onnxruntime-node too, which only the benchmark needs: it alone is 290 MB of 530.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const peers = fileURLToPath(new URL('../bench/peers', import.meta.url));
const installed = statSync(`${peers}/node_modules/.package-lock.json`, { throwIfNoEntry: false });
const all = process.argv.includes('--all') || existsSync(`${peers}/node_modules/onnxruntime-node`);
const lacks = all && !existsSync(`${peers}/node_modules/onnxruntime-node`);
if (installed === undefined || lacks || installed.mtimeMs < statSync(`${peers}/package-lock.json`).mtimeMs) {
  console.log('Installing the programs that heed is compared with (bench/peers) …');
  // npm is a shell script on Windows, where it is started in the directory: no path goes through a shell.
  const words = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', ...(all ? [] : ['--omit=optional'])];
  const { status, error } = spawnSync('npm', words, {
    cwd: peers,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
