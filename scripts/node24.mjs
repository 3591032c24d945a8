/**
 * The path of Node 24, which has relaxed SIMD, from test/platform: installed where it is missing. As a command it runs
 * its arguments under that Node: `node scripts/node24.mjs node_modules/vitest/vitest.mjs run`.
 */
import { existsSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { install, modules, run } from './platform.mjs';

/** Only for Linux on x64: npm has Node as a package for others under other names. */
export function node24() {
  const path = `${modules}/node24/bin/node`;
  if (!existsSync(path)) install(false);
  return path;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  run(node24(), process.argv.slice(2));
}
