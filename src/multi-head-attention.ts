/** The layer: project, attend, concatenate, project. Splitting and concatenating heads moves no data. */
import { Owner } from './block.ts';
import { Call, type Later, type Slot } from './call.ts';
import type { Inspection } from './operations.ts';
import * as operations from './operations.ts';
import { defaultEngine, runtimeOf, type Engine } from './engine.ts';
import { StateError } from './errors.ts';
import { KVCache, tooLarge } from './kv-cache.ts';
import { launchAppend, SPECIAL, TOO_LARGE, type AppendAddresses } from './launch/append.ts';
import { launchAttention } from './launch/attention.ts';
import { launchGemm, type GemmAddresses } from './launch/gemm.ts';
import type { Launch } from './launch/launch.ts';
import { launchRope, stridesOf, type RopeAddresses } from './launch/rope.ts';
import type { AttentionProblem } from './options/attention.ts';
import { layoutOf, type CacheState } from './options/cache.ts';
import { resolveForward, resolveLayer } from './options/layer.ts';
import type { CachedForwardOptions, ForwardOptions, LayerDims } from './options/layer.ts';
import type { LayerOptions, SeparateWeights } from './options/layer.ts';
import type { Turn } from './options/rope.ts';
import { ALL, type Runtime } from './runtime.ts';
import { takeSignal, type Abortable } from './options/signal.ts';
import { EngineDoor, type PackedMatrix, type SideInputs, type Tensor, type Values } from './tensor.ts';

/** What a multi-head attention layer is made of. */
export interface MultiHeadAttentionOptions extends LayerOptions {
  /** The engine to run on. Default: the one that the plain functions use. */
  readonly engine?: Engine | undefined;
}

/** What one pass takes, side inputs as arrays or tensors of the layer's engine. */
export type PassOptions =
  | (Omit<ForwardOptions, keyof SideInputs> & SideInputs)
  | (Omit<CachedForwardOptions<KVCache>, keyof SideInputs> & SideInputs);

/** A linear map on the engine: packed weights and, where there is one, a bias. */
interface Projection {
  readonly matrix: PackedMatrix;
  readonly bias: Tensor | undefined;
}

/** A part of a pass, and its room. */
interface Step<L> {
  readonly launch: L;
  readonly room: Slot;
}

/** A pass that is checked and not computed yet. */
interface Pass {
  readonly call: Call;
  readonly work: () => void;
  readonly then: (() => void) | undefined;
  readonly cache: KVCache | undefined;
  readonly result: () => Inspection;
}

