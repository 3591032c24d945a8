/** `npx heed info`: what heed has here, and what it makes of this machine. */
import { readFileSync } from 'node:fs';
import colors from 'picocolors';
import type { Features, MemoryUse } from '../src/index.ts';
import type { Build } from '../test/builds.ts';
import { packageVersion } from './command.ts';
import type { Heed } from './rows.ts';
import { describeMachine } from './machine.ts';
import { enginesOf } from './run.ts';
import { NO_RELAXED } from './table.ts';

interface Info {
  readonly version: string;
  readonly node: string;
  readonly v8: string;
  readonly system: string;
  readonly cpu: string;
  readonly cores: number;
  readonly builds: readonly { readonly build: Build; readonly bytes: number; readonly runs: boolean }[];
  readonly features: Features;
  readonly memory: MemoryUse;
}

/** Prints it: to be read, or as JSON. */
export async function info(heed: Heed, json: boolean): Promise<void> {
  const found = await collect(heed);
  console.log(json ? JSON.stringify(found, undefined, 2) : render(found));
}

async function collect(heed: Heed): Promise<Info> {
  const { node, v8, system, cpu, cores } = describeMachine();
  const engines = await enginesOf(heed);
  const builds = (['baseline', 'relaxed'] as const).map((build) => {
    const bytes = readFileSync(new URL(`./wasm/${build}.wasm`, import.meta.url)).length;
    return { build, bytes, runs: engines.has(build) };
  });
  const engine = await heed.createEngine();
  const { features, memory } = engine;
  for (const each of [engine, ...engines.values()]) each.dispose();
  return { version: packageVersion(), node, v8, system, cpu, cores, builds, features, memory };
}

function render({ version, node, v8, system, cpu, cores, builds, features, memory }: Info): string {
  const { simd, fma, threads, tile, reason } = features;
  const sizes = builds.map(({ build, bytes, runs }) => {
    return `${build} ${kilobytes(bytes)}${runs ? '' : ` (${NO_RELAXED})`}`;
  });
  const lines: [string, string][] = [
    ['heed', version],
    ['node', `${node} · V8 ${v8} · ${system}`],
    ['machine', `${cpu}, ${plural(cores, 'core')}`],
    ['builds', sizes.join(' · ')],
    [
      'engine',
      `${simd} SIMD${fma ? ' with fused multiply-add' : ''} · tile ${tile} · ${plural(threads, 'thread')}`,
    ],
    ['memory', `${kilobytes(memory.reserved)} reserved · limit ${kilobytes(memory.limit)}`],
  ];
  if (reason !== '') lines.push(['', reason]);
  return lines.map(([name, text]) => `${colors.dim(name.padEnd(8))} ${text}`).join('\n');
}

/** 27.8 KB, 4.0 GB */
function kilobytes(bytes: number): string {
  const units = ['KB', 'MB', 'GB'];
  let [value, unit] = [bytes / 1024, 0];
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(1)} ${units[unit]!}`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
