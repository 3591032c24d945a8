/**
 * The one table of cases that tests and benches share. A case knows its dimensions, its printed name and its FLOPs;
 * its inputs are seeded. A new option gets a row here before it gets a kernel.
 */
import type { AttentionCall, AttentionOptions, AttentionShape, MatmulOptions } from '../src/index.ts';
import type { AttentionPart, MergeShape, RopeOptions } from '../src/index.ts';
import type { Filled } from '../src/checks/index.ts';
import { normal, uniform } from './data.ts';

export interface AttentionCase<Options extends AttentionCall = AttentionCall> {
  readonly name: string;
  readonly options: Options;
  /** Standard deviation of the scores. Default 1. */
  readonly sigma?: number;
}

/** Sequences of one length, not packed. */
export type DenseCase = AttentionCase<AttentionShape & AttentionOptions>;

export interface MatmulCase<Options extends MatmulOptions = MatmulOptions> {
  readonly name: string;
  readonly options: Options;
  /** B is packed once, as a weight. */
  readonly packed?: boolean;
}

/** Shapes of real models: benches time these, tests run them too. In 'bshd', and no option but causal, as plain loops know it. */
export const realAttention: readonly AttentionCase<
  Omit<AttentionShape, 'layout'> & Pick<AttentionOptions, 'causal'>
>[] = [
  { name: 'BERT-base 128', options: { seqQ: 128, heads: 12, headDim: 64 } },
  { name: 'BERT-base 512', options: { seqQ: 512, heads: 12, headDim: 64 } },
  { name: 'ViT-B/16 197', options: { seqQ: 197, heads: 12, headDim: 64 } },
  { name: 'GPT-2 1024 causal', options: { seqQ: 1024, heads: 12, headDim: 64, causal: true } },
  { name: '12 × 64, S = 1024', options: { seqQ: 1024, heads: 12, headDim: 64 } },
  {
    name: 'LLaMA-style 32/8 × 128, 512 causal',
    options: { seqQ: 512, heads: 32, kvHeads: 8, headDim: 128, causal: true },
  },
  { name: 'Whisper-base cross 64 × 1500', options: { seqQ: 64, seqK: 1500, heads: 8, headDim: 64 } },
];

/** Shapes that find mistakes: tails, groups, cross-attention, layouts, masks, extremes. Small, for tests only. */
export const awkwardAttention: readonly AttentionCase[] = [
  { name: 'one query, one key', options: { seqQ: 1, headDim: 1 } },
  { name: 'textbook 3 × 2', options: { seqQ: 3, headDim: 2 } },
  { name: 'headDim 15, 8 heads', options: { seqQ: 33, heads: 8, headDim: 15 } },
  { name: 'headDim 1, valueDim 7', options: { seqQ: 9, headDim: 1, valueDim: 7 } },
  { name: 'valueDim 1', options: { seqQ: 9, headDim: 20, valueDim: 1, heads: 2 } },
  { name: 'headDim 130', options: { seqQ: 10, headDim: 130, valueDim: 131 } },
  { name: 'seqK one below a block', options: { seqQ: 17, seqK: 95, headDim: 12 } },
  { name: 'seqK one block', options: { seqQ: 17, seqK: 96, headDim: 12 } },
  { name: 'seqK one above a block', options: { seqQ: 17, seqK: 97, headDim: 12 } },
  { name: 'rows one above an item', options: { seqQ: 65, seqK: 40, headDim: 8 } },
  { name: 'many blocks', options: { seqQ: 5, seqK: 1500, headDim: 16 } },
  { name: 'cross-attention, few keys', options: { seqQ: 50, seqK: 3, heads: 3, headDim: 24, batch: 2 } },
  {
    name: 'groups 6/2, bhsd',
    options: { seqQ: 21, heads: 6, kvHeads: 2, headDim: 18, layout: 'bhsd', batch: 2 },
  },
  { name: 'groups 5/1', options: { seqQ: 30, heads: 5, kvHeads: 1, headDim: 32 } },
  { name: 'causal', options: { seqQ: 100, heads: 2, headDim: 20, causal: true } },
  { name: 'causal, seqQ < seqK', options: { seqQ: 40, seqK: 200, headDim: 20, causal: true } },
  { name: 'causal, seqQ > seqK', options: { seqQ: 90, seqK: 30, headDim: 20, causal: true } },
  { name: 'causal, top-left', options: { seqQ: 60, seqK: 99, headDim: 16, causal: true, queryOffset: 0 } },
  {
    name: 'causal groups, offset per batch',
    options: {
      batch: 3,
      ...{ seqQ: 37, seqK: 80, heads: 6, kvHeads: 3, headDim: 17 },
      ...{ causal: true, queryOffset: [-5, 10, 200] },
    },
  },
  { name: 'scale 0', options: { seqQ: 12, seqK: 64, headDim: 8, scale: 0 } },
  { name: 'scale negative', options: { seqQ: 12, seqK: 70, headDim: 8, scale: -0.7 } },
  { name: 'sigma 0.3', options: { seqQ: 40, seqK: 300, headDim: 64 }, sigma: 0.3 },
  { name: 'sigma 8', options: { seqQ: 40, seqK: 300, headDim: 64 }, sigma: 8 },
  { name: 'sigma 100', options: { seqQ: 40, seqK: 300, headDim: 64 }, sigma: 100 },
  { name: 'sigma 10⁴', options: { seqQ: 40, seqK: 300, headDim: 64 }, sigma: 1e4 },
];

