/**
 * A call of ONNX `Attention`, and what it is in heed. `toHeed` is docs/onnx.md as a program: every attribute and input to
 * the option that means the same.
 */
import type { Filled } from '../../src/checks/index.ts';
import type { AttentionOptions, AttentionShape, BroadcastShape } from '../../src/index.ts';
import { swapped } from '../problems.ts';
import type { Attributes } from './model.ts';

export interface Tensor<Data = Float32Array> {
  readonly dims: readonly number[];
  readonly data: Data;
}

/** Uint8Array is bool: what is not 0 may attend. Anything else is numbers that are added, bytes (Uint8ClampedArray) too. */
export type Mask = Tensor<Uint8Array | Uint8ClampedArray | Float32Array>;

export interface Call {
  readonly opset: number;
  readonly attributes: Attributes;
  readonly Q: Tensor;
  readonly K: Tensor;
  readonly V: Tensor;
  readonly attn_mask?: Mask | undefined;
  readonly past_key?: Tensor | undefined;
  readonly past_value?: Tensor | undefined;
  readonly nonpad_kv_seqlen?: readonly number[] | undefined;
}

/** All of a call's dimensions, by heed's names; seqK counts the past too. */
export type HeedOptions = AttentionOptions & Filled<AttentionShape>;

export interface HeedCall {
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly options: HeedOptions;
  /** heed's result as the operator's Y lies. */
  readonly toY: (out: Float32Array) => Float32Array;
  /** [batch, kvHeads, seqK, headDim] and [batch, kvHeads, seqK, valueDim] */
  readonly present_key: Float32Array;
  readonly present_value: Float32Array;
}

export function toHeed(call: Call): HeedCall {
  const { attributes, Q, K, V, past_key, past_value } = call;
  const flat = Q.dims.length === 3; // [batch, seq, heads · dim] is 'bshd', [batch, heads, seq, dim] is 'bhsd'
  const batch = Q.dims[0]!;
  const heads = flat ? attributes.q_num_heads! : Q.dims[1]!;
  const kvHeads = flat ? attributes.kv_num_heads! : K.dims[1]!;
  const [seqQ, incoming] = flat ? [Q.dims[1]!, K.dims[1]!] : [Q.dims[2]!, K.dims[2]!];
  const headDim = flat ? Q.dims[2]! / heads : Q.dims[3]!;
  const valueDim = flat ? V.dims[2]! / kvHeads : V.dims[3]!;
  const past = past_key?.dims[2] ?? 0;
  const seqK = past + incoming;

  // The past is [batch, kvHeads, seq, dim] whatever the layout of Q: beside it, 3D inputs are brought into that order.
  const bhsd = (x: Float32Array, hs: number, seq: number, dim: number): Float32Array =>
    flat ? swapped(x, batch, hs, seq, dim, 'bshd') : x;
  const append = (before: Tensor | undefined, x: Tensor, dim: number): Float32Array =>
    joined(before?.data, bhsd(x.data, kvHeads, incoming, dim), batch * kvHeads);
  const present_key = append(past_key, K, headDim);
  const present_value = append(past_value, V, valueDim);
  const layout = flat && past_key === undefined ? 'bshd' : 'bhsd';
  const turned = flat && layout === 'bhsd';

  const dims = { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, layout } as const;
  const { softcap = 0, scale, left_window_size = -1, right_window_size = -1 } = attributes;
  const side = (size: number): number => (size < 0 ? Infinity : size);
  return {
    q: turned ? bhsd(Q.data, heads, seqQ, headDim) : Q.data,
    k: layout === 'bshd' ? K.data : present_key,
    v: layout === 'bshd' ? V.data : present_value,
    options: {
      ...dims,
      causal: attributes.is_causal === 1,
      // Stated even where there is no past: heed's own default is seqK − seqQ, ONNX's is 0.
      queryOffset: call.nonpad_kv_seqlen?.map((length) => length - seqQ) ?? past,
      keyLengths: call.nonpad_kv_seqlen,
      window: [side(left_window_size), side(right_window_size)],
      scale,
      softcap: Math.max(0, softcap),
      ...(call.attn_mask && maskOf(call.attn_mask, seqK)),
    },
    toY: (out) => (turned ? swapped(out, batch, heads, seqQ, valueDim, 'bhsd') : out),
    present_key,
    present_value,
  };
}

/**
 * A mask of up to four dimensions, aligned at the last, as heed's mask (bool) or bias (numbers). A last dimension that is
 * shorter than the keys, 1 too, is filled up with "may not".
 */
function maskOf({ dims, data }: Mask, seqK: number): Pick<AttentionOptions, 'mask' | 'bias'> {
  const length = dims.at(-1)!;
  const rows = data.length / length;
  const shape = [1, 1, 1, ...dims.slice(0, -1), seqK].slice(-4) as unknown as BroadcastShape;
  const wide = <Wide extends Uint8Array | Float32Array>(filled: Wide): Wide => {
    for (let i = 0; i < rows; i++) filled.set(data.subarray(i * length, (i + 1) * length), i * seqK);
    return filled;
  };
  if (data instanceof Uint8Array) return { mask: { data: wide(new Uint8Array(rows * seqK)), shape } };
  return { bias: { data: wide(new Float32Array(rows * seqK).fill(-Infinity)), shape } };
}

/** Each of `count` rows of `before`, and behind it that of `after`. */
function joined(before: Float32Array | undefined, after: Float32Array, count: number): Float32Array {
  if (before === undefined) return after;
  const [a, b] = [before.length / count, after.length / count];
  const all = new Float32Array(before.length + after.length);
  for (let i = 0; i < count; i++) {
    all.set(before.subarray(i * a, (i + 1) * a), i * (a + b));
    all.set(after.subarray(i * b, (i + 1) * b), i * (a + b) + a);
  }
  return all;
}
