/**
 * What heed is tested in besides this Node, in test/platform as locked: installed where it is missing or older. With `--all` the
 * JavaScript engines of test:platform too: they are 752 MB of 976.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const platform = fileURLToPath(new URL('../test/platform', import.meta.url));

/** Where it is. */
export const modules = `${platform}/node_modules`;

export function install(all) {
  console.log('Installing what heed is tested in besides this Node (test/platform) …');
  npmCi(platform, ...(all ? [] : ['--omit=optional']));
}

/** A package of its own, as locked. */
export function npmCi(folder, ...more) {
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', folder, ...more]);
}

/** Ends this process where the command fails. */
export function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const installed = statSync(`${modules}/.package-lock.json`, { throwIfNoEntry: false });
  const older = !installed || installed.mtimeMs < statSync(`${platform}/package-lock.json`).mtimeMs;
  const hasAll = existsSync(`${modules}/node26`);
  const wantsAll = process.argv.includes('--all');
  if (older || (wantsAll && !hasAll)) install(wantsAll || hasAll);
}
