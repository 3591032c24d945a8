/** The judge of mutants: a thread that has the battery, and a clock for those that never end. */
import { Worker } from 'node:worker_threads';
import { FILES } from './battery.ts';
import type { Answer, Question, Start } from './protocol.ts';
import type { Build } from '../../src/wasm/inlined.ts';

/** A test of the battery, as the module that is right runs it. */
export interface Known {
  readonly name: string;
  readonly ms: number;
  /** Functions that it enters. */
  readonly touched: readonly number[];
}

/** Why a mutant is wrong; undefined: nothing was found. */
export type Verdict = { readonly by: string; readonly why: string } | undefined;

/** A test may take so many times as long as it did, and so much longer, in ms: the machine does other things too. */
const [TIMES, MORE] = [10, 3000];
/** For what is measured, ms. */
const PATIENCE = 120_000;

export class Judge {
  readonly #build: Build;
  #worker: Worker | undefined;

  constructor(build: Build) {
    this.#build = build;
  }

  /** Runs the whole battery on a module that tells what it enters. A test that fails is an error: nothing could be judged by it. */
  async measure(bytes: Uint8Array<ArrayBuffer>): Promise<Known[]> {
    const known: Known[] = [];
    const verdict = await this.#ask(
      { bytes, tests: [], onward: false },
      () => PATIENCE,
      ({ test, ms, touched }) => known.push({ name: test, ms, touched }),
    );
    if (verdict) throw new Error(`the module that is right fails: ${verdict.by}: ${verdict.why}`);
    if (known.length === 0) throw new Error('no test was run');
    return known;
  }

  /** Runs tests until one fails. */
  judge(bytes: Uint8Array<ArrayBuffer>, tests: readonly Known[]): Promise<Verdict> {
    const limits = new Map(tests.map(({ name, ms }) => [name, TIMES * ms + MORE]));
    return this.#ask({ bytes, tests: [...limits.keys()], onward: false }, (test) => limits.get(test)!);
  }

  async end(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  async #ask(
    question: Question,
    limit: (test: string) => number,
    passed?: (answer: Answer & { kind: 'passed' }) => void,
  ): Promise<Verdict> {
    const worker = (this.#worker ??= await started(this.#build));
    let verdict: Verdict;
    let clock: NodeJS.Timeout | undefined;
    const { promise, resolve } = settled();
    const onMessage = (answer: Answer): void => {
      if (answer.kind === 'failed') verdict = { by: answer.test, why: answer.message };
      if (answer.kind === 'passed') passed?.(answer);
      if (answer.kind === 'done') resolve(true);
      if (answer.kind !== 'began') return;
      clearTimeout(clock);
      clock = setTimeout(() => {
        verdict = { by: answer.test, why: 'no end' };
        resolve(false);
      }, limit(answer.test));
    };
    const onError = (error: unknown): void => {
      verdict = { by: 'the thread', why: String(error).slice(0, 160) };
      resolve(false);
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
