/**
 * The hot loops of the shipped modules, one row each: where it stands, and what one pass loads, stores and computes by the
 * formula of its kernel. What loops.test.ts compares the modules with, and docs/kernels.md.
 *
 * A new kernel needs its rows; so does a loop that moves: asc inlines what is called once.
 */
import type { Build } from '../../src/wasm/inlined.ts';

/** Instructions of one pass through a loop. */
export interface Counts {
  /** From memory: vectors, splats, lanes and scalars alike. */
  readonly loads: number;
  readonly stores: number;
  /** a·b + c on four floats: one instruction in the relaxed build, f32x4.mul and f32x4.add in the baseline build. */
  readonly madds: number;
  /** f32x4.mul and f32x4.add that belong to no multiply-add. */
  readonly muls: number;
  readonly adds: number;
  /** Any other on vectors or floats; integers are addresses and counters, and stay out. */
  readonly others: number;
  /** v128.const, which V8 builds anew at every use. */
  readonly constants: number;
}

export interface Row {
  /** Its file in assembly/kernels, with the function where that has another name; or the driver that has the loop. */
  readonly kernel: string;
  /** What one pass goes through. */
  readonly loop: string;
  readonly counts: Counts;
  /** The functions it stands in. */
  readonly at: readonly string[];
  readonly only: Build | undefined;
  /** Of outer products, which docs/kernels.md lists: rows, vectors, and steps if there are several. */
  readonly product: readonly number[] | undefined;
}

type Options = Partial<Pick<Row, 'at' | 'only'>>;

const NOTHING: Counts = { loads: 0, stores: 0, madds: 0, muls: 0, adds: 0, others: 0, constants: 0 };

function sum(...parts: readonly Partial<Counts>[]): Counts {
  const total = { ...NOTHING };
  for (const part of parts) for (const key of keys(part)) total[key] += part[key]!;
  return total;
}

function times(n: number, part: Partial<Counts>): Counts {
  const total = { ...NOTHING };
  for (const key of keys(part)) total[key] = n * part[key]!;
  return total;
}

function keys(counts: Partial<Counts>): (keyof Counts)[] {
  return Object.keys(counts) as (keyof Counts)[];
}

/** `f32-dot` is f32Dot of assembly/kernels/f32-dot.ts; `f32-gemv/f32Gemv8` says its function; `gemm/…` is a driver. */
function placeOf(kernel: string): string {
  const [file, name] = kernel.split('/') as [string, string?];
  if (!/^f\d\d-/.test(file)) return kernel;
  return `kernels/${file}/${name ?? file.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())}`;
}

function row(kernel: string, loop: string, counts: Partial<Counts>, options: Options = {}): Row {
  const { at = [placeOf(kernel)], only } = options;
  return { kernel, loop, counts: sum(counts), at, only, product: undefined };
}

/** `steps` outer products: rows (splats) and vectors, or the reverse, are loaded once each, and every row meets every vector. */
function product(
  kernel: string,
  [rows, vectors]: readonly [rows: number, vectors: number],
  { steps = 1, and = {}, ...options }: Options & { steps?: number; and?: Partial<Counts> } = {},
): Row {
  const counts = sum(times(steps, { loads: rows + vectors, madds: rows * vectors }), and);
  return {
    ...row(kernel, steps === 1 ? 'one step' : `${steps} steps`, counts, options),
    product: steps === 1 ? [rows, vectors] : [rows, vectors, steps],
  };
}

/** A tile of MR rows by NR columns, as its name says: MR splats and NR / 4 vectors a step. */
function tile(kernel: string, options: Options & { steps?: number; and?: Partial<Counts> } = {}): Row {
  const [MR, NR] = /(\d+)x(\d+)$/.exec(kernel)!.slice(1).map(Number) as [number, number];
  return product(kernel, [MR, NR / 4], options);
}

