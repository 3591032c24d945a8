/** The layer: project, attend, concatenate, project. What a pass does stands in `pass.ts`. */
import type { Later } from './call.ts';
import type { Inspection } from './operations/attention.ts';
import { packMatrix } from './operations/matmul.ts';
import { tensor } from './operations/tensor.ts';
import { runtimeOf, type Engine } from './engine.ts';
import { defaultEngine } from './make-engine.ts';
import { StateError } from './errors.ts';
import { KVCache } from './kv-cache.ts';
import type { CacheState } from './options/cache.ts';
import { resolveForward, resolveLayer } from './options/layer.ts';
import type { CachedForwardOptions, ForwardOptions } from './options/layer.ts';
import type { LayerOptions, SeparateWeights } from './options/layer.ts';
import { takeSignal, type Abortable } from './options/signal.ts';
import { readyPass, type Layer, type Pass, type Projection, type Projections } from './pass.ts';
import { ALL, type Runtime } from './runtime.ts';
import { EngineDoor, type PackedMatrix, type SideInputs, type Tensor } from './tensor.ts';

/** What a multi-head attention layer is made of. */
export interface MultiHeadAttentionOptions extends LayerOptions {
  /** The engine to run on. Default: the one that the plain functions use. */
  readonly engine?: Engine | undefined;
}

/** What one pass takes, side inputs as arrays or tensors of the layer's engine. */
export type PassOptions =
  | (Omit<ForwardOptions, keyof SideInputs> & SideInputs)
  | (Omit<CachedForwardOptions<KVCache>, keyof SideInputs> & SideInputs);

/**
 * Multi-head attention (Vaswani et al. 2017, section 3.2.2): Q = X·W^Q, K = C·W^K, V = C·W^V with biases, attention of
 * each head, heads side by side, · W^O. C is the context, X itself by default.
 *
 * The weights are copied and packed at construction. With weightLayout 'out-in' they are those of PyTorch's
 * nn.MultiheadAttention (`in_proj_weight` is `wqkv`, `out_proj.weight` is `wo`, `in_proj_bias` is `bqkv`).
 *
 * @example
 * import { MultiHeadAttention } from 'heed';
 *
 * const eye = Float32Array.of(1, 0, 0, 1);
 * const mha = new MultiHeadAttention({ modelDim: 2, heads: 1, weights: { wq: eye, wk: eye, wv: eye, wo: eye } });
 * mha.forward(Float32Array.of(1, 0, 0, 1), { seqQ: 2 });   // 0.67, 0.33, 0.33, 0.67
 * mha.dispose();
 */
export class MultiHeadAttention {
  readonly #layer: Layer;
  readonly #runtime: Runtime;
  readonly #projections: Projections;
  #alive = true;

