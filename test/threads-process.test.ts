/**
 * Processes with workers: each has its own, and ends when nothing is left to do (docs/reliability.md, faults 65, 66).
 *
 * @node it starts programs of Node
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { MultiHeadAttention, createEngine } from '../src/index.ts';
import { normal } from './data.ts';
import { expectSameBits } from './problems.ts';

const program = fileURLToPath(new URL('thread-programs.ts', import.meta.url));

interface Run {
  readonly child: ChildProcess;
  readonly end: Promise<{
    readonly code: number | null;
    readonly signal: string | null;
    readonly out: string[];
  }>;
}

function start(name: string): Run {
  const child = fork(program, [name], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    timeout: 30_000,
  });
  let [out, err] = ['', ''];
  child.stdout!.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr!.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const end = once(child, 'close').then(([code, signal]: unknown[]) => {
    // What it says of an error that nobody has caught is wanted; anything else is not.
    const unwanted = err.includes('Error: mine') ? '' : err;
    expect(unwanted).toBe('');
    return { code: code as number | null, signal: signal as string | null, out: out.trim().split('\n') };
  });
  return { child, end };
}

describe('a process', () => {
  it('whose engine is idle, and was never disposed of, ends by itself (fault 66)', async () => {
    const { code, out } = await start('idle').end;
    expect(code).toBe(0);
    const [here, there] = out[0]!.split(',');
    expect(there).toBe(here);
  });
  it.each(['pending', 'replaced'])('stays until its calls are done: %s (fault 66)', async (name) => {
    expect(await start(name).end).toMatchObject({ code: 0, out: ['done'] });
  });
  it('ends when its last call is aborted (fault 45)', async () => {
    expect(await start('aborts').end).toMatchObject({ code: 0, out: ['TimeoutError'] });
  });
  it('exits in the middle of a call (fault 66)', async () => {
    expect(await start('exits').end).toMatchObject({ code: 3 });
  });
  it('that ends by an error nobody catches does so in the middle of a call (fault 66)', async () => {
    expect(await start('throws').end).toMatchObject({ code: 1 });
  });
  it.each(['SIGTERM', 'SIGINT'] as const)('ends by %s in the middle of a call (fault 66)', async (signal) => {
    const { child, end } = start('works');
    await once(child.stdout!, 'data');
    child.kill(signal);
    expect(await end).toMatchObject({ signal });
  });
  it('of a cluster has workers of its own (fault 65)', async () => {
    const { code, out } = await start('cluster').end;
    expect(code).toBe(0);
    expect(out).toHaveLength(3);
    expect(new Set(out.flatMap((line) => line.split(','))).size).toBe(1);
  });
});

it('two engines at once, and a third in between, are apart', async () => {
  const [x, w] = [normal(96 * 48, 1), normal(48 * 48, 2)];
  const engines = await Promise.all([2, 3].map((threads) => createEngine({ threads, maxMemory: 2 ** 26 })));
  const layers = engines.map(
    (engine) =>
      new MultiHeadAttention({ modelDim: 48, heads: 4, weights: { wq: w, wk: w, wv: w, wo: w }, engine }),
  );
  const expected = layers[0]!.forward(x, { seqQ: 96 });
  const results = Array.from({ length: 40 }, (_, i) => layers[i % 2]!.forwardAsync(x, { seqQ: 96 }));
  const third = await createEngine({ threads: 4, maxMemory: 2 ** 26 });
  expectSameBits(layers[1]!.forward(x, { seqQ: 96 }), expected);
  third.dispose();
  for (const each of results) expectSameBits(await each, expected);
  engines[0]!.dispose();
  expectSameBits(await layers[1]!.forwardAsync(x, { seqQ: 96 }), expected);
  engines[1]!.dispose();
});
