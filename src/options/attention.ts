/**
 * The options of attention, and the resolver that turns them into a complete problem: every default filled, every shape
 * known, everything checked. Below a resolver nobody checks, guesses or defaults.
 *
 * Order inside a resolver: option names → kinds and words → dimensions → heads → sizes → lengths → overlap.
 */
import * as check from '../checks.ts';
import { or, type Dims, type Door, type Filled, type Fit, type Operand } from '../checks.ts';

/**
 * How q, k, v and the result lie in memory: `'bshd'` [batch, seq, heads, dim], what a projection writes, so that head
 * split and concatenation cost nothing, or `'bhsd'` [batch, heads, seq, dim].
 */
export type Layout = 'bshd' | 'bhsd';

/**
 * The dimensions of an attention call. A flat array has no shape, so seqQ and headDim must be stated; for tensors all
 * default to the tensors' own. Integers up to 2³² (ERR_DIM otherwise); an operand has at most 2³² bytes (ERR_SIZE).
 */
export interface AttentionShape {
  /** Queries in a sequence. */
  readonly seqQ: number;
  /** Elements of one head's query and key, at least 1; any number, not only multiples of 4. */
  readonly headDim: number;
  /** Sequences. Default 1. */
  readonly batch?: number | undefined;
  /** Query heads, at least 1. Default 1. */
  readonly heads?: number | undefined;
  /** Heads of k and v; `heads` must be a multiple (ERR_HEADS). Head h uses floor(h / (heads / kvHeads)). Default heads. */
  readonly kvHeads?: number | undefined;
  /** Keys in a sequence. Default seqQ. */
  readonly seqK?: number | undefined;
  /** Elements of one head's value and output, at least 1. Default headDim. */
  readonly valueDim?: number | undefined;
  /** Default `'bshd'`. Any other word: ERR_OPTION. */
  readonly layout?: Layout | undefined;
}

/** What an attention call may be told beyond its shape. */
export interface AttentionOptions {
  /** Key j is visible to query i only if j <= i + queryOffset. Default false. */
  readonly causal?: boolean | undefined;
  /**
   * Where the first query stands among the keys: an integer, negative too, or [batch] of them. Default seqK − seqQ: the
   * last query sees every key. 0 is PyTorch's is_causal. Moves only what causal means. ERR_RANGE if no integer, ERR_SHAPE.
   */
  readonly queryOffset?: number | ArrayLike<number> | undefined;
  /** Factor of q·k: any finite number (ERR_RANGE), 0 and negative included. Default 1/√headDim. */
  readonly scale?: number | undefined;
  /** Written and returned: [batch, seqQ, heads, valueDim] in the layout. May overlap q, k and v. ERR_SHAPE. */
  readonly out?: Float32Array | undefined;
  /** [batch, heads, seqQ], written when given: ln Σ exp(score), −∞ where no key is seen. ERR_SHAPE, ERR_OVERLAP with out. */
  readonly logSumExp?: Float32Array | undefined;
}

/** An attention call with nothing left open. */
export interface AttentionProblem extends Filled<AttentionShape> {
  /** q, k, v and out are tensors; else all are arrays. */
  readonly tensors: boolean;
  readonly scale: number;
  /**
   * [batch], or [0] where there are no queries. Key j is visible to query i of batch b iff j <= i + queryOffset[b].
   * Clamped to −seqQ … seqK; seqK, every key, without causal.
   */
  readonly queryOffset: Int32Array;
  readonly out: Operand | undefined;
  readonly logSumExp: Operand | undefined;
}

const SHAPE = ['batch', 'heads', 'kvHeads', 'seqQ', 'seqK', 'headDim', 'valueDim', 'layout'] as const;
const ATTENTION = [...SHAPE, ...check.SCORES] as const;

/**
 * `attention(q, k, v, options)`; with `weights` also room for [batch, heads, seqQ, seqK].
 * @throws HeedTypeError, HeedRangeError — see the options; whatever the door throws.
 */
export function resolveAttention(
  op: string,
  door: Door,
  q: unknown,
  k: unknown,
  v: unknown,
  options: unknown,
  weights = false,
): AttentionProblem {
  const o = check.options(op, options, ATTENTION);
  const layout = check.word(op, 'layout', o.layout, ['bshd', 'bhsd']);
  check.scores(op, o);
  const Q = check.operand(op, door, 'q', q);
  const K = check.operand(op, door, 'k', k, Q);
  const V = check.operand(op, door, 'v', v, Q);
  const out = check.optional(op, door, 'out', o.out, Q);
  const logSumExp = check.optional(op, door, 'logSumExp', o.logSumExp);
  for (const each of [Q, K, V]) check.rank(op, each, 4);
  const [H, S] = layout === 'bshd' ? [2, 1] : [1, 2];
  const dims = check.dims(op, {
    batch: or(o.batch, Q.shape?.[0], 1),
    heads: or(o.heads, Q.shape?.[H], 1),
    kvHeads: or(o.kvHeads, K.shape?.[H], o.heads, 1),
    seqQ: or(o.seqQ, Q.shape?.[S]),
    seqK: or(o.seqK, K.shape?.[S], o.seqQ),
    headDim: or(o.headDim, Q.shape?.[3]),
    valueDim: or(o.valueDim, V.shape?.[3], o.headDim),
  });
  const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim } = dims;
  check.groups(op, heads, kvHeads);
  const tensors = Q.shape !== undefined;
  // Messages about arrays name the dimensions in one order; a tensor's shape is compared in that of the layout.
  const four = (head: Dims, seq: Dims, dim: Dims): Dims =>
    tensors && layout === 'bshd' ? { batch, ...seq, ...head, ...dim } : { batch, ...head, ...seq, ...dim };
  const fits: Fit[] = [
    ['q', four({ heads }, { seqQ }, { headDim }), Q],
    ['k', four({ kvHeads }, { seqK }, { headDim }), K],
    ['v', four({ kvHeads }, { seqK }, { valueDim }), V],
    ['out', four({ heads }, { seqQ }, { valueDim }), out],
    ['logSumExp', { batch, heads, seqQ }, logSumExp],
  ];
  if (weights) fits.push(['weights', { batch, heads, seqQ, seqK }, undefined]);
  const queryOffset = check.settle(op, o, dims, fits);
  for (const other of tensors ? [logSumExp, Q, K, V] : [logSumExp]) check.disjoint(op, out, other);
  const scale = or(o.scale, 1 / Math.sqrt(headDim)) as number;
  return { tensors, ...dims, layout, scale, queryOffset, out, logSumExp };
}
