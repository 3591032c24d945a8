/** Calls of attention, of arrays, of tensors and of packed sequences, with the options that there are. */
import type { Parts } from './parts.ts';
import { itemsOf, own, shapeOf, times, type Make, type Options } from './lengths.ts';

/** What decides a score, by bits 0 … 17. */
export function scores(parts: Parts, seqK: number, places: boolean, more: Options): Options {
  const { batch, heads, seqQ } = parts.dims;
  const given: (readonly [bit: number, name: string, value: () => unknown])[] = [
    [1, 'window', () => [parts.on(0) ? Infinity : parts.upTo(3), parts.upTo(2)]],
    [
      2,
      'mask',
      () =>
        parts.on(3) ? { data: parts.u8(batch, seqK), shape: [batch, 1, 1, seqK] } : parts.u8(seqQ, seqK),
    ],
    [
      4,
      'bias',
      () =>
        parts.on(5) ? { data: parts.f32(heads, seqQ), shape: [1, heads, seqQ, 1] } : parts.f32(seqQ, seqK),
    ],
    [6, 'scale', () => 0.5],
    [7, 'softcap', () => 3],
    [8, 'alibi', () => parts.f32(heads)],
    [9, 'sinks', () => parts.f32(heads)],
    [10, 'logSumExp', () => parts.f32(batch, heads, seqQ)],
    [11, 'layout', () => 'bhsd'],
  ];
  const list = (most: number): ArrayLike<number> => {
    const values = Array.from({ length: batch }, () => parts.upTo(most));
    return parts.on(15) ? parts.i32(...values) : values;
  };
  if (places) {
    given.push([12, 'causal', () => parts.on(0)]);
    given.push([13, 'queryOffset', () => (parts.on(0) ? parts.upTo(4) - 2 : list(4))]);
    given.push([14, 'keyLengths', () => list(seqK)]);
  }
  for (const [bit, name, value] of given) if (parts.on(bit) && more[name] === undefined) more[name] = value();
  return more;
}

function attentionLengths([q, k, v, o]: readonly unknown[], weights: boolean): number[] {
  const [Q, K, V] = [shapeOf(q), shapeOf(k), shapeOf(v)];
  const starts = own(o, 'cuSeqlensQ');
  const heads = [own(o, 'heads'), Q?.at(starts === undefined && own(o, 'layout') !== 'bhsd' ? 2 : 1), 1];
  const valueDim = [own(o, 'valueDim'), V?.at(-1), own(o, 'headDim')];
  if (starts !== undefined) return [times([itemsOf(starts).at(-1)], heads, valueDim)];
  const S = own(o, 'layout') === 'bhsd' ? 2 : 1;
  const [batch, seqQ] = [
    [own(o, 'batch'), Q?.[0], 1],
    [own(o, 'seqQ'), Q?.[S]],
  ];
  const out = times(batch, heads, seqQ, valueDim);
  if (!weights) return [out];
  const rows = times(batch, heads, seqQ);
  return [out, rows * times([own(o, 'seqK'), K?.[S], ...seqQ]), rows];
}

export function attention(self: (parts: Parts) => object, method: string, tensors?: boolean): Make {
  return (parts) => {
    const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim } = parts.dims;
    const weights = method === 'attentionWeights';
    const lengths = (args: readonly unknown[]): number[] => attentionLengths(args, weights);
    if (!weights && tensors === false && parts.on(19)) {
      const starts = { cuSeqlensQ: parts.i32(0, seqQ, 2 * seqQ), cuSeqlensK: parts.i32(0, seqK, 2 * seqK) };
      const o: Options = { ...starts, heads, kvHeads, headDim, valueDim };
      const args = [
        parts.f32(2 * seqQ, heads, headDim),
        parts.f32(2 * seqK, kvHeads, headDim),
        parts.f32(2 * seqK, kvHeads, valueDim),
        o,
      ];
      if (parts.on(16)) o['out'] = parts.f32(2 * seqQ, heads, valueDim);
      if (parts.on(12)) o['causal'] = true;
      return { self: self(parts), method, args, lengths };
    }
    const asTensors = tensors ?? parts.on(18);
    const o: Options = asTensors ? {} : { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim };
    scores(parts, seqK, true, o);
    const shape = (h: number, s: number, d: number): [number, number, number, number] =>
      o['layout'] === 'bhsd' ? [batch, h, s, d] : [batch, s, h, d];
    const make = (...sizes: number[]): unknown => (asTensors ? parts.tensor(...sizes) : parts.f32(...sizes));
    const args = [
      make(...shape(heads, seqQ, headDim)),
      make(...shape(kvHeads, seqK, headDim)),
      make(...shape(kvHeads, seqK, valueDim)),
      o,
    ];
    if (parts.on(16)) o['out'] = make(...shape(heads, seqQ, valueDim));
    return { self: self(parts), method, args, lengths };
  };
}
