/**
 * The path of Node 24, which has relaxed SIMD, from test/platform: installed where it is missing. As a command it runs
 * its arguments under that Node: `node scripts/node24.mjs node_modules/vitest/vitest.mjs run`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const platform = fileURLToPath(new URL('../test/platform', import.meta.url));

/** Only for Linux on x64: npm has Node as a package for others under other names. */
export function node24() {
  const path = `${platform}/node_modules/node24/bin/node`;
  if (!existsSync(path)) {
    console.log('Installing Node 24 beside this one (test/platform) …');
    run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', platform]);
  }
  return path;
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  run(node24(), process.argv.slice(2));
}
