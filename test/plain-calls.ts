/** Calls of a library's plain functions, by what they run. */
import { f32 } from './data.ts';

export type Library = typeof import('../src/index.ts');

export type Plain = 'prefill' | 'decoding' | 'packed' | 'weights' | 'matmul' | 'rope' | 'merge' | 'layer';

export const calls: Readonly<Record<Plain, (library: Library) => unknown>> = {
  prefill: ({ attention }: Library) => attention(f32(20), f32(20), f32(20), { seqQ: 5, headDim: 4 }),
  decoding: ({ attention }: Library) => attention(f32(8), f32(20), f32(20), { seqQ: 2, seqK: 5, headDim: 4 }),
  packed: ({ attention }: Library) =>
    attention(f32(28), f32(28), f32(28), { cuSeqlensQ: Int32Array.of(0, 5, 7), headDim: 4 }),
  weights: ({ attentionWeights }: Library) =>
    attentionWeights(f32(8), f32(8), f32(8), { seqQ: 2, headDim: 4 }),
  matmul: ({ matmul }: Library) => matmul(f32(4), f32(4), { M: 2, N: 2, K: 2 }),
  rope: ({ rope }: Library) => rope(f32(8), { seq: 2, heads: 1, headDim: 4 }),
  merge: ({ mergeAttention }: Library) =>
    mergeAttention([{ out: f32(4), logSumExp: f32(2) }], { seqQ: 2, valueDim: 2 }),
  layer({ MultiHeadAttention }: Library) {
    const weights = { wq: f32(4), wk: f32(4), wv: f32(4), wo: f32(4) };
    const layer = new MultiHeadAttention({ modelDim: 2, heads: 1, weights });
    const out = layer.forward(f32(4), { seqQ: 2 });
    layer.dispose();
    return out;
  },
};