const PLAIN_MATRICES = { transposeA: false, transposeB: false, sharedB: true };

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
  readonly #layer: LayerDims & { readonly rope: Turn | undefined };
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
    this.#runtime = runtimeOf(op, engine === undefined ? defaultEngine(op) : engine).ready(op, ALL);
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
    signal?.throwIfAborted();
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
    const { modelDim, contextDim, heads, kvHeads, headDim } = this.#layer;
    let cache: KVCache | undefined;
    const stateOf = (given: unknown): CacheState => (cache = KVCache.of(runtime, op, given)).stateOf();
    const problem = resolveForward(op, this.#layer, x, options, inspect, stateOf, new EngineDoor(runtime));
    // Again: reading the options may have run the user's code.
    this.#requireAlive(op);
    const held = cache?.addressesOf(op);
    const { batch, seqQ, seqK, positions } = problem;
    const attention: AttentionProblem = {
      tensors: false,
      packed: false,
      batch,
      heads,
      kvHeads,
      seqQ,
      seqK,
      headDim,
      valueDim: headDim,
      totalQ: batch * seqQ,
      totalK: batch * seqK,
      layout: 'bshd',
      scale: problem.scale,
      softcap: problem.softcap,
      before: problem.before,
      after: problem.after,
      mask: problem.mask,
      bias: problem.bias,
      alibi: problem.alibi,
      sinks: problem.sinks,
      logSumExp: problem.logSumExp,
      sequence: problem.sequence,
      cache: problem.cache && layoutOf(problem.cache.state),
    };

    // Everything that the pass needs, at once: operands, intermediate results, and room for the largest launch.
    const width = heads * headDim;
    // With a cache only the keys of x are projected.
    const keys = cache ? seqQ : seqK;
    const projected = batch * (2 * seqQ * modelDim * width + 2 * keys * contextDim * kvHeads * headDim);
    const call = new Call(runtime, op, projected + operations.workOf(attention), later);
    if (cache) call.hold(Owner.blockOf(cache)!);
    const X = call.input('x', x, batch * seqQ * modelDim);
    const C = problem.context ? call.input('context', problem.context, batch * seqK * contextDim) : X;
    const sides = operations.sidesOf(call, problem);
    const qBytes = 4 * batch * seqQ * heads * headDim;
    const kBytes = 4 * batch * keys * kvHeads * headDim;
    const Q = call.room(qBytes);
    const K = call.room(kBytes);
    const V = call.room(kBytes);
    const O = call.room(qBytes);
    const out = call.output('out', problem.out, batch * seqQ * modelDim);
    const wantsSum = inspect || problem.logSumExp !== undefined;
    const sum = wantsSum
      ? call.output('logSumExp', problem.logSumExp?.value as Values | undefined, batch * heads * seqQ)
      : undefined;
    const weights = inspect ? call.output('weights', undefined, batch * heads * seqQ * seqK) : undefined;

    const { threads } = call;
    /** Each step has room of its own, as all of them are written down before the first is run. */
    const step = <L extends { readonly bytes: number }>(launch: L): Step<L> => {
      return { launch, room: call.room(launch.bytes) };
    };
    const linear = (M: number, K: number, N: number): Step<Launch<GemmAddresses>> => {
      return step(launchGemm(runtime, op, { batch: 1, M, N, K, ...PLAIN_MATRICES }, threads));
    };
    const turn = (seq: number, count: number): Step<Launch<RopeAddresses>> | undefined => {
      const launch = this.#turn(op, batch, seq, count, positions, threads);
      return launch && step(launch);
    };
    const toQ = linear(batch * seqQ, modelDim, width);
    const toKeys = linear(batch * keys, contextDim, kvHeads * headDim);
    const toOut = linear(batch * seqQ, width, modelDim);
    const turnQ = turn(seqQ, heads);
    const turnK = turn(keys, kvHeads);
    const append =
      problem.cache && step(launchAppend(runtime, op, problem.cache.state, problem.cache.append));
    const attend = step(launchAttention(runtime, op, attention, threads, inspect));
    const run = <A>({ launch, room }: Step<Launch<A>>, addresses: A): void => {
      launch.run(addresses, room.address);
    };
    const weightsOf = ({ matrix, bias }: Projection): { packed: Slot; bias: Slot } => ({
      packed: call.packed('weights', matrix),
      bias: bias ? call.input('weights', bias, bias.size) : { address: 0 },
    });
    const [byQ, byK, byV, byO] = (['q', 'k', 'v', 'o'] as const).map((name) =>
      weightsOf(this.#projections[name]),
    );
    const project = (
      by: Step<Launch<GemmAddresses>>,
      { packed, bias }: { packed: Slot; bias: Slot },
      a: Slot,
      c: Slot,
    ): void => {
      run(by, { a: a.address, b: 0, packed: packed.address, c: c.address, bias: bias.address });
    };
    /** Of a cache. */
    const written = (): AppendAddresses => ({ k: K.address, v: V.address, ...held! });
    const first = (): void => {
      project(toQ, byQ!, X, Q);
      project(toKeys, byK!, C, K);
      project(toKeys, byV!, C, V);
      if (turnQ) run(turnQ, { x: Q.address, out: Q.address });
      if (turnK) run(turnK, { x: K.address, out: K.address });
      append?.launch.check(written(), append.room.address);
    };
    let found = 0;
    const second = (): void => {
      if (append) {
        // All that can be refused is refused here, before the cache is written.
        found = append.launch.found();
        if (found & TOO_LARGE) tooLarge(op);
        append.launch.run(written(), append.room.address);
      }
      run(attend, {
        q: Q.address,
        k: held?.keys ?? K.address,
        v: held?.values ?? V.address,
        out: O.address,
        logSumExp: sum?.address ?? 0,
        weights: weights?.address ?? 0,
        mask: sides.mask.address,
        bias: sides.bias.address,
        alibi: sides.alibi.address,
        sinks: sides.sinks.address,
        special: (found & SPECIAL) !== 0,
      });
      project(toOut, byO!, O, out);
    };
    // What a float16 cache is to hold is looked at when it is there.
    const looks = cache !== undefined && problem.cache?.state.dtype === 'f16';
    const work = (): void => {
      first();
      if (!looks) second();
    };
    const result = (): Inspection => {
      if (cache && problem.cache) cache.commit(problem.cache.append.counts, found);
      return { out: out.result, weights: weights?.result, logSumExp: sum?.result } as Inspection;
    };
    return { call, work, then: looks ? second : undefined, cache, result };
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

  /** Heads [batch, seq, count, headDim] turned in place, where the layer has a rope. */
  #turn(
    op: string,
    batch: number,
    seq: number,
    heads: number,
    positions: Int32Array,
    threads: number,
  ): Launch<RopeAddresses> | undefined {
    const { headDim, rope } = this.#layer;
    if (rope === undefined) return undefined;
    const strides = stridesOf('bshd', seq, heads, headDim);
    const { theta, rotaryDim, interleaved, scaling } = rope;
    const shape = { batch, seq, heads, headDim, positions, theta, rotaryDim, interleaved, scaling };
    return launchRope(this.#runtime, op, shape, strides, strides, threads);
  }
}
