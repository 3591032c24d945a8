/** The options of matmul and packMatrix, and their resolvers: as in `attention.ts`. */
import * as check from '../checks/index.ts';
import { fit, isLike, or } from '../checks/index.ts';
import type { Door, Filled, Fit, Operand, Told } from '../checks/index.ts';
import { Recent } from '../recent.ts';
import { isSame, keep, withOut, type Before, type Resolved } from './again.ts';

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
}

/** A matrix to pack, with nothing left open. */
export interface PackProblem extends Filled<PackOptions> {
  readonly tensors: boolean;
}

const MATMUL = new check.Known(
  (absent) => ({ ...absent }),
  'M',
  'N',
  'K',
  'batch',
  'transposeA',
  'transposeB',
  'bias',
  'out',
);
const DIMS = ['batch', 'M', 'N', 'K'] as const;
const PACK = new check.Known((absent) => ({ ...absent }), 'K', 'N', 'transposeB');

const BEFORE = new Recent<Before<MatmulProblem>>();

/** `matmul(a, b, options)`. @throws HeedTypeError, HeedRangeError; whatever the door throws. */
export function resolveMatmul(
  op: string,
  door: Door,
  a: unknown,
  b: unknown,
  options: unknown,
): Resolved<MatmulProblem> {
  const told = check.told(op, options, MATMUL.names);
  return again(op, door, a, b, told) ?? resolve(op, door, a, b, told);
}

/** What a call comes to that is like one before. */
function again(
  op: string,
  door: Door,
  a: unknown,
  b: unknown,
  told: Told,
): Resolved<MatmulProblem> | undefined {
  const { all } = BEFORE;
  for (let i = 0; i < all.length; i++) {
    const before = all[i]!;
    if (!isSame(before, told)) continue;
    const [aShape, bShape] = before.shapes;
    const { batch, M, N, K, packed, sharedB } = before.problem;
    if (!isLike(op, door, 'a', a, batch * M * K, aShape)) continue;
    const matrix = packed ? door.packedOf(op, 'b', b) : undefined;
    const fits = packed
      ? matrix?.K === K && matrix.N === N
      : isLike(op, door, 'b', b, (sharedB ? 1 : batch) * K * N, bShape);
    if (fits) return withOut(op, door, before, told, batch * M * N, a, b);
  }
  return undefined;
}

function resolve(op: string, door: Door, a: unknown, b: unknown, told: Told): Resolved<MatmulProblem> {
  const o = check.named(told, MATMUL);
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
  check.rank(op, A, 2, 3);
  check.rank(op, B, 2, 3);
  const [batch, M, N, K] = check.dims(
    op,
    DIMS,
    or(o.batch, batchOf(A), batchOf(B), 1),
    or(o.M, A.shape?.at(transposeA ? -1 : -2)),
    or(o.N, B.shape?.at(transposeB ? -2 : -1)),
    or(o.K, A.shape?.at(transposeA ? -2 : -1), B.shape?.at(-2)),
  );
  const tensors = A.shape !== undefined;
  // Two dimensions are enough for a tensor of a batch of one; b without the batch is one matrix for all.
  const flatA = A.shape?.length === 2 && batch === 1;
  const sharedB = B.shape === undefined ? check.length(op, 'b', B.value) === K * N : B.shape.length === 2;
  const flatOut = flatA && sharedB;
  const oneA = transposeA ? 'K × M' : 'M × K';
  const oneB = transposeB ? 'N × K' : 'K × N';
  const fits = [
    transposeA ? matrices('a', oneA, A, flatA, batch, K, M) : matrices('a', oneA, A, flatA, batch, M, K),
    transposeB ? matrices('b', oneB, B, sharedB, batch, N, K) : matrices('b', oneB, B, sharedB, batch, K, N),
    fit('bias', 'N', bias, N),
    matrices('out', 'M × N', out, flatOut, batch, M, N),
  ];
  check.sizes(op, fits);
  check.fits(op, fits, (arg) => {
    if (arg !== 'b' || batch === 1) return undefined;
    const one = check.formula(oneB, transposeB ? [N, K] : [K, N]);
    return `or length ${K * N} (${one}), one matrix for the whole batch`;
  });
  if (tensors) for (const other of [A, B, bias]) check.disjoint(op, out, other);
  const outShape = flatOut ? [M, N] : [batch, M, N];
  const problem = { tensors, batch, M, N, K, transposeA, transposeB, sharedB, packed, outShape, bias };
  // An empty array is looked at anew each time (isLike): such a call would never be found.
  const findable = tensors || batch * M * K * N > 0;
  const shapes = [A.shape, B.shape];
  const again = findable && keep(BEFORE, told, problem, shapes, tensors ? outShape : undefined);
  return { problem, out, again };
}

function batchOf({ shape }: Operand): number | undefined {
  return shape?.length === 3 ? shape[0] : undefined;
}

/** The row of one matrix of m × n, where `one` says so, or of a batch of them. */
function matrices(
  arg: string,
  dims: string,
  operand: Operand | undefined,
  one: boolean,
  batch: number,
  m: number,
  n: number,
): Fit {
  return one ? fit(arg, dims, operand, m, n) : fit(arg, `batch × ${dims}`, operand, batch, m, n);
}

/** `packMatrix(b, options)`. @throws HeedTypeError, HeedRangeError; whatever the door throws. */
export function resolvePack(op: string, door: Door, b: unknown, options: unknown): PackProblem {
  const o = check.options(op, options, PACK);
  const transposeB = check.flag(op, 'transposeB', o.transposeB);
  const B = check.operand(op, door, 'b', b);
  check.rank(op, B, 2);
  const [K, N] = check.dims(
    op,
    ['K', 'N'],
    or(o.K, B.shape?.[transposeB ? 1 : 0]),
    or(o.N, B.shape?.[transposeB ? 0 : 1]),
  );
  const fits = [transposeB ? fit('b', 'N × K', B, N, K) : fit('b', 'K × N', B, K, N)];
  check.sizes(op, fits);
  check.fits(op, fits);
  return { tensors: B.shape !== undefined, K, N, transposeB };
}
