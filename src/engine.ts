/**
 * Engines: which build runs, the memory it has, and the operations on it. Plain functions share a default engine that
 * is made at the first call; `createEngine` gives one of your own, with tensors that stay in its memory.
 */
import { EnvironmentError, HeedRangeError, HeedTypeError } from './errors.ts';
import { MAX_BYTES } from './checks/index.ts';
import { kindOf } from './words.ts';
import { KVCache } from './kv-cache.ts';
import * as operations from './operations/index.ts';
import type { Inspection } from './operations/index.ts';
import { DEFAULT, resolveEngine, type EngineOptions, type EngineProblem } from './options/engine.ts';
import type { KVCacheOptions } from './options/cache.ts';
import type { PackOptions } from './options/matmul.ts';
import type { AttentionPart, MergeShape } from './options/merge.ts';
import type { RopeOptions } from './options/rope.ts';
import type { Abortable } from './options/signal.ts';
import { ALL, Runtime, type MemoryUse } from './runtime.ts';
import type { Tile } from './tile.ts';
import { Scope } from './scope.ts';
import { passesSelfTest } from './self-test.ts';
import type { ArrayAttentionOptions, ArrayMatmulOptions, PackedMatrix, Tensor } from './tensor.ts';
import type { TensorAttentionOptions, TensorMatmulOptions, TensorRopeOptions, Values } from './tensor.ts';
import { buildAt, buildOf } from './wasm/brought.ts';
import { compile, compileShared, compileSync, supports, type Build } from './wasm/instantiate.ts';

/** What an engine uses of its machine. */
export interface Features {
  /** The build that runs: relaxed SIMD where the JavaScript engine has it and computes it right. */
  readonly simd: Build;
  /** Whether multiply and add are one instruction with one rounding. */
  readonly fma: boolean;
  /** Computing threads. Fewer than there were where no worker is left. */
  readonly threads: number;
  /**
   * Rows × columns of the register tile of the matmul kernels. With `tile: 'auto'` the best that is known: some are timed against
   * each other, in the engine's first second of work. The choice changes no bit of a result.
   */
  readonly tile: Tile;
  /** In words, why not more; '' when there is nothing to say. */
  readonly reason: string;
}

const runtimes = new WeakMap<object, Runtime>();

/**
 * Attention on memory of its own. Made by {@link createEngine}, ended by `dispose()`.
 *
 * Every operation takes plain arrays, as the functions of the same names do, or tensors of this engine: then nothing is
 * copied and the result is a tensor.
 *
 * @example
 * import { createEngine } from 'heed';
 *
 * const engine = await createEngine();
 * const x = Float32Array.of(1, 0, 0, 1);
 * engine.attention(x, x, x, { seqQ: 2, headDim: 2 });   // 0.67, 0.33, 0.33, 0.67
 * engine.dispose();
 */
export class Engine {
  readonly #runtime: Runtime;
  /** Why there is no more of it, from the beginning. */
  readonly #reason: string;

  private constructor(runtime: Runtime, reason: string) {
    this.#runtime = runtime;
    this.#reason = reason;
    runtimes.set(this, runtime);
  }

  /** @internal Users call `createEngine`. */
  static make(runtime: Runtime, reason: string): Engine {
    return new Engine(runtime, reason);
  }

