/**
 * The contenders in plain JavaScript (bench/plain-loops.ts, heed/reference), in a thread of their own: what they are compared with
 * must not make them slower. A thread has its own V8, with its own hidden classes and assumptions; beside heed these loops were
 * up to 1.3 times as slow in Node 20, where a memory that grew makes V8 check every array for being detached, and once up to 1.8
 * times in Node 24 (test/user-objects.test.ts). They are still sampled in turn with heed: the caller waits for each answer.
 *
 * The thread runs this file too, bundled: by itself (bench/shipped.ts), or as a part of the package's bin. With tsx in between, a
 * thread of Node 20 waits for the caller to load it, and the caller for the thread.
 */
import {
  isMainThread,
  MessageChannel,
  receiveMessageOnPort,
  Worker,
  workerData,
  type MessagePort,
} from 'node:worker_threads';
import { attention, matmul, type FloatArray } from '../src/reference.ts';
import { plainAttention, plainMatmul, type PlainCall, type PlainMatmul } from './plain-loops.ts';
import { clock, type Clock } from './sample.ts';

/** What is to be computed. */
export type ScriptTask =
  | {
      readonly kind: 'matmul';
      readonly inputs: readonly [Float32Array, Float32Array];
      readonly call: PlainMatmul;
    }
  | {
      readonly kind: 'attention';
      readonly inputs: readonly [Float32Array, Float32Array, Float32Array];
      readonly call: PlainCall;
    };

export const SCRIPTS = ['reference', 'plain'] as const;
type ScriptName = (typeof SCRIPTS)[number];

/** Either so many calls, answered by milliseconds, or the result of the last. */
interface Question {
  readonly name: ScriptName;
  readonly calls?: readonly [calls: number, before: number | undefined];
}

/** With a reason instead where something was thrown. */
interface Answer {
  readonly milliseconds?: number;
  readonly out?: FloatArray;
  readonly problem?: string;
}

interface Start {
  readonly purpose: typeof PURPOSE;
  readonly task: ScriptTask;
  readonly port: MessagePort;
  readonly answers: Int32Array;
}

const PURPOSE = 'heed: plain JavaScript';

/** The longest that an answer may take, milliseconds: a thread that has died gives none. */
const PATIENCE = 2 * 60e3;

if (!isMainThread && (workerData as Partial<Start> | null)?.purpose === PURPOSE) serve(workerData as Start);

/** Scripts that are ready to run one task, until `dispose`. */
export class ScriptThread {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #answers = new Int32Array(new SharedArrayBuffer(4));
  readonly #results = new Map<ScriptName, FloatArray>();
  /** Of what the thread has died, where that is known. */
  death: string | undefined;

  /** @param module a bundle with this file in it */
  constructor(task: ScriptTask, module: URL) {
    const { port1, port2 } = new MessageChannel();
    const start: Start = { purpose: PURPOSE, task, port: port2, answers: this.#answers };
    this.#port = port1;
    this.#worker = new Worker(module, { workerData: start, transferList: [port2], execArgv: [] });
    this.#worker.on('error', (error) => {
      this.death = error.message;
    });
    this.#worker.unref();
    this.#port.unref();
  }

  /** The clock of one of them. */
  clock(name: ScriptName): Clock {
    return (calls, before) => {
      this.#results.delete(name);
      return this.#ask({ name, calls: [calls, before] }).milliseconds!;
    };
  }

  /** What its last call wrote, NaN where there was none. */
  result(name: ScriptName): FloatArray {
    const result = this.#results.get(name) ?? this.#ask({ name }).out!;
    this.#results.set(name, result);
    return result;
  }

  #ask(question: Question): Answer {
    if (this.death !== undefined) throw new Error(`the thread of plain JavaScript has died: ${this.death}`);
    const before = Atomics.load(this.#answers, 0);
    this.#port.postMessage(question);
    if (Atomics.wait(this.#answers, 0, before, PATIENCE) === 'timed-out')
      throw new Error('the thread of plain JavaScript does not answer');
    const { problem, ...answer } = receiveMessageOnPort(this.#port)!.message as Answer;
    if (problem !== undefined) throw new Error(problem);
    return answer;
  }

  dispose(): void {
    this.#port.close();
    void this.#worker.terminate();
  }
}

/** Answers, in the thread. */
function serve({ task, port, answers }: Start): void {
  const scripts = scriptsOf(task);
  port.on('message', ({ name, calls }: Question) => {
    const { run, out } = scripts[name];
    let answer: Answer;
    try {
      answer = calls === undefined ? { out } : { milliseconds: clock(run, ...calls) };
    } catch (error) {
      answer = { problem: String(error) };
    }
    port.postMessage(answer);
    Atomics.add(answers, 0, 1);
    Atomics.notify(answers, 0);
  });
}

interface Script {
  readonly run: () => unknown;
  readonly out: FloatArray;
}

function scriptsOf(task: ScriptTask): Record<ScriptName, Script> {
  if (task.kind === 'matmul') {
    const { inputs, call } = task;
    const length = call.M * call.N;
    const reference = { ...call, out: new Float64Array(length).fill(NaN) };
    const plain = new Float32Array(length).fill(NaN);
    return {
      reference: { out: reference.out, run: () => matmul(...inputs, reference) },
      plain: { out: plain, run: () => plainMatmul(...inputs, call, plain) },
    };
  }
  const { inputs, call } = task;
  const { batch = 1, heads = 1, seqQ, headDim, valueDim = headDim } = call;
  const length = batch * heads * seqQ * valueDim;
  const reference = { ...call, out: new Float64Array(length).fill(NaN) };
  const plain = new Float32Array(length).fill(NaN);
  return {
    reference: { out: reference.out, run: () => attention(...inputs, reference) },
    plain: { out: plain, run: () => plainAttention(...inputs, call, plain) },
  };
}
