/**
 * The errors heed throws: seven classes, one mechanism. The words of their messages stand in `words.ts`; what is checked, and
 * when, in `checks/`.
 *
 * A message reads
 *   attention: "k" expected Float32Array of length 8 (batch 1 × …), got length 7[ — a hint] [ERR_SHAPE]
 * or, where no argument is at fault, `createEngine: a sentence[ — a hint] [ERR_NO_SIMD]`.
 * It names options, dimensions and kinds of values, never what an array holds.
 */

/** Codes of {@link HeedTypeError}: wrong kind or missing · an option heed does not know · memory that is gone. */
export type HeedTypeCode = 'ERR_ARG_TYPE' | 'ERR_UNKNOWN_OPTION' | 'ERR_DETACHED';

/** Codes of {@link HeedRangeError}: the kind is right, the value is not. */
export type HeedRangeCode =
  | 'ERR_DIM'
  | 'ERR_SIZE'
  | 'ERR_SHAPE'
  | 'ERR_HEADS'
  | 'ERR_RANGE'
  | 'ERR_OPTION'
  | 'ERR_OVERLAP'
  | 'ERR_CACHE_FULL'
  | 'ERR_CACHE_WINDOW';

/** The code of {@link MemoryLimitError}. */
export type MemoryLimitCode = 'ERR_MEMORY_LIMIT';

/** Codes of {@link StateError}: right arguments at the wrong time or to the wrong engine. */
export type StateCode =
  | 'ERR_DISPOSED'
  | 'ERR_FOREIGN_TENSOR'
  | 'ERR_BUSY'
  | 'ERR_STALE_VIEW'
  | 'ERR_POISONED'
  | 'ERR_POOL_TERMINATED';

/** Codes of {@link EnvironmentError}: what this JavaScript engine or page cannot give. */
export type EnvironmentCode =
  | 'ERR_NO_SIMD'
  | 'ERR_NO_RELAXED_SIMD'
  | 'ERR_NO_THREADS'
  | 'ERR_MEMORY_RESERVE'
  | 'ERR_CSP'
  | 'ERR_WASM_LOAD'
  | 'ERR_WASM_INTEGRITY'
  | 'ERR_WORKER_START';

/** Codes of {@link WorkerError}. */
export type WorkerCode = 'ERR_WORKER' | 'ERR_WORKER_EXIT' | 'ERR_WORKER_OUT_OF_MEMORY' | 'ERR_POOL_DEGRADED';

/** The code of {@link KernelTrapError}. */
export type KernelTrapCode = 'ERR_TRAP';

/** Every code. A code never changes its meaning; messages may. */
export type HeedErrorCode =
  HeedTypeCode | HeedRangeCode | MemoryLimitCode | StateCode | EnvironmentCode | WorkerCode | KernelTrapCode;

/** What an error is made of. Either `arg`, `expected` and `received` are given, or `problem` is. */
export interface ErrorDetails {
  /** The public function that was called. */
  readonly op?: string | undefined;
  /** The argument, option or dimension at fault. */
  readonly arg?: string | undefined;
  /** What it should have been, in words. */
  readonly expected?: string | undefined;
  /** What it was, in words. */
  readonly received?: string | undefined;
  /** A whole sentence, where no single argument is at fault. Only in the message. */
  readonly problem?: string | undefined;
  /** What to do about it. */
  readonly hint?: string | undefined;
  /** How many of what ran out there are. */
  readonly instances?: number | undefined;
  /** A worker's number. */
  readonly worker?: number | undefined;
  /** That of its job. */
  readonly jobId?: number | undefined;
  /** What was to be loaded. */
  readonly url?: string | undefined;
  /** The status that a server answered with. */
  readonly status?: number | undefined;
  /** The type that it gave what it sent. */
  readonly contentType?: string | undefined;
  /** What a worker ended with. */
  readonly exitCode?: number | undefined;
  /** The error underneath. */
  readonly cause?: unknown;
}

/** Bytes of a call that does not fit. */
export interface MemoryLimitDetails extends ErrorDetails {
  /** More than there is in use. */
  readonly needed: number;
  /** Most that the engine may have. */
  readonly limit: number;
  /** In use when it was called. */
  readonly inUse: number;
}

/**
 * What every error of heed has, whichever class it is of: test `error.isHeedError`, then `error.code`.
 *
 * @example
 * import { matmul } from 'heed';
 *
 * try {
 *   matmul(new Float32Array(3), new Float32Array(4), { M: 2, N: 2, K: 2 });
 * } catch (error) {
 *   if (!error.isHeedError || error.code !== 'ERR_SHAPE') throw error;
 *   console.log(error.op, error.arg, error.expected);   // matmul a Float32Array of length 4 (batch 1 × M 2 × K 2)
 * }
 */
