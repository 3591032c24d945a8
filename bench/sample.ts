/**
 * Sampling. Contenders and roof loops of a row are lanes that are sampled in turn, so that a machine that drifts (its
 * neighbours, its clock) drifts for all of them alike. tinybench runs one task to its end before the next, so the turns
 * are taken here, and its statistics (interpolated percentiles) are asked for the samples that came of it.
 */
import { Bench } from 'tinybench';

/** Milliseconds of so many calls, after `before` more that are not counted. */
export type Clock = (calls: number, before?: number) => number;

/** Something to time. */
export interface Lane<C = Clock> {
  readonly clock: C;
  /** Milliseconds a call: one sample each. */
  readonly samples: number[];
  /** Calls in one sample: several where one is too short for the timer. */
  readonly calls: number;
  /** What one call takes, as the warm-up found. */
  readonly milliseconds: number;
}

/** Milliseconds a call. */
export interface Timing {
  readonly p50: number;
  readonly p75: number;
  readonly min: number;
  /** Samples. */
  readonly n: number;
}

/** A sample of a short call is the mean over a burst of this many milliseconds. */
const BURST = 0.4;

/**
 * What goes before a sample and is not counted: steady work is compared, and the lanes between have left their data in the caches. A
 * quarter of a burst; of longer calls three, because 32 MB are not all back in a third cache level after one (a token against 4096 keys took
 * 4.2 ms behind one other call and 3.0 behind many); and none from {@link LONG} milliseconds on, which no cache outlasts.
 */
const REWARM = { burst: 1 / 4, calls: 3 } as const;
const LONG = 40;

/** A rate has settled when a window is not this much better than the ones before. */
const SETTLED = 0.97;

/** Milliseconds of `calls` calls, after `before` more that are not counted. */
export function clock(run: () => unknown, calls = 1, before = 0): number {
  for (let i = 0; i < before; i++) run();
  const start = performance.now();
  for (let i = 0; i < calls; i++) run();
  return performance.now() - start;
}

/** The clock of what runs in this thread. */
export function clockOf(run: () => unknown): Clock {
  return (calls, before) => clock(run, calls, before);
}

/**
 * Runs until the rate has settled, and says how many milliseconds a call then takes. V8 starts with quick code and
 * swaps in the optimised one when it is ready, so at least three windows must show no gain.
 */
export function settle(clock: Clock, window = 25, limit = 2000): number {
  const calls = settling(window, limit);
  let step = calls.next();
  while (step.done !== true) step = calls.next(clock(1));
  return step.value;
}

/** `settle` without the calls, for those that must be awaited: is given the milliseconds of one after the other. */
export function* settling(window = 25, limit = 2000): Generator<undefined, number, number> {
  const end = performance.now() + limit;
  let best = Infinity;
  let still = 0;
  while (still < 3 && performance.now() < end) {
    let fastest = Infinity;
    const stop = performance.now() + window;
    do fastest = Math.min(fastest, yield);
    while (performance.now() < stop);
    still = fastest < best * SETTLED ? 0 : still + 1;
    best = Math.min(best, fastest);
  }
  return best;
}

/** A lane of a call that takes so many milliseconds. */
export function lane<C>(clock: C, milliseconds: number): Lane<C> {
  return { clock, samples: [], calls: Math.max(1, Math.floor(BURST / milliseconds)), milliseconds };
}

/** Adds one sample. */
function sample(lane: Lane): void {
  const { clock, samples, calls } = lane;
  samples.push(clock(calls, warmCalls(lane)) / calls);
}

function warmCalls({ calls, milliseconds }: Lane): number {
  if (milliseconds >= LONG) return 0;
  return calls > 1 ? Math.ceil(calls * REWARM.burst) : REWARM.calls;
}

/** Rounds of one sample of each that fit into the time. */
export function fit(time: number, [least, most]: readonly [number, number], lanes: readonly Lane[]): number {
  if (lanes.length === 0) return 0;
  const round = lanes.reduce((sum, each) => sum + each.milliseconds * (each.calls + warmCalls(each)), 0);
  return Math.round(Math.min(most, Math.max(least, time / round)));
}

/**
 * Samples the quick lanes in `rounds` turns, and the slow ones in `slowRounds` turns spread evenly between them. Every
 * round starts one lane further, so that no lane always follows the same one.
 *
 * @param tell is given the part that is done, after every round
 */
export function interleave(
  quick: readonly Lane[],
  rounds: number,
  slow: readonly Lane[],
  slowRounds: number,
  tell?: (part: number) => void,
): void {
  let slowDone = 0;
  for (let round = 0; round < rounds; round++) {
    for (; slowDone < slowRounds && slowDone * rounds <= round * slowRounds; slowDone++) {
      for (const each of slow) sample(each);
    }
    for (let i = 0; i < quick.length; i++) sample(quick[(round + i) % quick.length]!);
    tell?.((round + 1) / rounds);
  }
}

/** tinybench's statistics of samples that were taken here. */
export function timing(samples: readonly number[]): Timing {
  if (samples.length === 0) throw new Error('no samples to summarise');
  const bench = new Bench({ iterations: samples.length, time: 0, warmup: false, throws: true });
  let next = 0;
  bench.add('replay', () => ({ overriddenDuration: samples[next++]! }), { async: false });
  const result = bench.runSync()[0]?.result;
  if (result === undefined || !('latency' in result)) throw new Error('tinybench gave no statistics');
  const { p50, p75, min, samplesCount } = result.latency;
  return { p50, p75, min, n: samplesCount };
}