/** Bytes of a mask, each 1 with the given chance. */
function bytes(length: number, seed: number, chance: number): Uint8Array {
  const next = uniform(seed);
  return Uint8Array.from({ length }, () => Number(next() < chance));
}

/** One of each option, and combinations. Small, for tests only. */
export const optionAttention: readonly AttentionCase[] = [
  { name: 'window, causal', options: { seqQ: 150, heads: 2, headDim: 16, causal: true, window: [20, 0] } },
  { name: 'window, both sides', options: { seqQ: 130, seqK: 333, headDim: 8, window: [30, 7] } },
  { name: 'window [0, 0]', options: { seqQ: 20, seqK: 120, headDim: 8, window: [0, 0] } },
  { name: 'window, one side open', options: { seqQ: 60, seqK: 200, headDim: 8, window: [Infinity, 3] } },
  {
    name: 'window, groups, offset per batch',
    options: {
      ...{ batch: 2, seqQ: 70, seqK: 300, heads: 6, kvHeads: 2, headDim: 12 },
      ...{ window: [50, 2], queryOffset: [-10, 100] },
    },
  },
  {
    name: 'mask, bare',
    options: { batch: 2, seqQ: 37, seqK: 205, heads: 3, headDim: 12, mask: bytes(37 * 205, 1, 0.6) },
  },
  {
    name: 'mask of padding',
    options: {
      ...{ batch: 3, seqQ: 20, seqK: 150, heads: 2, headDim: 8 },
      mask: {
        data: Uint8Array.from({ length: 450 }, (_, i) => Number(i % 150 < 40 + 50 * Math.floor(i / 150))),
        shape: [3, 1, 1, 150],
      },
    },
  },
  {
    name: 'mask, full, groups',
    options: {
      ...{ batch: 2, seqQ: 19, seqK: 99, heads: 4, kvHeads: 2, headDim: 8 },
      mask: { data: bytes(2 * 4 * 19 * 99, 2, 0.3), shape: [2, 4, 19, 99] },
    },
  },
  {
    name: 'mask of queries',
    options: {
      ...{ seqQ: 40, seqK: 100, heads: 2, headDim: 8 },
      mask: { data: bytes(80, 3, 0.5), shape: [1, 2, 40, 1] },
    },
  },
  {
    name: 'bias, bare, with −∞',
    options: {
      ...{ seqQ: 41, seqK: 207, heads: 2, headDim: 12 },
      bias: normal(41 * 207, 4, 2).map((x) => (x > 2 ? -Infinity : x)),
    },
  },
  {
    name: 'bias per head and key',
    options: {
      ...{ batch: 2, seqQ: 33, seqK: 98, heads: 6, kvHeads: 2, headDim: 12 },
      bias: { data: normal(6 * 98, 5), shape: [1, 6, 1, 98] },
    },
  },
  {
    name: 'bias per batch and query',
    options: {
      ...{ batch: 2, seqQ: 33, seqK: 98, heads: 2, headDim: 12 },
      bias: { data: normal(2 * 33, 6), shape: [2, 1, 33, 1] },
    },
  },
  { name: 'keyLengths', options: { batch: 4, seqQ: 20, seqK: 200, headDim: 8, keyLengths: [200, 0, 1, 97] } },
  {
    name: 'keyLengths, causal',
    options: {
      batch: 3,
      seqQ: 50,
      seqK: 200,
      heads: 2,
      headDim: 8,
      keyLengths: [200, 120, 30],
      causal: true,
    },
  },
  { name: 'softcap 2', options: { seqQ: 30, seqK: 200, headDim: 16, softcap: 2 }, sigma: 3 },
  {
    name: 'softcap 50, heads',
    options: { seqQ: 30, seqK: 200, heads: 3, headDim: 16, softcap: 50 },
    sigma: 30,
  },
  { name: 'softcap 10⁶', options: { seqQ: 30, seqK: 100, headDim: 16, softcap: 1e6 } },
  {
    name: 'alibi, causal',
    options: {
      ...{ seqQ: 130, heads: 4, kvHeads: 2, headDim: 16, causal: true },
      alibi: Float32Array.of(0.25, 0.0625, 2 ** -6, 2 ** -8),
    },
  },
  {
    name: 'alibi, both sides, offset',
    options: {
      seqQ: 20,
      seqK: 230,
      heads: 2,
      headDim: 16,
      alibi: Float32Array.of(0.5, -0.01),
      queryOffset: 90,
    },
  },
  {
    name: 'sinks',
    options: {
      seqQ: 30,
      seqK: 200,
      heads: 4,
      kvHeads: 2,
      headDim: 16,
      sinks: Float32Array.of(0, 3, -30, -Infinity),
    },
  },
  {
    name: 'sinks, and rows that see nothing else',
    options: { seqQ: 30, seqK: 9, heads: 2, headDim: 16, sinks: Float32Array.of(1, -2), causal: true },
  },
  {
    // 512 rows are an item: what is looked up by row is looked up in the second, too.
    name: 'options of rows, several items',
    options: {
      ...{ seqQ: 600, seqK: 12, heads: 2, kvHeads: 1, headDim: 4 },
      mask: { data: bytes(2 * 600, 11, 0.8), shape: [1, 2, 600, 1] },
      bias: { data: normal(2 * 600, 12), shape: [1, 2, 600, 1] },
      ...{ alibi: Float32Array.of(0.01, -0.02), sinks: Float32Array.of(0.5, -1) },
    },
  },
  {
    name: 'packed sequences',
    options: {
      cuSeqlensQ: Int32Array.of(0, 40, 40, 41, 140),
      heads: 4,
      kvHeads: 2,
      headDim: 12,
      causal: true,
    },
  },
  {
    name: 'packed, cross-attention, window, alibi, sinks',
    options: {
      ...{ cuSeqlensQ: Int32Array.of(0, 50, 53, 54), cuSeqlensK: Int32Array.of(0, 120, 120, 300) },
      ...{ heads: 2, headDim: 8, valueDim: 5, window: [60, 60] },
      ...{ alibi: Float32Array.of(0.1, 0.01), sinks: Float32Array.of(0.5, -1), softcap: 4 },
    },
  },
  {
    name: 'everything at once',
    options: {
      ...{ batch: 2, seqQ: 45, seqK: 260, heads: 6, kvHeads: 3, headDim: 15, valueDim: 9, layout: 'bhsd' },
      ...{ causal: true, queryOffset: [200, 30], window: [150, 4], keyLengths: [230, 260] },
      mask: { data: bytes(2 * 45 * 260, 7, 0.7), shape: [2, 1, 45, 260] },
      bias: { data: normal(6 * 45 * 260, 8), shape: [1, 6, 45, 260] },
      ...{ scale: -0.4, softcap: 3, alibi: normal(6, 9, 0.01), sinks: normal(6, 10) },
    },
  },
];

