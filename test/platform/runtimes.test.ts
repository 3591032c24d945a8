/** The package in JavaScript engines that run programs, by import and by require(), with threads; and in workerd. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, inject, it } from 'vitest';
import { RUNTIMES, WORKERD } from './consumers.ts';
import { expectRecorded } from './recorded.ts';
import { NOT_STARTED } from './situations.ts';

for (const { name, command } of [...RUNTIMES, WORKERD]) {
  if (!existsSync(command)) throw new Error(`${name} is missing: npm ci --ignore-scripts in test/platform`);
}

const folder = inject('stranger');

/** What a program prints. A time-out is a failure: something keeps the process. */
async function outputOf(command: string, words: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, words, { cwd: folder, env: {}, timeout: 30_000 });
  return stdout;
}

describe.each(RUNTIMES)('$name', ({ command, words, programs, kinds, permission }) => {
  /** What a program prints in its last line. */
  async function run(
    more: readonly string[],
    program: string,
    ...given: readonly string[]
  ): Promise<unknown> {
    return JSON.parse(await outputOf(command, [...words, ...more, program, ...given])) as unknown;
  }

  const check = (name: string, options: object, ...more: readonly string[]): Promise<unknown> =>
    run(more, 'main.mjs', name, JSON.stringify(options));

  it.each(programs)('has threads: %s', async (program) => {
    await run([], program, 'threads');
  });

  it('takes kernels by their URL, with threads, and as a compiled module', async () => {
    await check('brought', {});
  });

  it('has the bits that are recorded, with any number of threads', async () => {
    expectRecorded(await check('goldens', { threads: [1, 2, 4] }), 3);
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
    it('has one thread where workers are not allowed, and says why (fault 63)', async () => {
      const granted = [permission, '--allow-fs-read=*'];
      await check('oneThread', NOT_STARTED, ...granted);
      await check('threads', {}, ...granted, '--allow-worker');
    });

    it('needs no files but its own, and says which it may not read (fault 63)', async () => {
      const granted = [permission, `--allow-fs-read=${folder}/*`];
      await check('attends', {}, ...granted);
      const wasm = 'file:///etc/passwd';
      const words = `${wasm} could not be loaded`;
      const denied = { code: 'ERR_WASM_LOAD', words, cause: 'ERR_ACCESS_DENIED' };
      await check('refuses', { engine: { wasm }, ...denied }, ...granted);
    });

    it.runIf(process.arch === 'x64')('says that it has no SIMD (fault 57)', async () => {
      const words =
        'this JavaScript engine has no WebAssembly SIMD — it is in Node 16.4, Chrome 91, Firefox 89, Safari 16.4 and later';
      const wanted = { engine: { threads: 1 }, code: 'ERR_NO_SIMD', words };
      await check('refuses', wanted, '--no-enable-sse4-1');
    });

    it('says that it has no WebAssembly (fault 57)', async () => {
      const words =
        "this JavaScript engine has no WebAssembly — node --jitless and a browser's lockdown mode leave it out";
      for (const engine of [{}, { threads: 1 }, { simd: 'baseline' }])
        await check('refuses', { engine, code: 'ERR_NO_SIMD', words }, '--jitless');
    });
  }
});

describe(WORKERD.name, () => {
  it('compiles no bytes and says so, takes both modules that it has compiled itself, has the bits that are recorded', async () => {
    expectRecorded(JSON.parse(await outputOf(WORKERD.command, WORKERD.words)), 1);
  });
});
