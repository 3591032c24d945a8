/**
 * One pass of the layer: what it needs of memory, what is launched, and in which order. Splitting and concatenating heads moves no
 * data: a projection writes 'bshd', which is what attention reads.
 *
 *   Q = X·W^Q   K = C·W^K   V = C·W^V   → turned, where there is a rope → appended, where there is a cache → O = attention → O·W^O
 */
import { Owner } from './block.ts';
import { Call, type Later } from './call.ts';
import type { Slot } from './feed.ts';
import { tooLarge, type KVCache } from './kv-cache.ts';
import { launchAppend, SPECIAL, TOO_LARGE } from './launch/append.ts';
import { launchAttention } from './launch/attention.ts';
import { launchGemm, type GemmAddresses } from './launch/gemm.ts';
import type { Launch } from './launch/launch.ts';
import { launchRope, stridesOf, type RopeAddresses } from './launch/rope.ts';
import { sidesOf, workOf, type Inspection } from './operations/attention.ts';
import type { AttentionProblem } from './options/attention.ts';
import { layoutOf } from './options/cache.ts';
import type { ForwardProblem, LayerDims } from './options/layer.ts';
import type { Turn } from './options/rope.ts';
import type { Runtime } from './runtime.ts';
import type { PackedMatrix, Tensor, Values } from './tensor.ts';

/** A layer without its weights. */
export type Layer = LayerDims & { readonly rope: Turn | undefined };

/** A linear map on the engine: packed weights and, where there is one, a bias. */
export interface Projection {
  readonly matrix: PackedMatrix;
  readonly bias: Tensor | undefined;
}

export type Projections = Readonly<Record<'q' | 'k' | 'v' | 'o', Projection>>;

/** A pass that is checked and not computed yet. */
export interface Pass {
  readonly call: Call;
  readonly work: () => void;
  /** What depends on what the work has found. */
  readonly then: (() => void) | undefined;
  /** When it is computed. */
  readonly result: () => Inspection;
  readonly cache: KVCache | undefined;
}

/** A launch in its room. */
type Step<Addresses> = (addresses: Addresses) => void;

export function readyPass(
  runtime: Runtime,
  op: string,
  layer: Layer,
  projections: Projections,
  x: Float32Array,
  problem: ForwardProblem,
  cache: KVCache | undefined,
  inspect: boolean,
  later: Later | undefined,
): Pass {
  const { modelDim, contextDim, heads, kvHeads, headDim } = layer;
  const { batch, seqQ, seqK, positions } = problem;
  const width = heads * headDim;
  const kWidth = kvHeads * headDim;
  // With a cache only the keys of x are projected.
  const keys = cache ? seqQ : seqK;
  const held = cache?.addressesOf(op);
  const attention = attentionOf(layer, problem);
  const projected = 2 * batch * (seqQ * modelDim * width + keys * contextDim * kWidth);
  const call = new Call(runtime, op, projected + workOf(attention), later);
  if (cache) call.uses(Owner.blockOf(cache)!);

  const X = call.input('x', x, batch * seqQ * modelDim);
  const C = problem.context ? call.input('context', problem.context, batch * seqK * contextDim) : X;
  const sides = sidesOf(call, problem);
  const Q = call.room(4 * batch * seqQ * width);
  const K = call.room(4 * batch * keys * kWidth);
  const V = call.room(4 * batch * keys * kWidth);
  const O = call.room(4 * batch * seqQ * width);
  const out = call.output('out', problem.out, batch * seqQ * modelDim);
  const wantsSum = inspect || problem.logSumExp !== undefined;
  const sum = wantsSum
    ? call.output('logSumExp', problem.logSumExp?.value as Values | undefined, batch * heads * seqQ)
    : undefined;
  const weights = inspect ? call.output('weights', undefined, batch * heads * seqQ * seqK) : undefined;

  /** Each has room of its own, as for several threads all are written down before the first is run. */
  const step = <A>(launch: Launch<A>): Step<A> => {
    const room = call.room(launch.bytes);
    return (addresses) => {
      launch.run(addresses, room.address);
    };
  };
  /** [M × K] · [K × N] */
  const linear = (M: number, K: number, N: number): Step<GemmAddresses> => {
    const shape = { batch: 1, M, N, K, transposeA: false, transposeB: false, sharedB: true };
    return step(launchGemm(runtime, op, shape, call.threads));
  };
  /** Heads [batch, seq, count, headDim] turned in place, where the layer has a rope. */
  const turn = (seq: number, count: number): Step<RopeAddresses> | undefined => {
    if (layer.rope === undefined) return undefined;
    const strides = stridesOf('bshd', seq, count, headDim);
    const { theta, rotaryDim, interleaved, scaling } = layer.rope;
    const shape = { batch, seq, heads: count, headDim, positions, theta, rotaryDim, interleaved, scaling };
    return step(launchRope(runtime, op, shape, strides, strides, call.threads));
  };
  const project = (by: Step<GemmAddresses>, { matrix, bias }: Projection, a: Slot, c: Slot): (() => void) => {
    const packed = call.packed('weights', matrix);
    const b = bias && call.input('weights', bias, bias.size);
    return () => {
      by({ a: a.address, b: 0, packed: packed.address, c: c.address, bias: b?.address ?? 0 });
    };
  };
  const toKeys = linear(batch * keys, contextDim, kWidth);
  const projectQ = project(linear(batch * seqQ, modelDim, width), projections.q, X, Q);
  const projectK = project(toKeys, projections.k, C, K);
  const projectV = project(toKeys, projections.v, C, V);
  const projectO = project(linear(batch * seqQ, width, modelDim), projections.o, O, out);
  const turnQ = turn(seqQ, heads);
  const turnK = turn(keys, kvHeads);
  const attend = step(launchAttention(runtime, op, attention, call.threads, inspect));
  const append = problem.cache && launchAppend(runtime, op, problem.cache.state, problem.cache.append);
  const room = call.room(append?.bytes ?? 0);

  let found = 0;
  const first = (): void => {
    projectQ();
    projectK();
    projectV();
    turnQ?.({ x: Q.address, out: Q.address });
    turnK?.({ x: K.address, out: K.address });
    if (held) append?.check({ k: K.address, v: V.address, ...held }, room.address);
  };
  const second = (): void => {
    if (append && held && cache) {
      // All that can be refused is refused here, before the cache is written.
      found = append.found();
      if (found & TOO_LARGE) tooLarge(op);
      const putBack = append.save(held);
      const takeBack = cache.overwrite(problem.cache.append.counts);
      call.undo = () => {
        putBack();
        takeBack();
      };
      append.run({ k: K.address, v: V.address, ...held }, room.address);
    }
    attend({
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
    projectO();
  };
  // What a float16 cache is to hold is looked at when it has been computed.
  const looks = problem.cache?.state.dtype === 'f16';
  const work = looks
    ? first
    : (): void => {
        first();
        second();
      };
  const result = (): Inspection => {
    if (problem.cache) cache?.commit(problem.cache.append.counts, found);
    return { out: out.result, weights: weights?.result, logSumExp: sum?.result } as Inspection;
  };
  return { call, work, then: looks ? second : undefined, result, cache };
}

/** The attention in the middle. */
function attentionOf({ heads, kvHeads, headDim }: Layer, problem: ForwardProblem): AttentionProblem {
  const { batch, seqQ, seqK } = problem;
  return {
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
}