/** 2^x (exp.ts): clamped, folded (one addition, two subtractions), a shift for 2ⁿ, seven steps; and its eight constants. */
const EXP2 = { madds: 7, adds: 1, others: 4 };
const EXP2_CONSTANTS = { loads: 8 };
/** Four halves as raw float32: shift and mask (f16-widen.ts). */
const UNPACK = { others: 2 };
/** The same in full: four constants; unpacked, multiplied, the exponent looked at (and, equal), set (or), chosen. */
const WIDEN = sum(UNPACK, { loads: 4, muls: 1, others: 4 });
/** Four floats as float16: nine constants; an addition, and the 16 integer operations of f16-narrow.ts. */
const NARROW = { loads: 9, adds: 1, others: 16 };
/** A pair turned: four products, a difference, a sum. */
const TURN = { muls: 4, adds: 1, others: 1 };
/** Where the last one to three floats of a row may come (simd.ts, loadTail): a vector, one float, two, and a third. */
const VECTOR_OR_TAIL = { loads: 1 + 3 };

/** Where asc puts what @inline asks for, or what is called once. */
const ROWS: Options = { at: ['select/narrowAdd', 'select/narrowMax'] };
const COLUMNS: Options = { at: ['select/narrowColumns'] };
const WIDE_ROWS: Options = { at: ['select/wideAdd', 'select/wideMax'] };
const WIDE_COLUMNS: Options = { at: ['select/wideColumnsAdd'] };
const RELAXED: Options = { only: 'relaxed' };
const BASELINE: Options = { only: 'baseline' };