/** Matmuls of the benchmark. */
export const realMatmul: readonly MatmulCase<Pick<MatmulOptions, 'M' | 'N' | 'K'>>[] = [
  { name: '128³', options: { M: 128, N: 128, K: 128 } },
  { name: '512³', options: { M: 512, N: 512, K: 512 } },
  { name: '512³ packed weights', options: { M: 512, N: 512, K: 512 }, packed: true },
  { name: '1024³ packed weights', options: { M: 1024, N: 1024, K: 1024 }, packed: true },
  { name: 'BERT projection 128 × 768 × 768', options: { M: 128, N: 768, K: 768 }, packed: true },
  { name: 'BERT MLP 128 × 3072 × 768', options: { M: 128, N: 3072, K: 768 }, packed: true },
  { name: 'one row × 768 × 768', options: { M: 1, N: 768, K: 768 }, packed: true },
];

/** Matmuls that find mistakes. */
export const awkwardMatmul: readonly MatmulCase[] = [
  { name: '1 × 1 × 1', options: { M: 1, N: 1, K: 1 } },
  { name: 'K = 0', options: { M: 3, N: 5, K: 0, bias: normal(5, 1) } },
  { name: 'tails everywhere', options: { M: 13, N: 29, K: 31, bias: normal(29, 2) } },
  { name: 'K one above a block', options: { M: 7, N: 9, K: 257 } },
  { name: 'K of many blocks', options: { M: 5, N: 17, K: 1500 } },
  { name: 'rows one above an item', options: { M: 97, N: 24, K: 40 } },
  { name: 'columns one above an item', options: { M: 6, N: 513, K: 40, bias: normal(513, 3) } },
  { name: 'transposed A', options: { M: 23, N: 19, K: 300, transposeA: true } },
  { name: 'transposed B', options: { M: 23, N: 19, K: 300, transposeB: true, bias: normal(19, 4) } },
  { name: 'both transposed', options: { M: 23, N: 19, K: 300, transposeA: true, transposeB: true } },
  { name: 'one row', options: { M: 1, N: 77, K: 521, bias: normal(77, 5) } },
  { name: 'one row, transposed B', options: { M: 1, N: 77, K: 523, transposeB: true } },
  {
    name: 'one row, packed, K one above two blocks',
    options: { M: 1, N: 77, K: 513, bias: normal(77, 6) },
    packed: true,
  },
  { name: 'one column', options: { M: 77, N: 1, K: 521 } },
  { name: 'batch', options: { batch: 3, M: 10, N: 11, K: 12 } },
  { name: 'batch of rows, K one above a block', options: { batch: 4, M: 1, N: 11, K: 257 } },
];