export interface HeedError<Code extends HeedErrorCode = HeedErrorCode> extends Error {
  /** Only of these. */
  readonly isHeedError: true;
  /** What went wrong: one word that never changes its meaning. */
  readonly code: Code;
  /** The public function that was called. */
  readonly op?: string;
  /** The argument, option or dimension at fault. */
  readonly arg?: string;
  /** What it should have been, in words. */
  readonly expected?: string;
  /** What it was, in words. */
  readonly received?: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** The constructor of an error class: for `instanceof`. Only heed makes errors of it. */
export interface HeedErrorClass<Instance extends HeedError, Details extends ErrorDetails = ErrorDetails> {
  /**
   * An error, with its message.
   *
   * @param code one of the class's own
   * @param details what its message and its fields are made of
   */
  new (code: Instance['code'], details: Details): Instance;
  /** What all of its errors share: their name, `isHeedError`. */
  readonly prototype: Instance;
}

function messageOf(code: string, { op, arg, expected, received, problem, hint }: ErrorDetails): string {
  const subject = op === undefined ? '' : `${op}: `;
  const sentence = problem ?? `"${arg}" expected ${expected}, got ${received}`;
  return `${subject}${sentence}${hint === undefined ? '' : ` — ${hint}`} [${code}]`;
}

/** The one mechanism: a subclass of a built-in error that builds its message from the details and carries them. */
function errorClass<Instance extends HeedError, Details extends ErrorDetails = ErrorDetails>(
  name: string,
  Base: new (message: string, options?: ErrorOptions) => Error,
): HeedErrorClass<Instance, Details> {
  const Class = class extends Base {
    constructor(code: string, given: ErrorDetails) {
      // Own fields only: a polluted Object.prototype has no say in a message.
      const details = Object.assign(Object.create(null) as ErrorDetails, given);
      const { cause, ...rest } = details;
      super(messageOf(code, details), cause === undefined ? undefined : { cause });
      const fields = Object.entries<unknown>(rest).filter(
        ([name, x]) => name !== 'problem' && x !== undefined,
      );
      Object.assign(this, { code }, Object.fromEntries(fields));
    }
  };
  Object.defineProperty(Class, 'name', { value: name });
  Object.defineProperty(Class.prototype, 'name', { value: name, writable: true, configurable: true });
  Object.defineProperty(Class.prototype, 'isHeedError', { value: true });
  return Class as unknown as HeedErrorClass<Instance, Details>;
}

/** An argument of the wrong kind, a missing dimension, an unknown option, or memory that is gone. */
export type HeedTypeError = TypeError & HeedError<HeedTypeCode>;
/** An argument of the wrong kind, a missing dimension, an unknown option, or memory that is gone. */
export const HeedTypeError: HeedErrorClass<HeedTypeError> = errorClass('HeedTypeError', TypeError);

/** A dimension, size, shape or option value that does not fit. */
export type HeedRangeError = RangeError & HeedError<HeedRangeCode>;
/** A dimension, size, shape or option value that does not fit. */
export const HeedRangeError: HeedErrorClass<HeedRangeError> = errorClass('HeedRangeError', RangeError);

/** A call that needs more memory than its engine may have. Bytes: `needed`, `limit`, `inUse`. */
export type MemoryLimitError = RangeError &
  HeedError<MemoryLimitCode> &
  Pick<MemoryLimitDetails, 'needed' | 'limit' | 'inUse'>;
/** A call that needs more memory than its engine may have. Bytes: `needed`, `limit`, `inUse`. */
export const MemoryLimitError: HeedErrorClass<MemoryLimitError, MemoryLimitDetails> = errorClass(
  'MemoryLimitError',
  RangeError,
);

/** Something disposed, busy, or of another engine. */
export type StateError = HeedError<StateCode>;
/** Something disposed, busy, or of another engine. */
export const StateError: HeedErrorClass<StateError> = errorClass('StateError', Error);

/** This JavaScript engine or page cannot do what was asked; the message says what would make it. */
export type EnvironmentError = HeedError<EnvironmentCode> &
  Pick<ErrorDetails, 'instances' | 'url' | 'status' | 'contentType'>;
/** This JavaScript engine or page cannot do what was asked; the message says what would make it. */
export const EnvironmentError: HeedErrorClass<EnvironmentError> = errorClass('EnvironmentError', Error);

/** A worker that failed or ended. */
export type WorkerError = HeedError<WorkerCode> & Pick<ErrorDetails, 'worker' | 'jobId' | 'exitCode'>;
/** A worker that failed or ended. */
export const WorkerError: HeedErrorClass<WorkerError> = errorClass('WorkerError', Error);

/** A kernel trapped: a fault of heed, not of the caller. */
export type KernelTrapError = HeedError<KernelTrapCode>;
/** A kernel trapped: a fault of heed, not of the caller. */
export const KernelTrapError: HeedErrorClass<KernelTrapError> = errorClass('KernelTrapError', Error);
