/** The layer: project, attend, concatenate, project. Splitting and concatenating heads moves no data. */
import { Call, type Slot } from './call.ts';
import type { Inspection } from './operations.ts';
import * as operations from './operations.ts';
import { defaultEngine, runtimeOf, type Engine } from './engine.ts';
import { StateError } from './errors.ts';
import { launchAttention } from './launch/attention.ts';
import { launchGemm, type GemmAddresses } from './launch/gemm.ts';
import type { Launch } from './launch/launch.ts';
import { resolveForward, resolveLayer } from './options/layer.ts';
import type { ForwardOptions, LayerDims, LayerOptions, SeparateWeights } from './options/layer.ts';
import type { AttentionProblem } from './options/attention.ts';
import type { Runtime } from './runtime.ts';
import { addressOf, type PackedMatrix, type Tensor, type Values } from './tensor.ts';

/** What a multi-head attention layer is made of. */
export interface MultiHeadAttentionOptions extends LayerOptions {
  /** The engine to run on. Default: the one that the plain functions use. */
  readonly engine?: Engine | undefined;
}

/** A linear map on the engine: packed weights and, where there is one, a bias. */
interface Projection {
  readonly matrix: PackedMatrix;
  readonly bias: Tensor | undefined;
}

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
  readonly #layer: LayerDims;
  readonly #runtime: Runtime;
  readonly #projections: Readonly<Record<'q' | 'k' | 'v' | 'o', Projection>>;
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
    this.#runtime = runtimeOf(op, engine === undefined ? defaultEngine(op) : engine);
    const { modelDim, contextDim, heads, kvHeads, headDim } = layer;
    const made: (PackedMatrix | Tensor)[] = [];
    const project = (w: Float32Array, K: number, N: number, b: Float32Array | undefined): Projection => {
      const matrix = operations.packMatrix(this.#runtime, op, w, { K, N, transposeB: transpose });
      made.push(matrix);
      const bias = b && operations.tensor(this.#runtime, op, [N], b);
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
  forward(x: Float32Array, options: ForwardOptions): Float32Array {
    return this.#pass('forward', x, options, false).out;
  }

  /**
   * One pass with everything one can look at.
   *
   * @param x as of {@link forward}
   * @param options as of {@link forward}
   * @returns `out` [batch, seqQ, modelDim] after W^O, `weights` [batch, heads, seqQ, seqK], `logSumExp` [batch, heads, seqQ]
   * @throws as {@link forward}
   */
  inspect(x: Float32Array, options: ForwardOptions): Inspection {
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

  [Symbol.dispose](): void {
    this.dispose();
  }

  #pass(op: string, x: Float32Array, options: ForwardOptions, inspect: boolean): Inspection {
    const runtime = this.#runtime;
    this.#requireAlive(op);
    const { modelDim, contextDim, heads, kvHeads, headDim } = this.#layer;
    const problem = resolveForward(op, this.#layer, x, options, inspect);
    // Again: reading the options may have run the user's code.
    this.#requireAlive(op);
    const { batch, seqQ, seqK } = problem;
    const attention: AttentionProblem = {
      ...{ tensors: false, packed: false, layout: 'bshd', heads, kvHeads, headDim, valueDim: headDim },
      ...problem,
      ...{ totalQ: batch * seqQ, totalK: batch * seqK, out: undefined, cache: undefined },
    };

    // Everything that the pass needs, at once: operands, intermediate results, and room for the largest launch.
    const call = new Call(runtime, op);
    const X = call.input('x', x);
    const C = problem.context ? call.input('context', problem.context) : X;
    const sides = operations.sidesOf(call, problem);
    const qBytes = 4 * batch * seqQ * heads * headDim;
    const kBytes = 4 * batch * seqK * kvHeads * headDim;
    const [Q, K, V, O] = [call.room(qBytes), call.room(kBytes), call.room(kBytes), call.room(qBytes)];
    const out = call.output('out', problem.out, [batch, seqQ, modelDim], false);
    const wantsSum = inspect || problem.logSumExp !== undefined;
    const sum = wantsSum
      ? call.output('logSumExp', problem.logSumExp?.value as Values | undefined, [batch, heads, seqQ], false)
      : undefined;
    const weights = inspect
      ? call.output('weights', undefined, [batch, heads, seqQ, seqK], false)
      : undefined;

    const width = heads * headDim;
    const steps = {
      q: this.#linear(op, batch * seqQ, modelDim, width),
      k: this.#linear(op, batch * seqK, contextDim, kvHeads * headDim),
      o: this.#linear(op, batch * seqQ, width, modelDim),
      attention: launchAttention(runtime, op, attention),
    };
    const room = call.room(Math.max(...Object.values(steps).map(({ bytes }) => bytes)));
    const { q, k, v, o } = this.#projections;
    const project = (step: Launch<GemmAddresses>, by: Projection, a: Slot, c: Slot): void => {
      const packed = addressOf(op, 'weights', by.matrix);
      const bias = by.bias ? addressOf(op, 'weights', by.bias) : 0;
      step.run({ a: a.address, b: 0, packed, c: c.address, bias }, room.address);
    };
    call.compute(() => {
      project(steps.q, q, X, Q);
      project(steps.k, k, C, K);
      project(steps.k, v, C, V);
      const addresses = {
        q: Q.address,
        k: K.address,
        v: V.address,
        out: O.address,
        logSumExp: sum?.address ?? 0,
        weights: weights?.address ?? 0,
        ...operations.addressesOf(sides),
      };
      steps.attention.run(addresses, room.address);
      project(steps.o, o, O, out);
    });
    return { out: out.result, weights: weights?.result, logSumExp: sum?.result } as Inspection;
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

  /** [M × K] · [K × N] with packed weights. */
  #linear(op: string, M: number, K: number, N: number): Launch<GemmAddresses> {
    const plain = { transposeA: false, transposeB: false, sharedB: true };
    return launchGemm(this.#runtime, op, { batch: 1, M, N, K, ...plain });
  }
}
