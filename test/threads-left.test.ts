/**
 * What is left of a job that does not come to its end by itself, or late (docs/reliability.md, faults 47, 69, 74): who does it, who
 * waits for it, and that the calls behind it are right.
 *
 * @node its workers tell of their end, and a vm ends a script that does not end
 */
import { expect, it, vi } from 'vitest';
import type { Signal } from '../src/options/signal.ts';
import { collect } from './collect.ts';
import { a, b, goesOn, interrupted, make, shape } from './faulty-engines.ts';
import { FaultyWorkers } from './faulty-workers.ts';
import { rejection } from './nothing-lost.ts';
import { expectSameBits } from './problems.ts';

it('an asynchronous call ends in which a worker ends while another is at work, however long, and a third has come (fault 47)', async () => {
  const made = await make({ threads: 3 });
  const { engine, workers } = made;
  const third = workers.made(3);
  workers.arm('pause', 0, 'exit');
  const call = rejection(engine.matmulAsync(a, b, shape));
  await workers.happens(2);
  await third;
  workers.release();
  expect((await call).message).toBe('matmulAsync: a worker ended [ERR_WORKER_EXIT]');
  await goesOn(made);
});

it('a caller that waits is woken by the last worker, not by its clock', async () => {
  const { engine, workers, expected } = await make();
  const waits = vi.spyOn(Atomics, 'wait');
  workers.arm('delay');
  expectSameBits(engine.matmul(a, b, shape), expected);
  const ends = waits.mock.results.filter((_, i) => waits.mock.calls[i]![3] === 1000);
  expect(ends.length).toBeGreaterThan(0);
  expect(ends.at(-1)!.value).not.toBe('timed-out');
});

it('a call that is ended from outside, whose only worker has gone: the next does what is left (fault 74)', async () => {
  const made = await make();
  const { engine, workers, expected } = made;
  const second = workers.made(2);
  // The worker goes with its first item; the caller's thread never comes to one.
  workers.arm('exit');
  workers.stuck = true;
  interrupted(() => engine.matmul(a, b, shape));
  workers.stuck = false;
  const now = vi.spyOn(performance, 'now');
  // What is left is done away with by the first: the second does not end it.
  const later = engine.matmulAsync(a, b, shape);
  expectSameBits(engine.matmul(a, b, shape), expected);
  // Two minutes of looks at the clock would be many more.
  expect(now.mock.calls.length).toBeLessThan(1000);
  vi.restoreAllMocks();
  expectSameBits(await later, expected);
  await second;
  await goesOn(made);
});

it('a call that is aborted without a reason leaves no memory (fault 45)', async () => {
  const { engine } = await make();
  const { used } = engine.memory;
  const aborts: (() => void)[] = [];
  const signal: Signal = {
    aborted: false,
    reason: undefined,
    addEventListener: (_: string, abort: () => void) => aborts.push(abort),
    removeEventListener: () => undefined,
    throwIfAborted: () => undefined,
  };
  const call = engine.matmulAsync(a, b, { ...shape, signal });
  expect(aborts).toHaveLength(1);
  aborts[0]!();
  await expect(call).rejects.toBeUndefined();
  expect(engine.memory.used).toBe(used);
});

it('an engine that nothing refers to takes its workers along when it is collected', async () => {
  const workers = new FaultyWorkers();
  let ended = 0;
  const leave = async (): Promise<void> => {
    const engine = await workers.engine({ threads: 3 });
    engine.matmul(a, b, shape);
    for (const worker of workers.workers) worker.once('exit', () => ended++);
  };
  await leave();
  expect(workers.workers).toHaveLength(2);
  await collect(() => ended === 2);
  await vi.waitFor(() => {
    expect(ended).toBe(2);
  }, 10_000);
});

it('a stack that ends, wherever that is: the call throws, and the next is right (fault 69)', async () => {
  const made = await make();
  const { engine, expected } = made;
  const out = new Float32Array(expected.length);
  let [thrown, right] = [0, 0];
  /** Calls from each of the last frames that the stack has room for, and from some before them. Returns how far from the end it is. */
  const dive = (): number => {
    let fromEnd: number;
    try {
      fromEnd = dive() + 1;
    } catch {
      return 0;
    }
    if (fromEnd > 150) return fromEnd;
    try {
      engine.matmul(a, b, { ...shape, out });
      right++;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      thrown++;
    }
    return fromEnd;
  };
  expect(dive()).toBeGreaterThan(150);
  expect(thrown).toBeGreaterThan(0);
  expect(right).toBeGreaterThan(0);
  expectSameBits(out, expected);
  expect(engine.features.threads).toBe(2);
  await goesOn(made);
});
