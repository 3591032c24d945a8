#!/usr/bin/env node
/**
 * `npx heed bench` and `npx heed info`: the package measured, and described, where it is installed. Bundled by itself, with its
 * small libraries inside (dist/THIRD-PARTY.md); of heed it takes the files that ship.
 */
import { isMainThread } from 'node:worker_threads';
import * as heed from '../src/index.ts';
import { bench, packageVersion } from './command.ts';
import { info } from './info.ts';
import { groups } from './rows.ts';

const usage = `npx heed bench [options]   times this machine: the standard table, in about a minute
npx heed info [--json]     what runs here: versions, builds, engine
npx heed --version         the version alone`;

// In a thread this file is there for bench/script-thread.ts.
if (isMainThread) process.exitCode = await main(process.argv.slice(2));

async function main([command, ...words]: readonly string[]): Promise<number> {
  if (command === 'bench') {
    const url = new URL('./index.js', import.meta.url);
    const scripts = new URL(import.meta.url);
    return bench(words, {
      name: 'npx heed bench',
      groups,
      load: () => Promise.resolve({ heed, scripts }),
      url,
    });
  }
  const asked = [command, ...words].join(' ');
  if (command === 'info' && words.every((word) => word === '--json')) {
    await info(heed, words.includes('--json'));
    return 0;
  }
  if (asked === '--version' || asked === '-v') {
    console.log(packageVersion());
    return 0;
  }
  const help = ['', 'help', '--help', '-h', 'info --help', 'info -h'].includes(asked);
  if (help) console.log(usage);
  else console.error(`heed: unknown ${command === 'info' ? 'option' : 'command'} "${asked}"\n\n${usage}`);
  return help ? 0 : 2;
}
