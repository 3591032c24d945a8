/**
 * The public option types, and the resolvers that turn them into complete problems: every default filled, every shape
 * known, everything checked. Below a resolver nobody checks, guesses or defaults. Those of the layer are in
 * `layer-options.ts`.
 *
 * Order inside a resolver: option names → kinds and words → dimensions → heads → sizes → lengths → overlap.
 */
import * as check from './checks.ts';
import { MAX_BYTES, or, PLAIN, type Dims, type Door, type Filled, type Fit, type Operand } from './checks.ts';

export { PLAIN };
export type { Door, Operand };

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

/** C = A·B + bias. */
export interface MatmulOptions {
  /** Rows of C. May be 0, as N and K may. For tensors the three default to the tensors' own. */
  readonly M: number;
  /** Columns of C. */
  readonly N: number;
  /** Length of each sum. With K = 0 the result is the bias, or zeros. */
  readonly K: number;
  /** Products. Default 1. b holds one matrix for each, or one for all. */
  readonly batch?: number | undefined;
  /** a is [batch, K, M] instead of [batch, M, K]. Default false. */
  readonly transposeA?: boolean | undefined;
  /** b is [N, K] instead of [K, N]. Default false. Not with a packed matrix (ERR_OPTION). */
  readonly transposeB?: boolean | undefined;
  /** [N], added to every row. ERR_SHAPE. */
  readonly bias?: Float32Array | undefined;
  /** [batch, M, N], written and returned. May overlap a, b and bias. ERR_SHAPE. */
  readonly out?: Float32Array | undefined;
}

/** A matrix [K, N] ([N, K] with transposeB) to pack once and multiply with often. */
export type PackOptions = Pick<MatmulOptions, 'K' | 'N' | 'transposeB'>;

