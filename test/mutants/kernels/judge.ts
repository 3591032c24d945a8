/** The judge of mutants: a thread that has the battery, and a clock for those that never end. */
import { Worker } from 'node:worker_threads';
import { FILES } from './battery.ts';
import type { Answer, Question, Start } from './protocol.ts';
import type { Build } from '../../../src/wasm/inlined.ts';

/** A test of the battery, as the module that is right runs it. */
export interface Known {
  readonly name: string;
  readonly ms: number;
  /** Functions that it enters. */
  readonly touched: readonly number[];
  /** How often it goes round loops. */
  readonly rounds: number;
}

/** Why a mutant is wrong: the test, by its place and in words. */
export interface Verdict {
  readonly by: string;
  readonly name: string;
  readonly why: string;
}

/** A test may go round loops so many times as often as it did, and so many times more: it draws what depends on results, too. */
const [TIMES, MORE] = [10, 1_000_000];
/** Most time for a test, ms: for what never ends outside of loops of the kernels. The machine does other things too. */
const PATIENCE = 120_000;

export class Judge {
  readonly #build: Build;
  #worker: Worker | undefined;

  constructor(build: Build) {
    this.#build = build;
  }

  /** Runs all tests of files on a module that tells what it enters. One that fails is an error: nothing could be judged by it. */
  async measure(bytes: Uint8Array<ArrayBuffer>, files: readonly string[]): Promise<Known[]> {
    const known: Known[] = [];
    const verdict = await this.#ask({ bytes, tests: files }, ({ test, ms, touched, rounds }) =>
      known.push({ name: test, ms, touched, rounds }),
    );
    if (verdict) throw new Error(`the module that is right fails: ${verdict.name}: ${verdict.why}`);
    if (known.length === 0) throw new Error('no test was run');
    return known;
  }

  /** Runs tests until one fails; undefined: none does. */
  judge(bytes: Uint8Array<ArrayBuffer>, tests: readonly Known[]): Promise<Verdict | undefined> {
    return this.#ask({
      bytes,
      tests: tests.map(({ name, rounds }) => ({ test: name, rounds: TIMES * rounds + MORE })),
    });
  }

  async end(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  async #ask(
    question: Question,
    passed?: (answer: Answer & { kind: 'passed' }) => void,
  ): Promise<Verdict | undefined> {
    const worker = (this.#worker ??= await started(this.#build));
    let verdict: Verdict | undefined;
    let clock: NodeJS.Timeout | undefined;
    let last = '';
    const { promise, resolve } = settled();
    const over = (why: string): void => {
      verdict = { by: last, name: last, why };
      resolve(false);
    };
    const onMessage = (answer: Answer): void => {
      if (answer.kind === 'failed') verdict = { by: answer.test, name: answer.name, why: answer.message };
      if (answer.kind === 'passed') passed?.(answer);
      if (answer.kind === 'done') resolve(true);
      if (answer.kind !== 'began') return;
      last = answer.test;
      clearTimeout(clock);
      clock = setTimeout(over, PATIENCE, 'no end');
    };
    const onError = (error: unknown): void => {
      over(String(error).slice(0, 160));
    };
    worker.on('message', onMessage);
    worker.on('error', onError);
    worker.postMessage(question);
    const whole = await promise;
    worker.off('message', onMessage);
    worker.off('error', onError);
    clearTimeout(clock);
    if (!whole) await this.end();
    return verdict;
  }
}

function started(build: Build): Promise<Worker> {
  const worker = new Worker(new URL('thread.mjs', import.meta.url), {
    workerData: { build, files: FILES } satisfies Start,
    // What tests warn of is theirs.
    stderr: true,
    stdout: true,
  });
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', () => {
      worker.off('error', reject);
      resolve(worker);
    });
  });
}

/** A promise, and what says how it ends. */
function settled(): { promise: Promise<boolean>; resolve: (whole: boolean) => void } {
  let resolve!: (whole: boolean) => void;
  const promise = new Promise<boolean>((end) => (resolve = end));
  return { promise, resolve };
}
