/** Threads in JavaScript engines that run programs: Node 20 to 26, Bun, Deno. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { describe, expect, inject, it } from 'vitest';

interface Runtime {
  readonly name: string;
  readonly command: string;
  readonly words: readonly string[];
  /** Kinds of workers. */
  readonly kinds: readonly ('node' | 'web')[];
  /** Its word for running with nothing allowed but what is named. */
  readonly permission?: string;
}

const modules = fileURLToPath(new URL('node_modules', import.meta.url));

const RUNTIMES: readonly Runtime[] = [
  node(`Node ${process.versions.node}, this one`, process.execPath),
  node('Node 22', `${modules}/node22/bin/node`),
  node('Node 24', `${modules}/node24/bin/node`),
  node('Node 26', `${modules}/node26/bin/node`),
  { name: 'Bun', command: `${modules}/@oven/bun-linux-x64/bin/bun`, words: ['run'], kinds: ['node', 'web'] },
  {
    name: 'Deno',
    command: `${modules}/@deno/linux-x64-glibc/deno`,
    // What is asked for and not granted is refused.
    words: ['run', '--no-prompt', '--allow-read'],
    kinds: ['node', 'web'],
  },
];

function node(name: string, command: string): Runtime {
  // Node 20 had it as an experiment.
  const permission = name.startsWith('Node 20') ? '--experimental-permission' : '--permission';
  return { name, command, words: [], kinds: ['node'], permission };
}

for (const { name, command } of RUNTIMES) {
  if (!existsSync(command)) throw new Error(`${name} is missing: npm ci --ignore-scripts in test/platform`);
}

const folder = inject('stranger');

describe.each(RUNTIMES)('$name', ({ command, words, kinds, permission }) => {
  /** What a program prints in its last line. */
  async function run(
    more: readonly string[],
    program: string,
    ...given: readonly string[]
  ): Promise<unknown> {
    const all = [...words, ...more, program, ...given];
    // A time-out is a failure: something keeps the process.
    const { stdout } = await promisify(execFile)(command, all, { cwd: folder, env: {}, timeout: 30_000 });
    return JSON.parse(stdout) as unknown;
  }

  const check = (name: string, options: object, ...more: readonly string[]): Promise<unknown> =>
    run(more, 'main.mjs', name, JSON.stringify(options));

  it('has threads', async () => {
    await check('threads', {});
  });

  it.each(kinds)('has threads in a worker of the %s kind', async (kind) => {
    await check('nested', { kind, check: 'threads' });
  });

  it.each(kinds)("takes workers of the caller's making, of the %s kind, in a worker too", async (kind) => {
    const options = { kind, script: './node_modules/heed/dist/worker.js' };
    await check('factory', options);
    await check('nested', { kind, check: 'factory', options });
  });

  it('stays for a call that nobody awaits, and for no idle worker', async () => {
    expect(await run([], 'leaves.mjs')).toBe('settled');
  });

  if (permission !== undefined) {
    it('has one thread where workers are not allowed, and says why', async () => {
      const granted = [permission, '--allow-fs-read=*'];
      await check('oneThread', { code: 'ERR_WORKER_START', says: ['--allow-worker'] }, ...granted);
      await check('threads', {}, ...granted, '--allow-worker');
    });
  }
});