/** How an engine is made. */
export interface EngineOptions {
  /** Computing threads: 1 … 64 (ERR_RANGE) or `'auto'`, the default. */
  readonly threads?: number | 'auto' | undefined;
  /** Most bytes of memory: an integer from 1 (ERR_RANGE). Default, and most that there can be: 4 GiB. */
  readonly maxMemory?: number | undefined;
  /** Instruction set. Default `'auto'`: the best there is. Another word: ERR_OPTION. */
  readonly simd?: 'auto' | 'relaxed' | 'baseline' | undefined;
  /** Tile of the matmul kernel. Default `'auto'`. Another word: ERR_OPTION. */
  readonly tile?: 'auto' | '4x8' | '6x8' | undefined;
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

/** A matmul with nothing left open. */
export interface MatmulProblem extends Filled<Omit<MatmulOptions, 'bias' | 'out'>> {
  /** a, out and (unless packed) b are tensors; else all are arrays. */
  readonly tensors: boolean;
  /** b is one matrix for the whole batch. */
  readonly sharedB: boolean;
  readonly packed: boolean;
  /** [batch, M, N], or [M, N] where both operands are tensors of two dimensions. */
  readonly outShape: readonly number[];
  readonly bias: Operand | undefined;
  readonly out: Operand | undefined;
}

/** A matrix to pack, with nothing left open. */
export interface PackProblem extends Filled<PackOptions> {
  readonly tensors: boolean;
}

/** A tensor to make. */
export interface TensorProblem {
  readonly shape: readonly number[];
  readonly data: Float32Array | undefined;
}

/** An engine to make; `'auto'` threads are one for now. */
export interface EngineProblem extends Filled<Omit<EngineOptions, 'threads'>> {
  readonly threads: number;
}

const SHAPE = ['batch', 'heads', 'kvHeads', 'seqQ', 'seqK', 'headDim', 'valueDim', 'layout'] as const;
const ATTENTION = [...SHAPE, ...check.SCORES] as const;
const MATMUL = ['M', 'N', 'K', 'batch', 'transposeA', 'transposeB', 'bias', 'out'] as const;

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

/** `matmul(a, b, options)`. @throws HeedTypeError, HeedRangeError; whatever the door throws. */
export function resolveMatmul(
  op: string,
  door: Door,
  a: unknown,
  b: unknown,
  options: unknown,
): MatmulProblem {
  const o = check.options(op, options, MATMUL);
  const transposeA = check.flag(op, 'transposeA', o.transposeA);
  const transposeB = check.flag(op, 'transposeB', o.transposeB);
  const A = check.operand(op, door, 'a', a);
  const matrix = door.packedOf(op, 'b', b);
  const packed = matrix !== undefined;
  const B = packed
    ? { arg: 'b', value: b as object, shape: [matrix.K, matrix.N] }
    : check.operand(op, door, 'b', b, A);
  const bias = check.optional(op, door, 'bias', o.bias);
  const out = check.optional(op, door, 'out', o.out, A);
  if (packed && transposeB) {
    const hint = 'transpose it when packing';
    check.refuse('ERR_OPTION', op, 'transposeB', 'false with a packed matrix', 'true', hint);
  }
  for (const each of [A, B]) check.rank(op, each, 2, 3);
  const batchOf = ({ shape }: Operand): number | undefined => (shape?.length === 3 ? shape[0] : undefined);
  const { batch, M, N, K } = check.dims(op, {
    batch: or(o.batch, batchOf(A), batchOf(B), 1),
    M: or(o.M, A.shape?.at(transposeA ? -1 : -2)),
    N: or(o.N, B.shape?.at(transposeB ? -2 : -1)),
    K: or(o.K, A.shape?.at(transposeA ? -2 : -1), B.shape?.at(-2)),
  });
  const tensors = A.shape !== undefined;
  // Two dimensions are enough for a tensor of a batch of one; b without the batch is one matrix for all.
  const flatA = A.shape?.length === 2 && batch === 1;
  const sharedB = B.shape === undefined ? check.length(op, 'b', B.value) === K * N : B.shape.length === 2;
  const flatOut = flatA && sharedB;
  const oneB: Dims = transposeB ? { N, K } : { K, N };
  const orShared = (): string =>
    `or length ${K * N} (${check.formula(oneB)}), one matrix for the whole batch`;
  const fits: Fit[] = [
    ['a', { ...(flatA ? {} : { batch }), ...(transposeA ? { K, M } : { M, K }) }, A],
    ['b', { ...(sharedB ? {} : { batch }), ...oneB }, B, batch === 1 ? undefined : orShared],
    ['bias', { N }, bias],
    ['out', { ...(flatOut ? {} : { batch }), M, N }, out],
  ];
  check.sizes(op, fits);
  check.fits(op, fits);
  for (const other of tensors ? [A, B, bias] : []) check.disjoint(op, out, other);
  const outShape = flatOut ? [M, N] : [batch, M, N];
  return { tensors, batch, M, N, K, transposeA, transposeB, sharedB, packed, outShape, bias, out };
}

/** `packMatrix(b, options)`. @throws HeedTypeError, HeedRangeError; whatever the door throws. */
export function resolvePack(op: string, door: Door, b: unknown, options: unknown): PackProblem {
  const o = check.options(op, options, ['K', 'N', 'transposeB']);
  const transposeB = check.flag(op, 'transposeB', o.transposeB);
  const B = check.operand(op, door, 'b', b);
  check.rank(op, B, 2);
  const { K, N } = check.dims(op, {
    K: or(o.K, B.shape?.[transposeB ? 1 : 0]),
    N: or(o.N, B.shape?.[transposeB ? 0 : 1]),
  });
  const fits: Fit[] = [['b', transposeB ? { N, K } : { K, N }, B]];
  check.sizes(op, fits);
  check.fits(op, fits);
  return { tensors: B.shape !== undefined, K, N, transposeB };
}

/** `tensor(shape, data?)`: 1 to 8 dimensions, and as many elements of data. @throws HeedTypeError, HeedRangeError. */
export function resolveTensor(op: string, shape: unknown, data: unknown): TensorProblem {
  const list = check.arrayLike(op, 'shape', shape, 'an array of 1 to 8 dimensions');
  const given = check.values(op, 'shape', list, 1, 8);
  const D = check.optional(op, PLAIN, 'data', data);
  const dims = check.dims(op, Object.fromEntries(given.map((size, axis) => [`shape[${axis}]`, size])));
  check.sizes(op, [['shape', dims, undefined]]);
  check.fits(op, [['data', dims, D]]);
  return { shape: Object.values(dims), data: D?.value as Float32Array | undefined };
}

/** `createEngine(options)`. `threads` above 1 pass: whether they can be had is the engine's to say. @throws as above. */
export function resolveEngine(options: unknown): EngineProblem {
  const op = 'createEngine';
  const o = check.options(op, options, ['threads', 'maxMemory', 'simd', 'tile']);
  const threads = or(o.threads, 'auto');
  const maxMemory = check.integer(op, 'maxMemory', or(o.maxMemory, MAX_BYTES), 1, Number.MAX_SAFE_INTEGER);
  return {
    threads: threads === 'auto' ? 1 : check.integer(op, 'threads', threads, 1, 64, "'auto' or "),
    maxMemory: Math.min(maxMemory, MAX_BYTES),
    simd: check.word(op, 'simd', o.simd, ['auto', 'relaxed', 'baseline']),
    tile: check.word(op, 'tile', o.tile, ['auto', '4x8', '6x8']),
  };
}
