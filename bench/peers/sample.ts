/** bench/sample.ts for calls that may give promises: these are awaited, and plain calls are not. */
import { clockOf, settling, type Lane } from '../sample.ts';

/**
 * Before a sample, a contender of short calls runs for so many milliseconds without being timed: steady work is compared, and
 * a dozen others have left their data in the caches. Without, 12 × 64 at S = 128 read 1.58 ms for 1.23, and
 * onnxruntime-web 2.42 for 2.31.
 */
const REWARM = 5;

/** A call of more milliseconds fills the caches itself. */
const LONG = 40;

/** As `Clock`. */
export type PeerClock = (calls: number, before?: number) => number | Promise<number>;

export type PeerLane = Lane<PeerClock>;

/** @param waits whether a call gives a promise */
export function peerClockOf(run: () => unknown, waits: boolean): PeerClock {
  if (!waits) return clockOf(run);
  return async (calls, before = 0) => {
    for (let i = 0; i < before; i++) await run();
    const start = performance.now();
    for (let i = 0; i < calls; i++) await run();
    return performance.now() - start;
  };
}

/** As `settle`. */
export async function settlePeer(clock: PeerClock): Promise<number> {
  const calls = settling();
  let step = calls.next();
  while (step.done !== true) step = calls.next(await clock(1));
  return step.value;
}

/**
 * Samples every lane as often as `counts` says, in turn: slow lanes spread evenly over the rounds of the quick ones, and
 * every round starts one lane further.
 */
export async function interleavePeers(lanes: readonly PeerLane[], counts: readonly number[]): Promise<void> {
  const rounds = Math.max(...counts);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < lanes.length; i++) {
      const at = (round + i) % lanes.length;
      const before = Math.floor((round * counts[at]!) / rounds);
      if (Math.floor(((round + 1) * counts[at]!) / rounds) === before) continue;
      const { clock, calls, samples, milliseconds } = lanes[at]!;
      const warm = milliseconds < LONG ? Math.ceil(REWARM / milliseconds) : 0;
      samples.push((await clock(calls, warm)) / calls);
    }
  }
}