/** All dimensions of a call. */
export type Sizes = Filled<Omit<AttentionShape, 'layout'>> & {
  /** Queries and keys of all sequences. */
  readonly totalQ: number;
  readonly totalK: number;
};

export function sizesOf(options: AttentionCall): Sizes {
  const { heads = 1, kvHeads = heads, headDim, valueDim = headDim } = options;
  const common = { heads, kvHeads, headDim, valueDim };
  if ('cuSeqlensQ' in options) {
    const { cuSeqlensQ, cuSeqlensK = cuSeqlensQ } = options;
    const [totalQ, totalK] = [cuSeqlensQ.at(-1)!, cuSeqlensK.at(-1)!];
    return { ...common, batch: cuSeqlensQ.length - 1, seqQ: totalQ, seqK: totalK, totalQ, totalK };
  }
  const { batch = 1, seqQ, seqK = seqQ } = options;
  return { ...common, batch, seqQ, seqK, totalQ: batch * seqQ, totalK: batch * seqK };
}

/** Floats of q, k and v: scores q·k·scale have standard deviation sigma. */
export function attentionInputs(
  { options, sigma = 1 }: Pick<AttentionCase, 'options' | 'sigma'>,
  seed = 1,
): [Float32Array, Float32Array, Float32Array] {
  const { heads, kvHeads, headDim, valueDim, totalQ, totalK } = sizesOf(options);
  return [
    normal(totalQ * heads * headDim, seed, sigma),
    normal(totalK * kvHeads * headDim, seed + 1),
    normal(totalK * kvHeads * valueDim, seed + 2),
  ];
}

/** Floats of a and b. */
export function matmulInputs({ options }: MatmulCase, seed = 1): [Float32Array, Float32Array] {
  const { batch = 1, M, N, K } = options;
  return [normal(batch * M * K, seed), normal(batch * K * N, seed + 1)];
}

/** Multiply-adds count two. Only pairs that causal and window let meet are counted; the softmax is not. */
export function attentionFlops({ options }: AttentionCase): number {
  const { batch, heads, seqQ, seqK, headDim, valueDim } = sizesOf(options);
  const { causal = false, window: [before, after] = [Infinity, Infinity], queryOffset } = options;
  const offset = typeof queryOffset === 'number' ? queryOffset : seqK - seqQ;
  let pairs = 0;
  for (let i = offset; i < offset + seqQ; i++) {
    const end = Math.min(seqK, i + 1 + (causal ? 0 : after));
    pairs += Math.max(0, end - Math.max(0, i - before));
  }
  return 2 * batch * heads * pairs * (headDim + valueDim);
}

export function matmulFlops({ options: { batch = 1, M, N, K } }: MatmulCase): number {
  return 2 * batch * M * N * K;
}

export interface RopeCase {
  readonly name: string;
  readonly options: RopeOptions;
}

