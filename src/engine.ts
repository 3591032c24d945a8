/**
 * Engines: which build runs, the memory it has, and the operations on it. Plain functions share a default engine that
 * is made at the first call; `createEngine` gives one of your own, with tensors that stay in its memory.
 */
import { EnvironmentError, HeedTypeError } from './errors.ts';
import { kindOf } from './words.ts';
import { KVCache } from './kv-cache.ts';
import * as operations from './operations.ts';
import type { Inspection } from './operations.ts';
import { DEFAULT, resolveEngine, type EngineOptions, type EngineProblem } from './options/engine.ts';
import type { KVCacheOptions } from './options/cache.ts';
import type { PackOptions } from './options/matmul.ts';
import type { AttentionPart, MergeShape } from './options/merge.ts';
import type { RopeOptions } from './options/rope.ts';
import { ALL, Runtime, type MemoryUse } from './runtime.ts';
import type { Tile } from './tile.ts';
import { Scope } from './scope.ts';
import { passesSelfTest } from './self-test.ts';
import type { ArrayAttentionOptions, ArrayMatmulOptions, PackedMatrix, Tensor } from './tensor.ts';
import type { TensorAttentionOptions, TensorMatmulOptions, TensorRopeOptions, Values } from './tensor.ts';
import { compile, compileSync, supports, type Build } from './wasm/instantiate.ts';

/** What an engine uses of its machine. */
export interface Features {
  /** The build that runs: relaxed SIMD where the JavaScript engine has it and computes it right. */
  readonly simd: Build;
  /** Whether multiply and add are one instruction with one rounding. */
  readonly fma: boolean;
  /** Computing threads. */
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
 */
export class Engine {
  readonly #runtime: Runtime;
  readonly features: Features;

  private constructor(runtime: Runtime, reason: string) {
    this.#runtime = runtime;
    const { build, fma } = runtime;
    this.features = Object.freeze({
      simd: build,
      fma,
      threads: 1,
      get tile() {
        return runtime.tile;
      },
      reason,
    });
    runtimes.set(this, runtime);
  }

  /** @internal Users call `createEngine`. */
  static make(runtime: Runtime, reason: string): Engine {
    return new Engine(runtime, reason);
  }

  /** Bytes used by tensors and packed matrices, reserved from the system, and the limit. */
  get memory(): MemoryUse {
    return this.#runtime.memory;
  }

