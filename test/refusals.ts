/** What faults are refused with, word for word: what more than one test expects. */
import {
  EnvironmentError,
  HeedRangeError,
  HeedTypeError,
  KernelTrapError,
  MemoryLimitError,
  StateError,
  WorkerError,
  type HeedErrorCode,
} from '../src/index.ts';
import type { Refusal } from './nothing-lost.ts';

/** Whose code each is. */
const CLASSES: Readonly<Record<HeedErrorCode, Refusal['class']>> = {
  ERR_ARG_TYPE: HeedTypeError,
  ERR_UNKNOWN_OPTION: HeedTypeError,
  ERR_DETACHED: HeedTypeError,
  ERR_DIM: HeedRangeError,
  ERR_SIZE: HeedRangeError,
  ERR_SHAPE: HeedRangeError,
  ERR_HEADS: HeedRangeError,
  ERR_RANGE: HeedRangeError,
  ERR_OPTION: HeedRangeError,
  ERR_OVERLAP: HeedRangeError,
  ERR_CACHE_FULL: HeedRangeError,
  ERR_CACHE_WINDOW: HeedRangeError,
  ERR_MEMORY_LIMIT: MemoryLimitError,
  ERR_DISPOSED: StateError,
  ERR_FOREIGN_TENSOR: StateError,
  ERR_BUSY: StateError,
  ERR_STALE_VIEW: StateError,
  ERR_POISONED: StateError,
  ERR_POOL_TERMINATED: StateError,
  ERR_NO_SIMD: EnvironmentError,
  ERR_NO_RELAXED_SIMD: EnvironmentError,
  ERR_NO_THREADS: EnvironmentError,
  ERR_MEMORY_RESERVE: EnvironmentError,
  ERR_CSP: EnvironmentError,
  ERR_WASM_LOAD: EnvironmentError,
  ERR_WASM_INTEGRITY: EnvironmentError,
  ERR_WORKER_START: EnvironmentError,
  ERR_WORKER: WorkerError,
  ERR_WORKER_EXIT: WorkerError,
  ERR_WORKER_OUT_OF_MEMORY: WorkerError,
  ERR_POOL_DEGRADED: WorkerError,
  ERR_TRAP: KernelTrapError,
};

/** A fault of an argument: what stands between "expected" and the code. */
export function refusal(op: string, arg: string, code: HeedErrorCode, words: string): Refusal {
  return { ...sentence(op, code, `"${arg}" expected ${words}`), arg };
}

/** A fault of no argument: what stands between the operation and the code. */
export function sentence(op: string, code: HeedErrorCode, words: string): Refusal {
  return { class: CLASSES[code], code, op, message: `${op}: ${words} [${code}]` };
}

/** An option that the operation has not beside those that it knows, and the nearest of them, if one is near. */
export function unknownOption(op: string, name: string, known: readonly string[], near?: string): Refusal {
  const all = op.endsWith('Async') ? [...known, 'signal'] : known;
  const hint = near === undefined ? '' : ` — did you mean "${near}"?`;
  return refusal(op, name, 'ERR_UNKNOWN_OPTION', `one of ${all.join(', ')}, got an unknown option${hint}`);
}

/** An engine, a scope, a layer. */
export function ended(op: string, what: string): Refusal {
  return sentence(op, 'ERR_DISPOSED', `this ${what} has been disposed of`);
}

/** A tensor, a packed matrix, a cache. */
export function disposed(op: string, arg: string, what: string): Refusal {
  return refusal(op, arg, 'ERR_DISPOSED', `a live ${what}, got one that has been disposed of`);
}

export function foreign(op: string, arg: string, what: string): Refusal {
  return refusal(op, arg, 'ERR_FOREIGN_TENSOR', `a ${what} of this engine, got one of another engine`);
}

export function trapped(op: string): Refusal {
  return sentence(op, 'ERR_TRAP', 'a kernel trapped');
}

export function poisoned(op: string): Refusal {
  const words =
    'a kernel of this engine has trapped — dispose of it and create a new one; ' +
    'for the plain functions releaseMemory() does both';
  return sentence(op, 'ERR_POISONED', words);
}

/** What is called when its engine ends. */
export function terminated(op: string): Refusal {
  return sentence(op, 'ERR_POOL_TERMINATED', 'the engine was disposed of before this call was done');
}

/** An asynchronous call without workers, which there are no more of. */
export function degraded(op: string): Refusal {
  const problem = 'workers of this engine died again and again, and no more are started';
  const hint = 'synchronous calls go on, on one thread; dispose of this engine and create a new one';
  return sentence(op, 'ERR_POOL_DEGRADED', `${problem} — ${hint}`);
}

/** An array that an asynchronous call is to write, and that has gone meanwhile. */
export function lost(op: string, arg: string): Refusal {
  const words = 'Float32Array on a live buffer, got one that lost its buffer during the call';
  return refusal(op, arg, 'ERR_DETACHED', words);
}

const split = 'split the batch or the queries into several calls';
const WHY = {
  'too little': ` — ${split}, or raise maxMemory`,
  'in pieces':
    ', but in no piece that is large enough — tensors lie between: make them after the largest call, or dispose of them',
  refused: `, and the system refuses to give more — ${split}`,
};

/** An engine without room. How much is needed and in use are the error's own figures: whether they can be right is to be asked, too. */
export function noRoom(op: string, limit: number, why: keyof typeof WHY = 'too little'): Refusal {
  const code = 'ERR_MEMORY_LIMIT';
  const message: Refusal['message'] = (error) => {
    const { needed, inUse } = error as MemoryLimitError;
    return `${op}: needs ${needed} bytes more, where ${inUse} of ${limit} are in use${WHY[why]} [${code}]`;
  };
  return { class: CLASSES[code], code, op, message };
}
