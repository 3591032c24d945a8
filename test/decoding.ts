/** Cases of few queries against many keys: what the decoding family, and a cache, are tested with. */
import { FEW } from '../common/abi.ts';
import type { AttentionOptions, AttentionShape, AttendOptions } from '../src/index.ts';
import type { AttentionCase } from './cases.ts';
import { normal, uniform } from './data.ts';
import { attentionLaw, use } from './laws.ts';

/** Bytes of a mask, each 1 with the given chance. */
export function bytes(length: number, seed: number, chance: number): Uint8Array {
  const next = uniform(seed);
  return Uint8Array.from({ length }, () => Number(next() < chance));
}

/** The dimensions that shapes of side inputs follow. */
interface Sizes {
  readonly batch: number;
  readonly heads: number;
  readonly seqQ: number;
  readonly seqK: number;
}

type Scores = Omit<AttendOptions, 'heads' | 'seqQ' | 'layout' | 'out' | 'logSumExp'>;

/** One of each option of a score, and all at once; what has a mask or a bias is told apart, as a ring takes neither. */
export function scoreOptions({ batch, heads, seqQ, seqK }: Sizes): readonly (readonly [string, Scores])[] {
  const slopes = Float32Array.from({ length: heads }, (_, h) => 2 ** -(h + 4) * (h % 3 === 2 ? -1 : 1));
  const sinks = Float32Array.from({ length: heads }, (_, h) => [0.5, -3, 4, -Infinity][h % 4]!);
  const inf = (x: Float32Array): Float32Array => x.map((y) => (y > 1.5 ? -Infinity : y));
  const full = batch * heads * seqQ * seqK;
  return [
    ['nothing', {}],
    ['window', { window: [70, 0] }],
    ['window open before', { window: [Infinity, 0] }],
    ['window [0, 0]', { window: [0, 0] }],
    ['scale', { scale: -0.3 }],
    ['scale 0', { scale: 0 }],
    ['softcap', { softcap: 2 }],
    ['alibi', { alibi: slopes }],
    ['sinks', { sinks }],
    ['window, alibi, sinks, softcap', { window: [40, 3], alibi: slopes, sinks, softcap: 5 }],
    ['mask, bare', { mask: bytes(seqQ * seqK, 1, 0.5) }],
    ['mask, full', { mask: { data: bytes(full, 2, 0.3), shape: [batch, heads, seqQ, seqK] } }],
    ['mask of keys', { mask: { data: bytes(batch * seqK, 3, 0.6), shape: [batch, 1, 1, seqK] } }],
    ['mask of queries', { mask: { data: bytes(heads * seqQ, 4, 0.6), shape: [1, heads, seqQ, 1] } }],
    ['mask that hides all', { mask: { data: new Uint8Array(1), shape: [1, 1, 1, 1] } }],
    ['bias, bare, with −∞', { bias: inf(normal(seqQ * seqK, 5, 1)) }],
    ['bias, full', { bias: { data: inf(normal(full, 6)), shape: [batch, heads, seqQ, seqK] } }],
    ['bias of heads and keys', { bias: { data: normal(heads * seqK, 7), shape: [1, heads, 1, seqK] } }],
    ['bias of queries', { bias: { data: normal(batch * seqQ, 8), shape: [batch, 1, seqQ, 1] } }],
    [
      'everything',
      {
        mask: { data: bytes(batch * seqQ * seqK, 9, 0.7), shape: [batch, 1, seqQ, seqK] },
        bias: { data: inf(normal(heads * seqQ * seqK, 10)), shape: [1, heads, seqQ, seqK] },
        ...{ window: [90, 1], scale: 0.4, softcap: 3, alibi: slopes, sinks },
      },
    ],
  ];
}

const GROUPS = [1, 2, 3, 4, 5, 8, 9];
/** Around multiples of a block, 96, and of a part, 1536. */
const KEYS = [1, 2, 95, 96, 97, 1535, 1536, 1537, 3072, 5000];
const DIMS = [64, 1, 15, 4, 80, 128, 3, 130, 33];

/** Shapes: every group with every number of keys for one query, with some for two and for the most. */
export const decodeShapes: readonly AttentionCase<AttentionShape & AttentionOptions>[] = GROUPS.flatMap(
  (group, g) =>
    KEYS.flatMap((seqK, n) => {
      const kvHeads = seqK > 2000 ? 1 : 2;
      const headDim = DIMS[(g + n) % DIMS.length]!;
      const valueDim = g % 3 === 1 ? DIMS[(g + 2 * n) % DIMS.length]! : headDim;
      const causal = (g + n) % 2 === 0;
      const layout = n % 3 === 1 ? 'bhsd' : 'bshd';
      return [[1, FEW], [1, 2], [1]][(g + n) % 3]!.map((seqQ) => ({
        name: `seqQ ${seqQ}, group ${group}, ${seqK} keys, ${headDim} and ${valueDim}`,
        options: { seqQ, seqK, heads: group * kvHeads, kvHeads, headDim, valueDim, causal, layout },
        sigma: [1, 8, 0.3, 100][n % 4]!,
      }));
    }),
);

/** Options, over parts: 1700 keys are two of them. */
export const decodeOptions: readonly AttentionCase[] = [1, FEW].flatMap((seqQ) => {
  const sizes = { batch: 2, heads: 6, seqQ, seqK: 1700 };
  const shape = { ...sizes, kvHeads: 2, headDim: 12, valueDim: 9 };
  const named = (name: string, options: AttentionCase['options']): AttentionCase => {
    return { name: `seqQ ${seqQ}: ${name}`, options };
  };
  return [
    ...scoreOptions(sizes).flatMap(([name, options]) => [
      named(name, { ...shape, ...options }),
      named(`${name}, causal, lengths`, { ...shape, ...options, causal: true, keyLengths: [1541, 300] }),
    ]),
    named('lengths 0 and 1536', { ...shape, keyLengths: [0, 1536] }),
    named('offset per batch', { ...shape, causal: true, queryOffset: [-1, 1536] }),
    named('window over the edge of a part', { ...shape, window: [20, 30], queryOffset: [1530, 1560] }),
    named('packed sequences', {
      ...{ cuSeqlensQ: Int32Array.of(0, seqQ, seqQ, 2 * seqQ, 2 * seqQ + 1) },
      ...{ cuSeqlensK: Int32Array.of(0, 1600, 1610, 1610, 5000), heads: 6, kvHeads: 2, headDim: 12 },
      ...{ causal: true, sinks: normal(6, 3) },
    }),
  ];
});

/** The largest share of its bound that any element of a result, and of a logSumExp, uses. */
export function mostUse(
  [q, k, v]: readonly [Float32Array, Float32Array, Float32Array],
  options: AttentionCase['options'],
  out: ArrayLike<number>,
  logSumExp?: ArrayLike<number>,
): number {
  let most = 0;
  for (const row of attentionLaw(q, k, v, options)) {
    most = Math.max(most, use(out, row.out('blocks'), row.at));
    if (logSumExp) most = Math.max(most, use(logSumExp, row.logSumExp('blocks'), row.row));
  }
  return most;
}