  /** softmax(scale · QKᵀ) V. See the function `attention`. */
  attention(q: Float32Array, k: Float32Array, v: Float32Array, options: ArrayAttentionOptions): Float32Array;
  attention(q: Tensor, k: Tensor, v: Tensor, options?: TensorAttentionOptions): Tensor;
  attention(q: Values, k: Values, v: Values, options?: object): Values {
    return operations.attention(this.#runtime, 'attention', q, k, v, options);
  }

  /** Attention with its weights, for looking. See the function `attentionWeights`. */
  attentionWeights(
    q: Float32Array,
    k: Float32Array,
    v: Float32Array,
    options: ArrayAttentionOptions,
  ): Inspection;
  attentionWeights(q: Tensor, k: Tensor, v: Tensor, options?: TensorAttentionOptions): Inspection<Tensor>;
  attentionWeights(q: Values, k: Values, v: Values, options?: object): Inspection<Values> {
    return operations.attentionWeights(this.#runtime, 'attentionWeights', q, k, v, options);
  }

  /** A · B + bias. See the function `matmul`; b may also be a packed matrix of this engine. */
  matmul(a: Float32Array, b: Float32Array, options: ArrayMatmulOptions): Float32Array;
  matmul(
    a: Float32Array,
    b: PackedMatrix,
    options: Pick<ArrayMatmulOptions, 'M'> & Partial<ArrayMatmulOptions>,
  ): Float32Array;
  matmul(a: Tensor, b: Tensor | PackedMatrix, options?: TensorMatmulOptions): Tensor;
  matmul(a: Values, b: Values | PackedMatrix, options?: object): Values {
    return operations.matmul(this.#runtime, 'matmul', a, b, options);
  }

  /** Rotary position embeddings. See the function `rope`; a tensor may be its own `out`. */
  rope(x: Float32Array, options: RopeOptions): Float32Array;
  rope(x: Tensor, options?: TensorRopeOptions): Tensor;
  rope(x: Values, options?: object): Values {
    return operations.rope(this.#runtime, 'rope', x, options);
  }

  /** Attention over disjoint sets of keys, combined. See the function `mergeAttention`. */
  mergeAttention(
    parts: readonly AttentionPart<Float32Array>[],
    options: MergeShape,
  ): AttentionPart<Float32Array>;
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
   * A tensor on this engine's memory: a copy of `data`, or zeros. 1 to 8 dimensions.
   *
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

  /** Drops the memory; tensors of this engine are gone. May be called twice. */
  dispose(): void {
    this.#runtime.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * An engine of your own: its memory, its build, zero-copy tensors.
 *
 * @param options `simd`: 'auto' (default: relaxed SIMD where there is), 'relaxed', 'baseline'; `maxMemory`: bytes,
 *   default 4 GiB; `threads`: 'auto' or 1 in this version; `tile`: 'auto', '4x8', '6x8', '3x12', '4x16', '6x16'.
 * @throws HeedTypeError, HeedRangeError; EnvironmentError ERR_NO_SIMD, ERR_NO_RELAXED_SIMD, ERR_NO_THREADS,
 *   ERR_MEMORY_RESERVE, ERR_CSP, ERR_WASM_INTEGRITY — all by rejection
 * @example
 * import { createEngine } from 'heed';
 *
 * const engine = await createEngine();
 * console.log(engine.features.simd, engine.memory.reserved);
 * engine.dispose();
 */
export async function createEngine(options?: EngineOptions): Promise<Engine> {
  const problem = resolveEngine(options);
  for (const build of candidates('createEngine', problem)) await compile('createEngine', build);
  return makeEngine('createEngine', problem, ALL);
}

let shared: Engine | undefined;

/**
 * The engine of the plain functions: made at the first call, synchronously, on one thread. Its kernels are tested when a call is
 * about to run them, as a first call waits for it: see {@link prove}.
 */
export function defaultEngine(op: string): Engine {
  if (shared === undefined) {
    compileSync();
    shared = makeEngine(op, DEFAULT, 0);
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
  shared = makeEngine(op, DEFAULT, ALL & ~untested);
  return runtimeOf(op, shared);
}

/** Drops the default engine and its memory; the next call makes a new one. Layers on the old one are gone. */
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

/** Builds to try, best first. ERR_NO_THREADS, ERR_NO_RELAXED_SIMD. */
function candidates(op: string, { threads, simd }: EngineProblem): Build[] {
  if (threads > 1) {
    throw new EnvironmentError('ERR_NO_THREADS', {
      op,
      arg: 'threads',
      expected: "1 or 'auto' in this version",
      received: `${threads}`,
      hint:
        'threads need shared memory, which a page has only with the headers ' +
        'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp',
    });
  }
  if (simd === 'baseline') return ['baseline'];
  if (supports('relaxed')) return simd === 'auto' ? ['relaxed', 'baseline'] : ['relaxed'];
  if (simd === 'auto') return ['baseline'];
  throw new EnvironmentError('ERR_NO_RELAXED_SIMD', {
    op,
    problem: 'this JavaScript engine has no relaxed SIMD',
    hint: "Node has it from version 22 on; simd: 'auto' takes what there is",
  });
}

/** The first build whose kernels compute right: these, and the others when they are asked for. */
function makeEngine(op: string, problem: EngineProblem, kernels: number): Engine {
  const reasons = ['one thread: this version has no others'];
  if (problem.simd === 'auto' && !supports('relaxed')) {
    reasons.push('baseline SIMD: this JavaScript engine has no relaxed SIMD');
  }
  for (const build of candidates(op, problem)) {
    const runtime = new Runtime(op, build, problem.maxMemory, problem.tile);
    if (problem.tile !== 'auto' && runtime.tile !== problem.tile) {
      reasons.push(`tile ${runtime.tile}: the ${build} build has no ${problem.tile}`);
    }
    if (passesSelfTest(runtime, op, kernels)) {
      runtime.untested = ALL & ~kernels;
      if (runtime.untested !== 0) runtime.prove = prove;
      return Engine.make(runtime, reasons.join('; '));
    }
    runtime.dispose();
    reasons.push(`not ${build} SIMD: this JavaScript engine computes it wrongly`);
  }
  const hint = 'the package may be damaged: install it again';
  throw new EnvironmentError('ERR_WASM_INTEGRITY', {
    op,
    problem: 'the kernels compute wrong results',
    hint,
  });
}
