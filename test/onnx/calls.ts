/** Calls of ONNX `Attention` that onnxruntime-web takes: a table of what there is, and random ones. */
import fc from 'fast-check';
import { normal, uniform } from '../data.ts';
import type { Call, Mask, Tensor } from './call.ts';
import type { Attributes } from './model.ts';

/** How to make a call, small enough to print. */
export interface Recipe {
  readonly rank?: 3 | 4;
  readonly opset?: number;
  readonly batch?: number;
  readonly kvHeads?: number;
  /** Query heads per key head. */
  readonly group?: number;
  readonly seqQ?: number;
  /** Incoming keys; the past is beside them. */
  readonly seqK?: number;
  readonly past?: number | undefined;
  readonly headDim?: number;
  readonly valueDim?: number;
  readonly nonpad?: readonly number[] | undefined;
  readonly mask?: MaskRecipe | undefined;
  /** All others than the numbers of heads. */
  readonly attributes?: Attributes;
  /** Standard deviation of the scores. */
  readonly sigma?: number;
  readonly seed?: number;
}

export interface MaskRecipe {
  readonly kind: 'bool' | 'float' | 'float with −∞';
  /** Its dimensions; the leading ones that are not full are 1. */
  readonly rank: 2 | 3 | 4;
  readonly perHead?: boolean;
  readonly perBatch?: boolean;
  /** Share of the keys that may be seen. */
  readonly open?: number;
}

export function make(recipe: Recipe): Call {
  const {
    rank = 4,
    batch = 1,
    kvHeads = 1,
    group = 1,
    seqQ = 5,
    past,
    headDim = 8,
    sigma = 1,
    seed = 1,
  } = recipe;
  const { seqK = seqQ, valueDim = headDim, nonpad, mask, attributes = {} } = recipe;
  const heads = kvHeads * group;
  const tensor = (hs: number, seq: number, dim: number, n: number, deviation = 1): Tensor => ({
    dims: rank === 3 ? [batch, seq, hs * dim] : [batch, hs, seq, dim],
    data: normal(batch * hs * seq * dim, seed + n, deviation),
  });
  const before = (dim: number, n: number): Tensor | undefined =>
    past === undefined
      ? undefined
      : { dims: [batch, kvHeads, past, dim], data: normal(batch * kvHeads * past * dim, seed + n) };
  return {
    opset: recipe.opset ?? (nonpad ? 24 : 23),
    attributes: { ...attributes, ...(rank === 3 ? { q_num_heads: heads, kv_num_heads: kvHeads } : {}) },
    Q: tensor(heads, seqQ, headDim, 0, sigma),
    K: tensor(kvHeads, seqK, headDim, 1),
    V: tensor(kvHeads, seqK, valueDim, 2),
    attn_mask: mask && maskOf(mask, [batch, heads, seqQ, (past ?? 0) + seqK], seed + 3),
    past_key: before(headDim, 4),
    past_value: before(valueDim, 5),
    nonpad_kv_seqlen: nonpad,
  };
}

function maskOf(recipe: MaskRecipe, full: readonly number[], seed: number): Mask {
  const { kind, rank, perHead = false, perBatch = false, open = 0.6 } = recipe;
  const [batch, heads, ...inner] = full;
  const dims = [perBatch ? batch! : 1, perHead ? heads! : 1, ...inner].slice(-rank);
  const length = dims.reduce((product, size) => product * size, 1);
  const next = uniform(seed);
  if (kind === 'bool') return { dims, data: Uint8Array.from({ length }, () => Number(next() < open)) };
  const data = normal(length, seed + 1, 2);
  return { dims, data: kind === 'float' ? data : data.map((x) => (next() < open ? x : -Infinity)) };
}

