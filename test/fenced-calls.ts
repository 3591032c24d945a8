/** Calls of every operation for the fences (test/fences.ts): operands are tensors, each in a buffer of its own, where they can be. */
import type { AttentionOptions, KVCacheOptions } from '../src/index.ts';
import type { SideInputs, Values } from '../src/tensor.ts';
import { attentionInputs, matmulInputs, mergeInputs, ropeInput, sizesOf } from './cases.ts';
import type { AttentionCase, MatmulCase, MergeCase, RopeCase } from './cases.ts';
import { normal } from './data.ts';
import type { Fenced, FencedCall } from './fences.ts';

function copies(...results: readonly Values[]): Float32Array[] {
  return results.map((each) => (each instanceof Float32Array ? each : each.data).slice());
}

/** Dimensions in a layout. */
function shapeOf(
  layout: string | undefined,
  batch: number,
  seq: number,
  heads: number,
  dim: number,
): number[] {
  return layout === 'bhsd' ? [batch, heads, seq, dim] : [batch, seq, heads, dim];
}

/** Attention with a logSumExp; with `inspects` its weights, too. */
export function attentionCall(given: Pick<AttentionCase, 'options' | 'sigma'>, inspects = true): FencedCall {
  const { options } = given;
  const [Q, K, V] = attentionInputs(given);
  const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, totalQ, totalK } = sizesOf(options);
  const packed = 'cuSeqlensQ' in options;
  const shape = (seq: number, total: number, hs: number, dim: number): number[] =>
    packed ? [total, hs, dim] : shapeOf(options.layout, batch, seq, hs, dim);
  return (fenced) => {
    const { engine } = fenced;
    const q = fenced.tensor('q', shape(seqQ, totalQ, heads, headDim), Q);
    const k = fenced.tensor('k', shape(seqK, totalK, kvHeads, headDim), K);
    const v = fenced.tensor('v', shape(seqK, totalK, kvHeads, valueDim), V);
    const out = fenced.tensor('out', shape(seqQ, totalQ, heads, valueDim));
    const logSumExp = fenced.tensor('logSumExp', packed ? [heads, totalQ] : [batch, heads, seqQ]);
    const call = { ...options, ...sides(fenced, options, heads, [1, 1, seqQ, seqK]), out: undefined };
    engine.attention(q, k, v, { ...call, out, logSumExp });
    if (packed || !inspects) return copies(out, logSumExp);
    const looks = engine.attentionWeights(q, k, v, call);
    return copies(out, logSumExp, looks.out, looks.weights, looks.logSumExp);
  };
}

/** Side inputs that are floats, as tensors. */
function sides(
  fenced: Fenced,
  { mask, bias, alibi, sinks }: AttentionOptions,
  heads: number,
  bare: readonly number[],
): SideInputs {
  if (mask !== undefined) fenced.maskBytes = mask instanceof Uint8Array ? mask.length : mask.data.length;
  const [data, shape] =
    bias === undefined || bias instanceof Float32Array ? [bias, bare] : [bias.data, bias.shape];
  return {
    ...(data && { bias: fenced.tensor('bias', shape, data) }),
    ...(alibi && { alibi: fenced.tensor('alibi', [heads], alibi) }),
    ...(sinks && { sinks: fenced.tensor('sinks', [heads], sinks) }),
  };
}

/** The same of arrays, which are staged: one buffer for all of them. */
export function stagedCall(given: Pick<AttentionCase, 'options' | 'sigma'>): FencedCall {
  const [q, k, v] = attentionInputs(given);
  return ({ engine }) => {
    const { options } = given;
    return [engine.attention(q, k, v, options)];
  };
}

/** A·B + bias, of a B that is packed before, too. */
export function matmulCall(given: MatmulCase): FencedCall {
  const { batch = 1, M, N, K, transposeA, transposeB, bias } = given.options;
  const [A, B] = matmulInputs(given);
  return (fenced) => {
    const { engine } = fenced;
    const a = fenced.tensor('a', transposeA ? [batch, K, M] : [batch, M, K], A);
    const b = fenced.tensor('b', [...(given.packed ? [] : [batch]), ...(transposeB ? [N, K] : [K, N])], B);
    const c = fenced.tensor('c', [batch, M, N]);
    const call = {
      ...(transposeA && { transposeA }),
      ...(bias && { bias: fenced.tensor('bias', [N], bias) }),
      out: c,
    };
    if (given.packed) engine.matmul(a, engine.packMatrix(b, { K, N, transposeB }), call);
    else engine.matmul(a, b, { ...call, transposeB });
    return copies(c);
  };
}

export function ropeCall(given: RopeCase): FencedCall {
  const { batch = 1, seq, heads, headDim, layout } = given.options;
  const input = ropeInput(given);
  const shape = shapeOf(layout, batch, seq, heads, headDim);
  return (fenced) => {
    const x = fenced.tensor('x', shape, input);
    const out = fenced.tensor('out', shape);
    fenced.engine.rope(x, { ...given.options, out });
    // And in place.
    return copies(out, fenced.engine.rope(x, { ...given.options, out: x }));
  };
}

export function mergeCall(given: MergeCase): FencedCall {
  const { batch = 1, seqQ, heads = 1, valueDim, layout } = given.options;
  const inputs = mergeInputs(given);
  return (fenced) => {
    const parts = inputs.map((part) => ({
      out: fenced.tensor('part', shapeOf(layout, batch, seqQ, heads, valueDim), part.out),
      logSumExp: fenced.tensor('logSumExp of a part', [batch, heads, seqQ], part.logSumExp),
    }));
    const { out, logSumExp } = fenced.engine.mergeAttention(parts, given.options);
    return copies(out, logSumExp);
  };
}

export interface CacheCase {
  readonly cache: KVCacheOptions;
  readonly heads: number;
  /** Tokens that are appended, one call after the other, each followed by the last `seqQ` of them that attend. */
  readonly appends: readonly number[];
  readonly seqQ: number;
}

/** Appends and attends, until the cache is full; a ring goes round. */
export function cacheCall({ cache: options, heads, appends, seqQ }: CacheCase): FencedCall {
  const { batch = 1, kvHeads, headDim, valueDim = headDim, dtype, ring = false } = options;
  const steps = appends.map((tokens, i) => ({
    k: normal(batch * tokens * kvHeads * headDim, 3 * i + 1),
    v: normal(batch * tokens * kvHeads * valueDim, 3 * i + 2),
    q: normal(batch * seqQ * heads * headDim, 3 * i + 3),
  }));
  return (fenced) => {
    fenced.grain = dtype === 'f16' ? 2 : 4;
    const cache = fenced.engine.kvCache(options);
    const window = ring ? ([cache.capacity - seqQ, 0] as const) : undefined;
    return steps.map(({ k, v, q }) => {
      cache.append(k, v);
      return cache.attend(q, { heads, seqQ, window });
    });
  };
}
