/** The engine: operations on memory of its own, as its users see it. `make-engine.ts` makes one. */
import { HeedTypeError } from './errors.ts';
import { kindOf } from './words.ts';
import { KVCache } from './kv-cache.ts';
import { attention, attentionAsync, attentionWeights, type Inspection } from './operations/attention.ts';
import { matmul, matmulAsync, packMatrix } from './operations/matmul.ts';
import { mergeAttention } from './operations/merge.ts';
import { rope } from './operations/rope.ts';
import { tensor } from './operations/tensor.ts';
import type { KVCacheOptions } from './options/cache.ts';
import type { PackOptions } from './options/matmul.ts';
import type { AttentionPart, MergeShape } from './options/merge.ts';
import type { RopeOptions } from './options/rope.ts';
import type { Abortable } from './options/signal.ts';
import type { MemoryUse, Runtime } from './runtime.ts';
import type { Tile } from './tile.ts';
import { Scope } from './scope.ts';
import type { ArrayAttentionOptions, ArrayMatmulOptions, PackedMatrix, Tensor } from './tensor.ts';
import type { TensorAttentionOptions, TensorMatmulOptions, TensorRopeOptions, Values } from './tensor.ts';
import type { Build } from './wasm/inlined.ts';

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
    return attention(this.#runtime, 'attention', q, k, v, options);
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
    return attentionAsync(this.#runtime, 'attentionAsync', q, k, v, options);
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
    return attentionWeights(this.#runtime, 'attentionWeights', q, k, v, options);
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
    return matmul(this.#runtime, 'matmul', a, b, options);
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
    return matmulAsync(this.#runtime, 'matmulAsync', a, b, options);
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
    return rope(this.#runtime, 'rope', x, options);
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
    return mergeAttention(this.#runtime, 'mergeAttention', parts, options);
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
    return packMatrix(this.#runtime, 'packMatrix', b, options);
  }

  /**
   * A tensor on this engine's memory: a copy of `data`, or zeros.
   *
   * @param shape 1 to 8 dimensions, outermost first
   * @param data as many elements as the shape has
   * @throws HeedTypeError, HeedRangeError; MemoryLimitError ERR_MEMORY_LIMIT
   */
  tensor(shape: readonly number[], data?: Float32Array): Tensor {
    return tensor(this.#runtime, 'tensor', shape, data);
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

/** The runtime under an engine. ERR_ARG_TYPE for anything else. */
export function runtimeOf(op: string, engine: unknown): Runtime {
  const runtime = runtimes.get(engine as object);
  if (runtime !== undefined) return runtime;
  const received = kindOf(engine);
  const hint = received === 'object' ? 'what createEngine of this very copy of heed gives' : undefined;
  throw new HeedTypeError('ERR_ARG_TYPE', { op, arg: 'engine', expected: 'Engine', received, hint });
}