/** What there is, one by one. */
export const table: readonly (readonly [name: string, recipe: Recipe])[] = [
  ['4D', { batch: 2, kvHeads: 3, seqQ: 7, headDim: 8 }],
  ['3D', { rank: 3, batch: 2, kvHeads: 3, seqQ: 7, headDim: 8 }],
  ['cross-attention', { kvHeads: 2, seqQ: 4, seqK: 33 }],
  ['another size of value', { batch: 2, kvHeads: 2, seqQ: 4, seqK: 9, headDim: 8, valueDim: 11 }],
  ['another size of value, 3D', { rank: 3, batch: 2, kvHeads: 2, seqQ: 4, seqK: 9, headDim: 8, valueDim: 3 }],
  ['odd sizes', { batch: 1, kvHeads: 1, seqQ: 3, seqK: 97, headDim: 15, valueDim: 1 }],
  ['many keys, a large head', { seqQ: 3, seqK: 300, headDim: 130 }],
  ['groups 6/2', { batch: 2, kvHeads: 2, group: 3, seqQ: 5, seqK: 12 }],
  ['groups 6/2, 3D', { rank: 3, batch: 2, kvHeads: 2, group: 3, seqQ: 5, seqK: 12 }],
  ['one key head for all', { kvHeads: 1, group: 4, seqQ: 5, seqK: 12 }],
  ['scale', { seqQ: 5, attributes: { scale: Math.fround(0.3) } }],
  ['scale, small', { seqQ: 5, attributes: { scale: 2 ** -20 } }],
  ['softcap 2', { kvHeads: 2, seqQ: 6, seqK: 40, sigma: 3, attributes: { softcap: 2 } }],
  ['softcap 50', { kvHeads: 2, seqQ: 6, seqK: 40, sigma: 30, attributes: { softcap: 50 } }],
  ['softcap, bool mask', { seqQ: 6, seqK: 20, mask: { kind: 'bool', rank: 2 }, attributes: { softcap: 1 } }],
  ['softcap, −∞ in the mask', { mask: { kind: 'float with −∞', rank: 2 }, attributes: { softcap: 1 } }],
  ['causal, square', { kvHeads: 2, seqQ: 9, attributes: { is_causal: 1 } }],
  ['causal, square, 3D', { rank: 3, kvHeads: 2, seqQ: 9, attributes: { is_causal: 1 } }],
  ['causal, more keys than queries: top-left', { seqQ: 4, seqK: 9, attributes: { is_causal: 1 } }],
  ['causal, one query, many keys: top-left', { seqQ: 1, seqK: 9, attributes: { is_causal: 1 } }],
  ['causal, fewer keys than queries: top-left', { seqQ: 9, seqK: 4, attributes: { is_causal: 1 } }],
  ['bool mask, 2D', { batch: 2, kvHeads: 2, seqQ: 6, seqK: 11, mask: { kind: 'bool', rank: 2 } }],
  ['bool mask, 3D of heads', { batch: 2, kvHeads: 3, mask: { kind: 'bool', rank: 3, perHead: true } }],
  ['bool mask, 4D of batches', { batch: 3, kvHeads: 2, mask: { kind: 'bool', rank: 4, perBatch: true } }],
  ['bool mask, 4D of heads', { batch: 3, kvHeads: 2, mask: { kind: 'bool', rank: 4, perHead: true } }],
  [
    'bool mask, 4D, full, groups',
    { batch: 2, kvHeads: 2, group: 2, mask: { kind: 'bool', rank: 4, perBatch: true, perHead: true } },
  ],
  ['bool mask, causal', { seqQ: 9, mask: { kind: 'bool', rank: 2 }, attributes: { is_causal: 1 } }],
  [
    'bool mask, rows that see nothing',
    { batch: 2, seqQ: 12, seqK: 3, mask: { kind: 'bool', rank: 2, open: 0.3 } },
  ],
  ['float mask, 2D', { kvHeads: 2, seqQ: 6, seqK: 11, mask: { kind: 'float', rank: 2 } }],
  ['float mask, 3D of heads', { batch: 2, kvHeads: 3, mask: { kind: 'float', rank: 3, perHead: true } }],
  [
    'float mask, 4D, full',
    { batch: 2, kvHeads: 2, mask: { kind: 'float', rank: 4, perBatch: true, perHead: true } },
  ],
  ['float mask, −∞', { batch: 2, seqQ: 9, seqK: 14, mask: { kind: 'float with −∞', rank: 2 } }],
  ['float mask, rows of −∞', { seqQ: 12, seqK: 3, mask: { kind: 'float with −∞', rank: 2, open: 0.3 } }],
  ['float mask, causal', { seqQ: 9, mask: { kind: 'float', rank: 2 }, attributes: { is_causal: 1 } }],
  ['past', { batch: 2, kvHeads: 2, seqQ: 3, past: 7 }],
  ['past, causal', { batch: 2, kvHeads: 2, seqQ: 3, past: 7, attributes: { is_causal: 1 } }],
  ['past, causal, 3D', { rank: 3, batch: 2, kvHeads: 2, seqQ: 3, past: 7, attributes: { is_causal: 1 } }],
  ['past of nothing', { kvHeads: 2, seqQ: 3, past: 0, attributes: { is_causal: 1 } }],
  [
    'past, groups, another size of value',
    { kvHeads: 2, group: 3, seqQ: 3, past: 20, headDim: 9, valueDim: 5 },
  ],
  ['past, one query', { batch: 2, kvHeads: 2, seqQ: 1, past: 40, attributes: { is_causal: 1 } }],
  [
    'past, one query, 3D, groups',
    { rank: 3, kvHeads: 2, group: 4, seqQ: 1, past: 40, attributes: { is_causal: 1 } },
  ],
  ['past, bool mask', { kvHeads: 2, seqQ: 3, past: 7, mask: { kind: 'bool', rank: 4 } }],
  [
    'past, float mask, causal, softcap',
    { seqQ: 3, past: 7, mask: { kind: 'float', rank: 2 }, attributes: { is_causal: 1, softcap: 3 } },
  ],
  ['lengths', { batch: 3, kvHeads: 2, seqQ: 3, seqK: 12, nonpad: [12, 1, 5] }],
  ['lengths, one of 0', { batch: 2, seqQ: 3, seqK: 12, nonpad: [0, 7] }],
  ['lengths, 3D, groups', { rank: 3, batch: 2, kvHeads: 2, group: 2, seqQ: 3, seqK: 12, nonpad: [4, 7] }],
  ['lengths, causal', { batch: 3, seqQ: 3, seqK: 12, nonpad: [12, 3, 5], attributes: { is_causal: 1 } }],
  [
    'lengths, causal, one query',
    { batch: 2, seqQ: 1, seqK: 12, nonpad: [12, 3], attributes: { is_causal: 1 } },
  ],
  [
    'lengths below the queries, causal',
    { batch: 2, seqQ: 5, seqK: 12, nonpad: [2, 0], attributes: { is_causal: 1 } },
  ],
  [
    'lengths, mask, softcap',
    { seqQ: 3, nonpad: [2], mask: { kind: 'float', rank: 2 }, attributes: { softcap: 2 } },
  ],
  ['scores of sigma 100', { seqQ: 6, seqK: 200, sigma: 100 }],
  ['scores of sigma 10⁴', { seqQ: 6, seqK: 200, sigma: 1e4 }],
  ['opset 25', { opset: 25, kvHeads: 2, attributes: { is_causal: 1 } }],
  ['opset 26', { opset: 26, batch: 2, seqK: 9, nonpad: [9, 4], attributes: { is_causal: 1 } }],
  ['softmax_precision FLOAT', { attributes: { softmax_precision: 1 } }],
  ['heads stated beside 4D', { kvHeads: 2, group: 2, attributes: { q_num_heads: 4, kv_num_heads: 2 } }],
];