export const TABLE: readonly Row[] = [
  // ---- tiles ----
  tile('f32-gemm-6x8', { ...ROWS, ...RELAXED, steps: 4 }),
  tile('f32-gemm-6x8', { ...ROWS, ...RELAXED }),
  tile('f32-gemm-4x8', ROWS),
  tile('f32-gemm-2x8', ROWS),
  tile('f32-gemm-1x8', ROWS),
  tile('f32-gemm-3x12', { ...WIDE_ROWS, ...BASELINE }),
  tile('f32-gemm-4x16', { ...WIDE_ROWS, ...BASELINE }),
  tile('f32-gemm-6x16', { ...WIDE_ROWS, ...RELAXED }),
  tile('f32-gemm-t-6x8', { ...COLUMNS, ...RELAXED, steps: 4 }),
  tile('f32-gemm-t-6x8', { ...COLUMNS, ...RELAXED }),
  tile('f32-gemm-t-4x8', COLUMNS),
  tile('f32-gemm-t-2x8', COLUMNS),
  tile('f32-gemm-t-1x8', COLUMNS),
  tile('f32-gemm-t-3x12', { ...WIDE_COLUMNS, ...BASELINE }),
  tile('f32-gemm-t-4x16', { ...WIDE_COLUMNS, ...BASELINE }),
  tile('f32-gemm-t-6x16', { ...WIDE_COLUMNS, ...RELAXED }),

  // ---- one row, few queries ----
  tile('f32-gemm-1x32'),
  product('f32-gemm-1x32-pairs', [1, 4], BASELINE),
  row('f32-gemm-1x32-pairs', 'one step of the other two', { loads: 1 + 4, madds: 4 }, BASELINE),
  // Rows are splatted before the loop; each has its own vectors; what is loaded beside them are the sums so far.
  product('f32-gemv/f32Gemv8', [8, 2], { and: { loads: 8, stores: 2 } }),
  product('f32-gemv/f32Gemv4', [4, 2], { and: { loads: 4, stores: 2 } }),
  product('f32-gemv/f32Gemv1', [1, 2], { and: { loads: 1, stores: 2 }, at: ['select-rows/sweep'] }),
  row('f32-gemv/lastColumns', 'one row of a column', { loads: 2, madds: 1 }),
  row('gemm/rowInPlace', 'four floats of a block added', { loads: 2, adds: 1, stores: 1 }),
  product('f32-dot', [4, 1], { steps: 2 }),
  row('f32-dot', 'one element', { loads: 4 + 1, madds: 4 }),
  product('f32-dot-8', [8, 1], RELAXED),
  product('f16-dot', [4, 1], { and: times(4, UNPACK) }),
  product('f32-qk-4x2', [4, 2]),
  tile('f32-pv-4x8'),
  tile('f32-pv-1x32'),
  row('f32-pv-1x32', 'one key, four elements', sum(VECTOR_OR_TAIL, { loads: 1, madds: 1 })),
  tile('f32-pv-1x16', { ...BASELINE, steps: 2 }),
  row('f32-pv-1x16', 'one key, four elements', sum(VECTOR_OR_TAIL, { loads: 1, madds: 1 }), BASELINE),
  tile('f16-pv-1x32', { and: times(8, UNPACK) }),
  // Loads: weight, value and what is seen.
  row('f32-pv-exact', 'one key', { loads: 3, madds: 1, others: 1 }),
  row('f32-pv-exact/f32PvExactRow', 'one key', sum(VECTOR_OR_TAIL, { loads: 2, madds: 1 })),
  row('f32-pv-exact/f32ScoreSeen', 'four scores', { loads: 1, others: 1, stores: 1 }),

  // ---- scores, softmax, weights ----
  row('f32-softmax-online', 'a masked row', { stores: 1 }),
  // One difference a score; constants once for four vectors; three sums of the four and one with what was.
  row(
    'f32-softmax-online',
    'four keys',
    sum(times(4, sum(EXP2, { loads: 1, others: 1, stores: 1 })), EXP2_CONSTANTS, { adds: 3 + 1 }),
  ),
  // Difference, product with 1 / l, and zeros where the score is −∞ (equal, select).
  row('f32-weights', 'four scores', sum(EXP2, EXP2_CONSTANTS, { loads: 1, muls: 1, others: 3, stores: 1 })),
  row('f32-score-scale', 'four scores', { loads: 1, muls: 1, stores: 1 }),
  // Twice: |place − j|·slope + score; and j + 1.
  row(
    'f32-score-alibi',
    'one key',
    sum(times(2, { loads: 1, others: 2, madds: 1, stores: 1 }), { adds: 1 }),
    { at: ['panel/addAlibi'] },
  ),
  // Twice: score + bias, and −∞ where the bias is (equal, select).
  row('f32-score-bias', 'one key', times(2, { loads: 2, adds: 1, others: 2, stores: 1 }), {
    at: ['panel/addBias'],
  }),
  // Eight coefficients and constants. x, z; a polynomial in four steps, twice multiplied into the score; |S|·twice, its
  // exponential, (1 − e) / (1 + e), times cap; signs off and on (or, or, and, andnot); less, select; three splats.
  row(
    'f32-score-cap',
    'four scores',
    sum(
      EXP2,
      EXP2_CONSTANTS,
      { loads: 8 + 1, muls: 2 + 1 + 1 + 1, madds: 4 + 1, adds: 1, stores: 1 },
      { others: 2 + 4 + 2 + 3 },
    ),
  ),
  // The key splatted; twice: two compares, andnot, select, maximum.
  row('f32-score-limit', 'one key', sum({ others: 1 }, times(2, { loads: 1, others: 5, stores: 1 }))),
  // 4 × 16 bytes by eight shuffles; four times (compare, two extended to 16 bits, four to 32, four selected).
  row(
    'f32-score-mask',
    '16 keys of four queries',
    sum({ loads: 4, others: 8 }, times(4, { loads: 4, others: 1 + 2 + 4 + 4, stores: 4 })),
  ),
  row('f32-score-mask', 'one key of four queries', { loads: 4, stores: 4 }),
  row('f32-score-mask/f32MaskSeen', '16 bytes', { loads: 1, others: 2 }),
  row('f32-score-mask/f32MaskSeen', 'one byte', { loads: 1 }),

  // ---- rope ----
  // Loads: the frequencies, six to fold (sincos.ts), two series, a quadrant further, twice what turns. Others: 37 of float64, as
  // its header says, the next quadrant, twice six to turn, two demoted.
  row('f32-rope-table', 'two pairs', {
    loads: 1 + 6 + 6 + 7 + 1 + 2 * 2,
    others: 37 + 1 + 2 * 6 + 2,
    stores: 2,
  }),
  row('f32-rope-split', 'four pairs', sum(TURN, { loads: 4, stores: 2 })),
  // Two shuffles in, two out.
  row('f32-rope-interleaved', 'four pairs', sum(TURN, { loads: 4, others: 4, stores: 2 })),
  // The same on single floats, which all count as others.
  row('f32-rope-pairs', 'one pair', { loads: 4, others: 6, stores: 2 }),

  // ---- parts of a result ----
  // Two vectors of a row by its weight; and where the row lies.
  product('f32-merge', [1, 2], { and: { loads: 1 } }),
  row('f32-merge', 'one element', { loads: 3, madds: 1 }),
  row('f32-merge-weights', 'one part: maximum', { loads: 1, others: 1 }),
  // Difference, to base 2 by a constant, exponential, sum.
  row(
    'f32-merge-weights',
    'one part: weight',
    sum(EXP2, EXP2_CONSTANTS, { loads: 2, others: 1, muls: 1, adds: 1, stores: 1 }),
  ),
  row('decode/combinePanel', 'one part: maximum', { loads: 1, others: 1 }),
  // Difference, exponential, l·weight added; the weight is kept.
  row(
    'decode/combinePanel',
    'one part: weight',
    sum(EXP2, EXP2_CONSTANTS, { loads: 2, others: 1, madds: 1, stores: 1 }),
  ),
  row('decode/combinePanel', 'four elements', { loads: 2, madds: 1, stores: 1 }),
  // Division, equal, select. The one constant in a loop: two passes a panel of eight rows, at its end.
  row('panel/panelScores', 'the maxima of a panel', { loads: 2, stores: 2 }),
  row('panel/inverseSums', 'four sums', { loads: 1, others: 3, stores: 1, constants: 1 }),
  row('decode/isRight', 'four elements', { loads: 1, others: 2 }),

  // ---- data movement ----
  row('f32-pack', 'one step', { loads: 2, stores: 2 }),
  row('f32-pack', 'one column', { loads: 1, stores: 1 }),
  row('f32-copy-rows', '16 floats', { loads: 4, stores: 4 }),
  row('f32-copy-rows', 'one float', { loads: 1, stores: 1 }),
  row('f32-row', 'four floats', { loads: 1, muls: 1, stores: 1 }),
  row('f32-row', 'one float', { loads: 1, others: 1, stores: 1 }),
  row('f32-touch', 'two lines of K, two of V', { loads: 4 }),
  row('f32-touch', 'one line of K', { loads: 1 }),
  row('f32-touch', 'one line of V', { loads: 1 }),
  // 4 × 4 by eight shuffles, each row scaled.
  row('f32-transpose/f32RowsToPanel', 'four steps', { loads: 4, muls: 4, others: 8, stores: 4 }),
  row('f32-transpose/f32RowsToPanel', 'one step', { loads: 4, others: 4, stores: 4 }),
  // The same, four addresses, and whether a sum of the four is NaN (three additions, unequal, and, or).
  row('f32-transpose/f32PanelToRows', 'four steps', {
    loads: 4 + 4,
    muls: 4,
    adds: 3,
    others: 8 + 3,
    stores: 4,
  }),
  // … whether it is itself; four lanes taken out.
  row('f32-transpose/f32PanelToRows', 'one step', { loads: 1 + 4, muls: 1, others: 3 + 4, stores: 4 }),
  // Raw or in full: both branches stand in the loop.
  row(
    'f16-widen',
    'eight halves',
    times(2, sum({ loads: 1 }, sum(UNPACK, { stores: 1 }), sum(WIDEN, { stores: 1 }))),
  ),
  // Splatted, and a lane taken out.
  row('f16-widen', 'one half', sum({ loads: 1, others: 2, stores: 1 }, UNPACK, WIDEN)),
  row('f16-narrow', 'four floats', sum(NARROW, { loads: 1, others: 1, stores: 1 })),
  row('f16-narrow', 'one float', sum(NARROW, { loads: 1, others: 1, stores: 1 })),
  // A whole vector or one float; the sign off, two compares, andnot, two ors.
  row('f16-narrow/f16Check', 'four floats', { loads: 2, others: 6 }, { at: ['append/append'] }),
];