  /**
   * @param options dimensions and weights; see {@link MultiHeadAttentionOptions}
   * @throws HeedTypeError, HeedRangeError, MemoryLimitError
   */
  constructor(options: MultiHeadAttentionOptions) {
    const op = 'MultiHeadAttention';
    // The dimensions stay; the caller's weights are copied, and not held.
    const { weights, transpose, engine, ...layer } = resolveLayer(options);
    this.#layer = layer;
    this.#runtime = runtimeOf(op, engine === undefined ? defaultEngine(op) : engine).ready(op, ALL);
    const { modelDim, contextDim, heads, kvHeads, headDim } = layer;
    const made: (PackedMatrix | Tensor)[] = [];
    const project = (w: Float32Array, K: number, N: number, b: Float32Array | undefined): Projection => {
      const matrix = packMatrix(this.#runtime, op, w, { K, N, transposeB: transpose });
      made.push(matrix);
      const bias = b && tensor(this.#runtime, op, [N], b);
      if (bias) made.push(bias);
      return { matrix, bias };
    };
    const { wq, wk, wv, wo, bq, bk, bv, bo } = this.#settled(weights);
    try {
      this.#projections = {
        q: project(wq, modelDim, heads * headDim, bq),
        k: project(wk, contextDim, kvHeads * headDim, bk),
        v: project(wv, contextDim, kvHeads * headDim, bv),
        o: project(wo, heads * headDim, modelDim, bo),
      };
    } catch (error) {
      for (const each of made) each.dispose();
      throw error;
    }
  }

  /**
   * One pass.
   *
   * @param x [batch, seqQ, modelDim]
   * @param options `seqQ`, and what differs from the defaults; see {@link ForwardOptions}
   * @returns [batch, seqQ, modelDim], `options.out` if given
   * @throws HeedTypeError, HeedRangeError, MemoryLimitError; StateError ERR_DISPOSED
   */
  forward(x: Float32Array, options: PassOptions): Float32Array {
    return this.#pass('forward', x, options, false).out;
  }

  /**
   * One pass off the caller's thread, on the workers of the layer's engine, after the asynchronous calls before it. `x` and all other
   * arrays are copied before it returns, so they may be written at once; a cache is busy until the promise settles (ERR_BUSY). On an
   * engine with one thread it computes on the caller's, in another turn of the event loop.
   *
   * @param x as of {@link forward}
   * @param options as of {@link forward}, and `signal`
   * @returns a promise of [batch, seqQ, modelDim], `options.out` if given
   * @throws by rejection: as {@link forward}; the signal's reason; StateError ERR_POOL_TERMINATED, WorkerError
   * @example
   * import { createEngine, MultiHeadAttention } from 'heed';
   *
   * const engine = await createEngine();
   * const eye = Float32Array.of(1, 0, 0, 1);
   * const mha = new MultiHeadAttention({ modelDim: 2, heads: 1, weights: { wq: eye, wk: eye, wv: eye, wo: eye }, engine });
   * await mha.forwardAsync(Float32Array.of(1, 0, 0, 1), { seqQ: 2 });   // 0.67, 0.33, 0.33, 0.67
   * engine.dispose();
   */
  async forwardAsync(x: Float32Array, options: PassOptions & Abortable): Promise<Float32Array> {
    const op = 'forwardAsync';
    this.#requireAlive(op);
    const { signal, rest } = takeSignal(op, options);
    const pass = this.#ready(op, x, rest as object, false, { signal });
    pass.cache?.lock();
    try {
      await pass.call.computeLater(pass.work, pass.then);
      return pass.result().out;
    } finally {
      pass.cache?.unlock();
    }
  }

  /**
   * One pass with everything one can look at.
   *
   * @param x as of {@link forward}
   * @param options as of {@link forward}
   * @returns `out` [batch, seqQ, modelDim] after W^O, `weights` [batch, heads, seqQ, seqK], `logSumExp` [batch, heads, seqQ]
   * @throws as {@link forward}
   */
  inspect(x: Float32Array, options: PassOptions): Inspection {
    return this.#pass('inspect', x, options, true);
  }

  /** Frees the weights. May be called twice. */
  dispose(): void {
    if (!this.#alive) return;
    this.#alive = false;
    for (const { matrix, bias } of Object.values(this.#projections)) {
      matrix.dispose();
      bias?.dispose();
    }
  }

  /** The same, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #pass(op: string, x: Float32Array, options: object, inspect: boolean): Inspection {
    this.#requireAlive(op);
    const { call, work, then, result } = this.#ready(op, x, options, inspect);
    call.compute(work, then);
    return result();
  }

  #ready(op: string, x: Float32Array, options: object, inspect: boolean, later?: Later): Pass {
    const runtime = this.#runtime;
    let cache: KVCache | undefined;
    const stateOf = (given: unknown): CacheState => (cache = KVCache.of(runtime, op, given)).stateOf();
    const problem = resolveForward(op, this.#layer, x, options, inspect, stateOf, new EngineDoor(runtime));
    // Again: reading the options may have run the user's code.
    this.#requireAlive(op);
    later?.signal?.throwIfAborted();
    return readyPass(runtime, op, this.#layer, this.#projections, x, problem, cache, inspect, later);
  }

  /** Packing the first weight may grow the memory, which would take away those that lie on it: those are copied. */
  #settled(weights: SeparateWeights): SeparateWeights {
    // No prototype: a bias that was not given must not be found on a polluted one.
    const settled = Object.create(null) as Record<string, Float32Array>;
    for (const [name, w] of Object.entries(weights as unknown as Record<string, Float32Array>)) {
      settled[name] = this.#runtime.owns(w.buffer) ? w.slice() : w;
    }
    return settled as unknown as SeparateWeights;
  }

  #requireAlive(op: string): void {
    this.#runtime.requireAlive(op);
    if (this.#alive) return;
    throw new StateError('ERR_DISPOSED', { op, problem: 'this layer has been disposed of' });
  }
}
