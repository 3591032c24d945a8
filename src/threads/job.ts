/**
 * The job in the control block, as the thread that called for it sees it: written there, watched, and judged when it has ended.
 */
import type { Failure } from './failure.ts';
import type { Program } from './program.ts';
import {
  ABORTED,
  CANCEL,
  JOB,
  LEFT,
  OVER,
  RUNNING,
  STATE,
  STEP,
  STEPS,
  STEP_WORDS,
  TELL,
  THREW,
  TRAPPED,
  stepAt,
} from './protocol.ts';

/**
 * Seconds, counted as they are waited through, in which no thread finishes anything, after which a worker is given up. An item takes
 * milliseconds; the largest that fits in memory (512 rows, four million keys) takes half a minute.
 */
export const PATIENCE = 120;

export class Job {
  /** Its number: what a message from a worker is about. */
  number = 0;
  /** What became of a worker in it. */
  death: Failure | undefined;
  readonly #words: Int32Array;
  /** What a kernel threw in it, here or there. */
  #thrown: unknown = undefined;
  #thrower: number | undefined;

  constructor(words: Int32Array) {
    this.#words = words;
    Atomics.store(words, STATE, OVER);
  }

  get over(): boolean {
    return Atomics.load(this.#words, STATE) === OVER;
  }

  /** Writes the next one. `tell`: whether its caller wants a message at the end. */
  publish(program: Program, tell: boolean): void {
    const words = this.#words;
    this.#thrown = undefined;
    this.#thrower = undefined;
    this.death = undefined;
    words.set(program.words.subarray(0, program.steps * STEP_WORDS), stepAt(0));
    // As the word has it: it comes back in messages, and after 2³¹ jobs it is negative.
    words[JOB]!++;
    this.number = words[JOB]!;
    words[TELL] = Number(tell);
    words[STEPS] = program.steps;
    Atomics.store(words, CANCEL, 0);
    Atomics.store(words, STATE, RUNNING);
  }

  /** A thread says what it threw. */
  threw(error: unknown, thread: number): void {
    this.#thrown = error;
    this.#thrower = thread;
  }

  /** Whether something was thrown, and nobody has said what. */
  get isUnheard(): boolean {
    const why = Atomics.load(this.#words, CANCEL);
    return (why === TRAPPED || why === THREW) && this.#thrown === undefined;
  }

  /** What became of it, and of its descriptors, which go back to the program. */
  outcome(program: Program): Failure | undefined {
    const words = this.#words;
    const first = stepAt(0);
    program.words.set(words.subarray(first, first + program.steps * STEP_WORDS));
    const job = this.number;
    const why = Atomics.load(words, CANCEL);
    const isLost = this.death?.why === 'lost';
    if (why === ABORTED && !isLost) return { why: 'aborted', job };
    if (this.death !== undefined) return { ...this.death, job };
    if (why === 0) return undefined;
    return { why: why === TRAPPED ? 'trapped' : 'threw', job, worker: this.#thrower, cause: this.#thrown };
  }

  /** Told once a second: whether something has been finished in the last minutes. */
  patience(): () => boolean {
    let seconds = 0;
    let before = '';
    return () => {
      const now = `${this.number} ${this.#words[STEP]} ${Atomics.load(this.#words, LEFT)}`;
      seconds = now === before ? seconds + 1 : 0;
      before = now;
      return seconds < PATIENCE;
    };
  }
}
