/** Engines with workers that fail (`faulty-workers.ts`), and a product that they compute: what tests of dying and of silent workers share. */
import { createContext, runInContext } from 'node:vm';
import { expect, onTestFinished, vi } from 'vitest';
import type { Engine, EngineOptions } from '../src/index.ts';
import { normal } from './data.ts';
import { FaultyWorkers, type Fault } from './faulty-workers.ts';
import { expectSameBits } from './problems.ts';

// Enough to be shared with workers that sleep, on the faster build too, and for several items.
export const shape = { M: 240, N: 384, K: 320 };
export const a: Float32Array = normal(shape.M * shape.K, 1);
export const b: Float32Array = normal(shape.K * shape.N, 2);

export interface Made {
  readonly workers: FaultyWorkers;
  readonly engine: Engine;
  /** Bits of the product. */
  readonly expected: Float32Array;
}

/** One for this test: it ends with it, and so do clocks that are played. */
export async function make(
  options?: EngineOptions,
  workers: FaultyWorkers = new FaultyWorkers(),
): Promise<Made> {
  const engine = await workers.engine(options);
  onTestFinished(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
    engine.dispose();
  });
  return { workers, engine, expected: engine.matmul(a, b, shape) };
}

/** Both kinds of calls are right, and workers help. */
export async function goesOn({ workers, engine, expected }: Made): Promise<void> {
  const before = workers.items;
  expectSameBits(await engine.matmulAsync(a, b, shape), expected);
  expect(workers.items).toBeGreaterThan(before);
  workers.workersFirst();
  const between = workers.items;
  expectSameBits(engine.matmul(a, b, shape), expected);
  expect(workers.items).toBeGreaterThan(between);
}

/** A call that does not end is ended from outside, as by the time of a script. */
export function interrupted(call: () => unknown): void {
  expect(() => {
    runInContext('call()', createContext({ call }), { timeout: 150 });
  }).toThrow('timed out');
}

/** The same, of a call in which this happens to a worker: on a busy machine it may come later than the script's time. */
export function interruptedBy(workers: FaultyWorkers, fault: Fault, call: () => unknown): void {
  const { happened } = workers;
  do {
    workers.arm(fault, 1);
    interrupted(call);
  } while (workers.happened === happened);
  workers.disarm();
}