/** Rotary position embeddings: those of models, then those that find mistakes. */
export const ropeCases: readonly RopeCase[] = [
  { name: 'LLaMA-2 32 × 128', options: { seq: 40, heads: 32, headDim: 128 } },
  { name: 'LLaMA-3 keys, 8 × 128', options: { seq: 40, heads: 8, headDim: 128, theta: 5e5, offset: 8000 } },
  { name: 'GPT-J', options: { seq: 20, heads: 16, headDim: 256, rotaryDim: 64, interleaved: true } },
  { name: 'GPT-NeoX', options: { seq: 20, heads: 8, headDim: 96, rotaryDim: 24 } },
  {
    name: 'linear scaling',
    options: { seq: 70, heads: 4, headDim: 64, scaling: 8, offset: 32000, layout: 'bhsd' },
  },
  { name: 'headDim 2', options: { seq: 9, heads: 3, headDim: 2 } },
  { name: 'headDim 7, three pairs', options: { seq: 9, heads: 3, headDim: 7, rotaryDim: 6 } },
  {
    name: 'five pairs of twelve',
    options: { seq: 9, heads: 2, headDim: 24, rotaryDim: 10, interleaved: true },
  },
  { name: 'one token', options: { seq: 1, heads: 5, headDim: 66, offset: 511 } },
  { name: 'tokens one above an item', options: { seq: 65, heads: 1, headDim: 18, layout: 'bhsd' } },
  {
    name: 'an offset per batch, negative too',
    options: { batch: 3, seq: 6, heads: 2, headDim: 20, offset: [-3, 0, 1e5], layout: 'bhsd' },
  },
  {
    name: 'positions out of order',
    options: {
      ...{ batch: 2, seq: 3, heads: 2, headDim: 12, interleaved: true },
      positions: Int32Array.of(7, 7, -1, 0, 131071, 2),
    },
  },
  { name: 'theta 1', options: { seq: 5, heads: 1, headDim: 16, theta: 1, offset: 100 } },
  { name: 'theta below 1', options: { seq: 5, heads: 1, headDim: 16, theta: 0.01, offset: 100 } },
  { name: 'theta 10³⁰⁰', options: { seq: 5, heads: 1, headDim: 40, theta: 1e300, offset: 77 } },
  { name: 'the last positions', options: { seq: 4, heads: 2, headDim: 128, offset: 2 ** 31 - 4 } },
  { name: 'the first positions', options: { seq: 4, heads: 2, headDim: 128, offset: -(2 ** 31) } },
];

export function ropeInput({ options }: RopeCase, seed = 1): Float32Array {
  const { batch = 1, seq, heads, headDim } = options;
  return normal(batch * seq * heads * headDim, seed);
}

export interface MergeCase {
  readonly name: string;
  readonly options: MergeShape;
  readonly parts: number;
  /** Standard deviation of logSumExp. Default 1. */
  readonly sigma?: number;
}

/** Merges: numbers of parts and rows, tails, parts that count for little. */
export const mergeCases: readonly MergeCase[] = [
  { name: 'one part', options: { seqQ: 5, heads: 2, valueDim: 7 }, parts: 1 },
  { name: 'two parts, 12 × 64', options: { seqQ: 33, heads: 12, valueDim: 64 }, parts: 2 },
  {
    name: 'five parts, bhsd',
    options: { batch: 2, seqQ: 6, heads: 3, valueDim: 18, layout: 'bhsd' },
    parts: 5,
  },
  { name: 'a hundred parts', options: { seqQ: 3, heads: 2, valueDim: 37 }, parts: 100 },
  { name: 'one number', options: { seqQ: 1, valueDim: 1 }, parts: 3 },
  { name: 'rows one above an item', options: { seqQ: 65, valueDim: 4 }, parts: 3 },
  { name: 'sigma 30', options: { seqQ: 40, heads: 2, valueDim: 16 }, parts: 4, sigma: 30 },
  { name: 'sigma 300', options: { seqQ: 40, heads: 2, valueDim: 16 }, parts: 4, sigma: 300 },
];

export function mergeInputs(
  { options, parts, sigma = 1 }: MergeCase,
  seed = 1,
): AttentionPart<Float32Array>[] {
  const { batch = 1, seqQ, heads = 1, valueDim } = options;
  const rows = batch * seqQ * heads;
  return Array.from({ length: parts }, (_, p) => ({
    out: normal(rows * valueDim, seed + 2 * p),
    logSumExp: normal(rows, seed + 2 * p + 1, sigma),
  }));
}