const size = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });

/** What onnxruntime takes, at random and together, but for what differs.test.ts has. */
export const recipes: fc.Arbitrary<Recipe> = fc
  .record({
    rank: fc.constantFrom(3, 4),
    batch: size(3),
    kvHeads: size(3),
    group: size(3),
    seqQ: fc.oneof(fc.constant(1), size(9)),
    seqK: fc.oneof(size(12), size(130)),
    headDim: size(40),
    valueDim: size(24),
    cache: fc.constantFrom('none', 'past', 'lengths'),
    past: fc.integer({ min: 0, max: 30 }),
    mask: maybe(
      fc.record({
        kind: fc.constantFrom('bool', 'float', 'float with −∞'),
        rank: fc.constantFrom(2, 3, 4),
        perHead: fc.boolean(),
        perBatch: fc.boolean(),
        open: fc.constantFrom(0.1, 0.5, 0.9),
      }),
    ),
    causal: fc.boolean(),
    scale: maybe(fc.double({ min: 0.01, max: 2, noNaN: true }).map(Math.fround)),
    softcap: maybe(fc.double({ min: 0.5, max: 60, noNaN: true }).map(Math.fround)),
    mode: fc.constantFrom(0, 1, 2, 3),
    sigma: fc.constantFrom(0.3, 1, 8),
    seed: fc.integer({ min: 1, max: 1e6 }),
  })
  .map(({ cache, past, causal, scale, softcap, mode, ...rest }) => {
    const next = uniform(rest.seed + 9);
    const alone = cache === 'past' && causal && rest.seqQ === 1; // several keys beside it would all be seen
    return {
      ...rest,
      seqK: alone ? 1 : rest.seqK,
      past: cache === 'past' ? past : undefined,
      nonpad:
        cache === 'lengths'
          ? Array.from({ length: rest.batch }, () => Math.floor(next() * (rest.seqK + 1)))
          : undefined,
      attributes: {
        qk_matmul_output_mode: mode,
        ...(causal ? { is_causal: 1 } : {}),
        ...(scale === undefined ? {} : { scale }),
        ...(softcap === undefined ? {} : { softcap }),
      },
    };
  });
