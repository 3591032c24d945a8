/** bench/sample.ts for calls that may give promises: these are awaited, and plain calls are not. */
import { clock, settling, type Lane } from '../sample.ts';

/**
 * Before a sample, a contender of short calls runs for so many milliseconds without being timed: steady work is compared, and
 * a dozen others have left their data in the caches. Without, 12 × 64 at S = 128 read 1.58 ms for 1.23, and
 * onnxruntime-web 2.42 for 2.31.
 */
const REWARM = 5;

/** A call of more milliseconds fills the caches itself. */
const LONG = 40;

/** A lane, and whether its calls give promises. */
export interface PeerLane extends Lane {
  readonly waits: boolean;
}

async function clockOf(run: () => unknown, waits: boolean, calls = 1): Promise<number> {
  if (!waits) return clock(run, calls);
  const start = performance.now();
  for (let i = 0; i < calls; i++) await run();
  return performance.now() - start;
}

/** As `settle`. */
export async function settlePeer(run: () => unknown, waits: boolean): Promise<number> {
  const calls = settling();
  let step = calls.next();
  while (step.done !== true) step = calls.next(await clockOf(run, waits));
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
      const { run, waits, calls, samples, milliseconds } = lanes[at]!;
      if (milliseconds < LONG) await clockOf(run, waits, Math.ceil(REWARM / milliseconds));
      samples.push((await clockOf(run, waits, calls)) / calls);
    }
  }
}
