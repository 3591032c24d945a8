/** Waits of a thread that is no worker: nowhere else may one wait, which eslint.config.mjs holds. */
import { TURN } from './protocol.ts';

/** Whether this thread may: a page's may not. */
export function mayWait(words: Int32Array): boolean {
  try {
    Atomics.wait(words, TURN, 0, 0);
    return true;
  } catch {
    return false;
  }
}

/** Waits while nothing is opened and nothing ends, so many milliseconds at most. Whether nothing came. */
export function waitForTurn(words: Int32Array, turn: number, ms: number): boolean {
  return Atomics.wait(words, TURN, turn, ms) === 'timed-out';
}