  /** What it computes with, as it is now: threads may be lost later, a tile is chosen with the first calls. */
  get features(): Features {
    const { build: simd, fma, tileNow: tile, team } = this.#runtime;
    const [threads, loss] = team === undefined ? [1, ''] : [team.threads, team.loss];
    const reason = [this.#reason, loss].filter((why) => why !== '').join('; ');
    return Object.freeze({ simd, fma, threads, tile, reason });
  }

  /** Bytes used by tensors and packed matrices, reserved from the system, and the limit. */
  get memory(): MemoryUse {
    return this.#runtime.memory;
  }

  /**
   * softmax(scale · QKᵀ) V of arrays. See the function `attention`.
   *
   * @param q [batch, seqQ, heads, headDim]
   * @param k [batch, seqK, kvHeads, headDim]
   * @param v [batch, seqK, kvHeads, valueDim]
   * @param options `seqQ` and `headDim`, and what differs from the defaults
   * @returns [batch, seqQ, heads, valueDim], `options.out` if given
   * @throws as the function; StateError ERR_DISPOSED, ERR_POISONED, ERR_STALE_VIEW; WorkerError where a worker fails
   */
  attention(q: Float32Array, k: Float32Array, v: Float32Array, options: ArrayAttentionOptions): Float32Array;
  /**
   * The same on tensors of this engine: nothing is copied.
   *
   * @param q as above
   * @param k as above
   * @param v as above
   * @param options what differs from the defaults; the tensors' shapes are the dimensions
   * @returns a new tensor, which the caller owns, or `options.out`
   * @throws as above; StateError ERR_FOREIGN_TENSOR
   */
  attention(q: Tensor, k: Tensor, v: Tensor, options?: TensorAttentionOptions): Tensor;
  attention(q: Values, k: Values, v: Values, options?: object): Values {
    return operations.attention(this.#runtime, 'attention', q, k, v, options);
  }

  /**
   * Attention off the caller's thread, on the engine's workers, after the asynchronous calls before it. Arrays are copied before it
   * returns, so they may be written at once; tensors are read in place and must be left alone until the promise settles. On an engine
   * with one thread it computes on the caller's, in another turn of the event loop.
   *
   * @param q as of {@link attention}
   * @param k as of {@link attention}
   * @param v as of {@link attention}
   * @param options as of {@link attention}, and `signal`
   * @returns a promise of what {@link attention} returns
   * @throws by rejection: as {@link attention}; the signal's reason; StateError ERR_POOL_TERMINATED where the engine is disposed of
   *   meanwhile; WorkerError where a worker fails
   * @example
   * import { createEngine } from 'heed';
   *
   * const engine = await createEngine();
   * const x = Float32Array.of(1, 0, 0, 1);
   * await engine.attentionAsync(x, x, x, { seqQ: 2, headDim: 2, signal: AbortSignal.timeout(1000) });   // 0.67, 0.33, 0.33, 0.67
   * engine.dispose();
   */
  attentionAsync(
    q: Float32Array,
    k: Float32Array,
    v: Float32Array,
    options: ArrayAttentionOptions & Abortable,
  ): Promise<Float32Array>;
  /**
   * The same on tensors of this engine, which must be left alone until the promise settles.
   *
   * @param q as of {@link attention}
   * @param k as of {@link attention}
   * @param v as of {@link attention}
   * @param options as of {@link attention}, and `signal`
   * @returns a promise of a new tensor, which the caller owns, or of `options.out`
   * @throws by rejection, as above
   */
  attentionAsync(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    options?: TensorAttentionOptions & Abortable,
  ): Promise<Tensor>;
  attentionAsync(q: Values, k: Values, v: Values, options?: object): Promise<Values> {
    return operations.attentionAsync(this.#runtime, 'attentionAsync', q, k, v, options);
  }

  /**
   * Attention with its weights, for looking. See the function `attentionWeights`.
   *
   * @param q as of {@link attention}
   * @param k as of {@link attention}
   * @param v as of {@link attention}
   * @param options as of {@link attention}; not of packed sequences
   * @returns `out`, `weights` [batch, heads, seqQ, seqK], `logSumExp` [batch, heads, seqQ]
   * @throws as {@link attention}
   */
  attentionWeights(
    q: Float32Array,
    k: Float32Array,
    v: Float32Array,
    options: ArrayAttentionOptions,
  ): Inspection;
  /**
   * The same on tensors of this engine.
   *
   * @param q as of {@link attention}
   * @param k as of {@link attention}
   * @param v as of {@link attention}
   * @param options as of {@link attention}; not of packed sequences
   * @returns three tensors, which the caller owns
   * @throws as {@link attention}
   */
  attentionWeights(q: Tensor, k: Tensor, v: Tensor, options?: TensorAttentionOptions): Inspection<Tensor>;
  attentionWeights(q: Values, k: Values, v: Values, options?: object): Inspection<Values> {
    return operations.attentionWeights(this.#runtime, 'attentionWeights', q, k, v, options);
  }

  /**
   * A · B + bias of arrays. See the function `matmul`.
   *
   * @param a [batch, M, K], or [batch, K, M] with `transposeA`
   * @param b [batch, K, N] or one [K, N] for all; [N, K] with `transposeB`
   * @param options `M`, `N`, `K`, and what differs from the defaults
   * @returns [batch, M, N], `options.out` if given
   * @throws as the function; StateError ERR_DISPOSED, ERR_POISONED, ERR_STALE_VIEW; WorkerError where a worker fails
   */
  matmul(a: Float32Array, b: Float32Array, options: ArrayMatmulOptions): Float32Array;
  /**
   * The same with a matrix that was packed before, which knows its K and N.
   *
   * @param a as above
   * @param b of this engine's {@link packMatrix}
   * @param options `M`, and what differs from the defaults; `transposeB` is ERR_OPTION
   * @returns as above
   * @throws as above; StateError ERR_FOREIGN_TENSOR
   */
  matmul(
    a: Float32Array,
    b: PackedMatrix,
    options: Pick<ArrayMatmulOptions, 'M'> & Partial<ArrayMatmulOptions>,
  ): Float32Array;
  /**
   * The same on tensors of this engine: nothing is copied.
   *
   * @param a as above
   * @param b as above, or of this engine's {@link packMatrix}
   * @param options what differs from the defaults; the tensors' shapes are the dimensions
   * @returns a new tensor, which the caller owns, or `options.out`
   * @throws as above; StateError ERR_FOREIGN_TENSOR
   */
  matmul(a: Tensor, b: Tensor | PackedMatrix, options?: TensorMatmulOptions): Tensor;
  matmul(a: Values, b: Values | PackedMatrix, options?: object): Values {
    return operations.matmul(this.#runtime, 'matmul', a, b, options);
  }

  /**
   * A · B + bias off the caller's thread: as {@link attentionAsync} is to {@link attention}.
   *
   * @param a as of {@link matmul}
   * @param b as of {@link matmul}
   * @param options as of {@link matmul}, and `signal`
   * @returns a promise of what {@link matmul} returns
   * @throws by rejection: as {@link matmul}; the signal's reason; StateError ERR_POOL_TERMINATED
   */
  matmulAsync(
    a: Float32Array,
    b: Float32Array,
    options: ArrayMatmulOptions & Abortable,
  ): Promise<Float32Array>;
  /**
   * The same with a matrix that was packed before.
   *
   * @param a as of {@link matmul}
   * @param b of this engine's {@link packMatrix}
   * @param options as of {@link matmul}, and `signal`
   * @returns as above
   * @throws by rejection, as above
   */
  matmulAsync(
    a: Float32Array,
    b: PackedMatrix,
    options: Pick<ArrayMatmulOptions, 'M'> & Partial<ArrayMatmulOptions> & Abortable,
  ): Promise<Float32Array>;
  /**
   * The same on tensors of this engine, which must be left alone until the promise settles.
   *
   * @param a as of {@link matmul}
   * @param b as of {@link matmul}
   * @param options as of {@link matmul}, and `signal`
   * @returns a promise of a new tensor, which the caller owns, or of `options.out`
   * @throws by rejection, as above
   */
  matmulAsync(
    a: Tensor,
    b: Tensor | PackedMatrix,
    options?: TensorMatmulOptions & Abortable,
  ): Promise<Tensor>;
  matmulAsync(a: Values, b: Values | PackedMatrix, options?: object): Promise<Values> {
    return operations.matmulAsync(this.#runtime, 'matmulAsync', a, b, options);
  }

  /**
   * Rotary position embeddings of an array. See the function `rope`.
   *
   * @param x [batch, seq, heads, headDim]
   * @param options `seq`, `heads` and `headDim`, and what differs from the defaults
   * @returns of x's shape; `options.out` if given, which may be x itself
   * @throws as the function; StateError ERR_DISPOSED, ERR_POISONED, ERR_STALE_VIEW; WorkerError where a worker fails
   */
  rope(x: Float32Array, options: RopeOptions): Float32Array;
  /**
   * The same on a tensor of this engine, which may be its own `out`.
   *
   * @param x as above
   * @param options what differs from the defaults; the tensor's shape is the dimensions
   * @returns a new tensor, which the caller owns, or `options.out`
   * @throws as above; StateError ERR_FOREIGN_TENSOR
   */
  rope(x: Tensor, options?: TensorRopeOptions): Tensor;
  rope(x: Values, options?: object): Values {
    return operations.rope(this.#runtime, 'rope', x, options);
  }

  /**
   * Attention over disjoint sets of keys, combined. See the function `mergeAttention`.
   *
   * @param parts `out` [batch, seqQ, heads, valueDim] and `logSumExp` [batch, heads, seqQ] of each, at least one
   * @param options `seqQ` and `valueDim`, and what differs from the defaults
   * @returns `out` and `logSumExp` of the same shapes
   * @throws as the function; StateError ERR_DISPOSED, ERR_POISONED, ERR_STALE_VIEW; WorkerError where a worker fails
   */
  mergeAttention(
    parts: readonly AttentionPart<Float32Array>[],
    options: MergeShape,
  ): AttentionPart<Float32Array>;
  /**
   * The same on tensors of this engine.
   *
   * @param parts as above
   * @param options what differs from the defaults; the tensors' shapes are the dimensions
   * @returns two tensors, which the caller owns
   * @throws as above; StateError ERR_FOREIGN_TENSOR
   */
  mergeAttention(
    parts: readonly AttentionPart<Tensor>[],
    options?: Partial<MergeShape>,
  ): AttentionPart<Tensor>;
  mergeAttention(parts: readonly AttentionPart<Values>[], options?: object): AttentionPart<Values> {
    return operations.mergeAttention(this.#runtime, 'mergeAttention', parts, options);
  }

  /**
   * Copies a matrix [K, N] ([N, K] with `transposeB`) into the order in which the kernel reads it. For weights that meet
   * many inputs.
   *
   * @param b the matrix: an array, or a tensor of this engine
   * @param options `K`, `N`, `transposeB`
   * @throws HeedTypeError, HeedRangeError; MemoryLimitError ERR_MEMORY_LIMIT
   * @example
   * import { createEngine } from 'heed';
   *
   * const engine = await createEngine();
   * const w = engine.packMatrix(Float32Array.of(1, 2, 3, 4, 5, 6), { K: 2, N: 3 });
   * engine.matmul(Float32Array.of(1, 1), w, { M: 1 });   // 5, 7, 9
   * w.dispose();
   */
  packMatrix(b: Values, options: PackOptions): PackedMatrix {
    return operations.packMatrix(this.#runtime, 'packMatrix', b, options);
  }

  /**
   * A tensor on this engine's memory: a copy of `data`, or zeros.
   *
   * @param shape 1 to 8 dimensions, outermost first
   * @param data as many elements as the shape has
   * @throws HeedTypeError, HeedRangeError; MemoryLimitError ERR_MEMORY_LIMIT
   */
  tensor(shape: readonly number[], data?: Float32Array): Tensor {
    return operations.tensor(this.#runtime, 'tensor', shape, data);
  }

  /**
   * Everything that is made through a scope is freed with it.
   *
   * @example
   * import { createEngine } from 'heed';
   *
   * const engine = await createEngine();
   * const scope = engine.scope();
   * const q = scope.tensor([1, 4, 2, 8]);
   * console.log(scope.attention(q, q, q).data);
   * scope.dispose();
   */
  scope(): Scope {
    return Scope.make(this.#runtime);
  }

  /**
   * A cache of keys and values for decoding token by token. See {@link KVCache}.
   *
   * @param options `kvHeads`, `headDim`, `capacity`, and what differs from the defaults; see {@link KVCacheOptions}
   * @throws HeedTypeError, HeedRangeError; MemoryLimitError ERR_MEMORY_LIMIT
   */
  kvCache(options: KVCacheOptions): KVCache {
    return KVCache.make(this.#runtime, options);
  }

  /**
   * Ends the workers and drops the memory; tensors of this engine are gone. Calls that are not done reject with ERR_POOL_TERMINATED.
   * May be called twice.
   */
  dispose(): void {
    this.#runtime.dispose();
  }

  /** The same, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * An engine of your own: its memory, its build, its threads, zero-copy tensors.
 *
 * @param options `threads`: 'auto' (default: the cores there are, at most 8) or 1 … 64; `simd`: 'auto' (default: relaxed SIMD where
 *   there is), 'relaxed', 'baseline'; `maxMemory`: bytes, default 4 GiB, with threads 1 GiB; `tile`: 'auto', '4x8', '6x8', '3x12',
 *   '4x16', '6x16'; `wasm`: kernels from elsewhere than inside the package; `workerFactory`: see {@link EngineOptions}
 * @throws HeedTypeError, HeedRangeError; EnvironmentError ERR_NO_SIMD, ERR_NO_RELAXED_SIMD, ERR_NO_THREADS, ERR_WORKER_START,
 *   ERR_MEMORY_RESERVE, ERR_CSP, ERR_WASM_LOAD, ERR_WASM_INTEGRITY — all by rejection
 * @example
 * import { createEngine } from 'heed';
 *
 * const engine = await createEngine();
 * console.log(engine.features.threads, engine.features.simd, engine.memory.reserved);
 * engine.dispose();
 */
export async function createEngine(options?: EngineOptions): Promise<Engine> {
  const op = 'createEngine';
  const given = resolveEngine(options);
  if (typeof given.wasm === 'object') return makeOver(op, given, given.wasm);
  const problem =
    given.wasm === undefined ? given : { ...given, simd: agreed(op, given, await buildAt(op, given.wasm)) };
  let why = '';
  if (problem.threads !== 1) {
    const made = await makeThreaded(op, problem);
    if (made instanceof Engine) return made;
    why = made;
  }
  for (const build of candidates(op, problem)) await compile(op, build);
  return makeEngine(op, problem, ALL, why);
}

let shared: Engine | undefined;

/**
 * The engine of the plain functions: made at the first call, synchronously, on one thread. Its kernels are tested when a call is
 * about to run them, as a first call waits for it: see {@link prove}.
 */
export function defaultEngine(op: string): Engine {
  if (shared === undefined) {
    compileSync();
    shared = makeEngine(op, DEFAULT, 0, '');
  }
  return shared;
}

/**
 * Tests kernels of the default engine. Should they fail, another engine takes over, as plain functions leave nothing on the old
 * one, and a layer has had all of them tested. (A call whose options, read, made a call that found this out, ends with ERR_DISPOSED.)
 */
function prove(runtime: Runtime, op: string, kernels: number): Runtime {
  const untested = runtime.untested & ~kernels;
  if (passesSelfTest(runtime, op, kernels)) {
    runtime.untested = untested;
    return runtime;
  }
  releaseMemory();
  shared = makeEngine(op, DEFAULT, ALL & ~untested, '');
  return runtimeOf(op, shared);
}

/**
 * Drops the default engine and its memory; the next call makes a new one. Layers on the old one are gone.
 *
 * @example
 * import { matmul, releaseMemory } from 'heed';
 *
 * matmul(new Float32Array(1 << 20), new Float32Array(1 << 20), { M: 1024, N: 1024, K: 1024 });
 * releaseMemory();   // 12 MB
 */
export function releaseMemory(): void {
  shared?.dispose();
  shared = undefined;
}

/** The runtime under an engine. ERR_ARG_TYPE for anything else. */
export function runtimeOf(op: string, engine: unknown): Runtime {
  const runtime = runtimes.get(engine as object);
  if (runtime !== undefined) return runtime;
  throw new HeedTypeError('ERR_ARG_TYPE', {
    op,
    arg: 'engine',
    expected: 'Engine',
    received: kindOf(engine),
  });
}

/** Builds to try, best first. ERR_NO_RELAXED_SIMD. */
function candidates(op: string, { simd, wasm }: EngineProblem): Build[] {
  if (simd === 'baseline') return ['baseline'];
  if (supports('relaxed')) return simd === 'auto' ? ['relaxed', 'baseline'] : ['relaxed'];
  if (simd === 'auto') return ['baseline'];
  throw new EnvironmentError('ERR_NO_RELAXED_SIMD', {
    op,
    problem: 'this JavaScript engine has no relaxed SIMD',
    hint:
      wasm === undefined
        ? "Node has it from version 22 on; simd: 'auto' takes what there is"
        : 'give it the baseline build, or no wasm at all',
  });
}

/** The first build whose kernels compute right: these, and the others when they are asked for. `why`: one thread. */
function makeEngine(op: string, problem: EngineProblem, kernels: number, why: string): Engine {
  const maxMemory = problem.maxMemory ?? MAX_BYTES;
  const reasons = why === '' ? [] : [`one thread: ${why}`];
  const { runtime, notes } = firstRight(op, problem, candidates(op, problem), kernels, (build) => {
    return new Runtime(op, build, maxMemory, problem.tile);
  });
  runtime.untested = ALL & ~kernels;
  if (runtime.untested !== 0) runtime.prove = prove;
  return Engine.make(runtime, [...reasons, ...notes].join('; '));
}

/** Bytes of shared memory, which are reserved as a whole: half of that where the system refuses, down to the least. */
const SHARED_BYTES = 2 ** 30;
const LEAST_SHARED = 2 ** 24;

/** Over a module that the caller has compiled. ERR_NO_THREADS, ERR_OPTION, ERR_WASM_INTEGRITY. */
function makeOver(op: string, problem: EngineProblem, module: WebAssembly.Module): Engine {
  const { threads, tile } = problem;
  const why = 'wasm is a compiled module, whose memory cannot be shared';
  if (threads !== 'auto' && threads > 1) {
    const [expected, received] = ["1 or 'auto' with such a wasm", `${threads}`];
    throw new EnvironmentError('ERR_NO_THREADS', { op, arg: 'threads', expected, received, hint: why });
  }
  const simd = agreed(op, problem, buildOf(op, module));
  const { runtime, notes } = firstRight(op, { ...problem, simd }, [simd], ALL, (build) => {
    return new Runtime(op, build, problem.maxMemory ?? MAX_BYTES, tile, { module, shared: false });
  });
  return Engine.make(runtime, [...(threads === 1 ? [] : [`one thread: ${why}`]), ...notes].join('; '));
}

/** The build of the kernels that the caller brings. ERR_OPTION where another is asked for, ERR_NO_RELAXED_SIMD. */
function agreed(op: string, { simd }: EngineProblem, build: Build): Build {
  if (simd === 'auto' || simd === build) return build;
  throw new HeedRangeError('ERR_OPTION', {
    op,
    arg: 'simd',
    expected: `'auto' or '${build}', which wasm is`,
    received: `'${simd}'`,
  });
}

/** The same over shared memory, with workers; or why there is one thread, in words. ERR_NO_THREADS, ERR_WORKER_START. */
async function makeThreaded(op: string, problem: EngineProblem): Promise<Engine | string> {
  const auto = problem.threads === 'auto';
  let library;
  try {
    library = await import('./threads/index.ts');
  } catch (cause) {
    const words = "threads.js beside the package's code could not be loaded";
    if (auto) return words;
    throw new EnvironmentError('ERR_WORKER_START', { op, problem: words, hint: 'deploy it too', cause });
  }
  const { Team, sharedOf, cores, whyNoThreads, CONTROL_BYTES } = library;
  const threads = problem.threads === 'auto' ? cores() : problem.threads;
  if (threads === 1) return 'this machine has one core';
  const why = whyNoThreads(problem.workerFactory !== undefined);
  if (why !== '') {
    if (auto) return why;
    const [expected, received] = ["1 or 'auto' here", `${threads}`];
    throw new EnvironmentError('ERR_NO_THREADS', { op, arg: 'threads', expected, received, hint: why });
  }
  const modules = new Map<Build, WebAssembly.Module>();
  const builds = candidates(op, problem);
  for (const build of builds) modules.set(build, await compileShared(op, build, sharedOf));
  let runtime: Runtime | undefined;
  try {
    const right = firstRight(op, problem, builds, ALL, (build) => {
      return sharedRuntime(op, build, problem, modules.get(build)!);
    });
    runtime = right.runtime;
    runtime.team = await Team.start(op, runtime, {
      ...runtime.controlBlock(op, CONTROL_BYTES),
      module: modules.get(runtime.build)!,
      kernels: runtime.kernels,
      threads,
      factory: problem.workerFactory,
    });
    return Engine.make(runtime, right.notes.join('; '));
  } catch (error) {
    runtime?.dispose();
    const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
    const forThreads = code === 'ERR_WORKER_START' || code === 'ERR_MEMORY_RESERVE';
    if (!auto || !forThreads) throw error;
    return String(message).replace(/^createEngine: | \[\w+\]$/g, '');
  }
}

function sharedRuntime(
  op: string,
  build: Build,
  { maxMemory, tile }: EngineProblem,
  module: WebAssembly.Module,
): Runtime {
  for (let bytes = maxMemory ?? SHARED_BYTES; ; bytes /= 2) {
    try {
      return new Runtime(op, build, bytes, tile, { module, shared: true });
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      if (code !== 'ERR_MEMORY_RESERVE' || maxMemory !== undefined || bytes <= LEAST_SHARED) throw error;
    }
  }
}

/** A runtime of the first build that passes its test, and what is to be said of it. */
function firstRight(
  op: string,
  problem: EngineProblem,
  builds: readonly Build[],
  kernels: number,
  make: (build: Build) => Runtime,
): { runtime: Runtime; notes: string[] } {
  const notes: string[] = [];
  if (problem.simd === 'auto' && !supports('relaxed')) {
    notes.push('baseline SIMD: this JavaScript engine has no relaxed SIMD');
  }
  for (const build of builds) {
    const runtime = make(build);
    if (problem.tile !== 'auto' && runtime.tile !== problem.tile) {
      notes.push(`tile ${runtime.tile}: the ${build} build has no ${problem.tile}`);
    }
    if (passesSelfTest(runtime, op, kernels)) return { runtime, notes };
    runtime.dispose();
    notes.push(`not ${build} SIMD: this JavaScript engine computes it wrongly`);
  }
  const hint =
    problem.wasm === undefined ? 'the package may be damaged: install it again' : 'wasm may be damaged';
  throw new EnvironmentError('ERR_WASM_INTEGRITY', {
    op,
    problem: 'the kernels compute wrong results',
    hint,
  });
}
