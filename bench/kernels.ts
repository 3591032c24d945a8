/**
 * The rows of single kernels: no public API, no descriptor, no copies. Taken from the test-only builds, on operands that
 * stay in the first cache level; last, the whole matmul driver on tensors. Only heed's builds contend. What each computes
 * is held against its formula in plain JavaScript.
 *
 * A tile of k = 64 takes 0.12 µs and a call from JavaScript a sixth of that, so tiles run as they do in the drivers: one
 * under the other in one call, by the functions of assembly/select.ts.
 */
import { BK, PANEL } from '../common/abi.ts';
import { TILES } from '../src/tile.ts';
import { testingModule, type Build } from '../test/builds.ts';
import { matmulFlops, matmulInputs } from '../test/cases.ts';
import { normal } from '../test/data.ts';
import type { TestingExports } from '../test/kernels/harness.ts';
import { every, matmulLaw, rowsOf, u, type RowLaw } from '../test/laws.ts';
import { ropeLaw } from '../test/rope-law.ts';
import { prepareTensors, uses, type Contender, type Group, type Ready, type Row } from './rows.ts';
import { clockOf } from './sample.ts';

/** A call of a kernel on operands that are laid out, and what it writes. */
interface Call {
  readonly run: () => void;
  readonly out: Float32Array;
}

/** A kernel on its operands: how a build calls it, and what is right. */
export interface KernelCase {
  readonly lay: (bed: Bed) => Call;
  /** The law of every `stride`-th row of `out`. Holds for the first run: some kernels work in place. */
  readonly law: (stride: number) => Iterable<RowLaw>;
}

export interface KernelRow extends Pick<Row, 'name' | 'flops' | 'bytes' | 'roof'> {
  readonly make: () => KernelCase;
}

/** Of 64 KB: more than the operands of any row. */
const PAGES = 4;
/** Operands start on a line of their own. */
const LINE = 64;
/** As the header of assembly/kernels/f32-softmax-online.ts counts them, for a block of attention. */
const SOFTMAX_FLOPS = 152 * BK + 160;
/** Steps of the panel that is filled: 16 KB are read, and 16 KB written. */
const STEPS = 512;
/** The heads of a token: 16 KB are read, and 16 KB written. */
const TURN = { seq: 1, heads: 32, headDim: 128, offset: 77 } as const;
const TURN_BYTES = 4 * TURN.heads * TURN.headDim;

/** The kernels of one build over a memory of their own, in which operands are laid one behind the other. */
export class Bed {
  readonly kernels: TestingExports;
  /** Rows of the widest tile that serves here. */
  readonly tile: number;
  readonly #memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  #next: number;

  /** @param change replaces kernels, for the test of the check */
  constructor(
    build: Build,
    tile: number,
    change: (kernels: TestingExports) => TestingExports = (same) => same,
  ) {
    const { exports } = new WebAssembly.Instance(testingModule(build), {
      env: { memory: this.#memory, abort },
    });
    this.kernels = change(exports as TestingExports);
    this.tile = tile;
    this.#next = this.kernels.heapBase();
  }

  /** Room for floats, NaN inside: the view's `byteOffset` is its address. */
  room(length: number): Float32Array {
    const address = Math.ceil(this.#next / LINE) * LINE;
    this.#next = address + 4 * length;
    return new Float32Array(this.#memory.buffer, address, length).fill(NaN);
  }

  place(data: ArrayLike<number>): Float32Array {
    const view = this.room(data.length);
    view.set(data);
    return view;
  }
}

/** Test-only builds keep their assertions. */
function abort(): never {
  throw new Error('an assertion failed in a kernel');
}

/** The kernels, each alone. */
export const kernels: readonly KernelRow[] = [
  tiles('tiles, k = 64', { M: 96, K: 64 }),
  tiles('tiles, k = 256', { M: 24, K: 256 }),
  tiles('tiles of Aᵀ, k = 64', { M: 96, K: 64, transposeA: true }),
  tiles('tiles of Aᵀ, k = 256', { M: 24, K: 256, transposeA: true }),
  { name: `softmax, ${BK} keys × 8`, flops: SOFTMAX_FLOPS, bytes: 0, roof: 'peak', make: softmax },
  // What they move counts, by the bytes that are read.
  { name: 'pack 8 columns, GB/s', flops: 0, bytes: 4 * PANEL * STEPS, roof: 'read', make: pack },
  { name: 'pack 8 rows, GB/s', flops: 0, bytes: 4 * PANEL * STEPS, roof: 'read', make: rowsToPanel },
  {
    name: `rope, ${TURN.heads} × ${TURN.headDim}, GB/s`,
    flops: 0,
    bytes: TURN_BYTES,
    roof: 'read',
    make: turn,
  },
];

export const kernelGroups: readonly Group[] = [
  ...kernels.map(({ make, ...row }): Group => [
    {
      ...{ ...row, section: 'kernels', quick: true },
      prepare: ({ engines }) => {
        const beds = [...engines].map(([build, { features }]) => {
          return [build, new Bed(build, TILES[features.tile])] as const;
        });
        return prepareKernel(make(), new Map(beds));
      },
    },
  ]),
  [driver('512³, tensors', 512)],
];

/** Every `stride`-th row of eight columns. */
function lines(values: Float64Array, bounds: Float64Array, stride: number): Iterable<RowLaw> {
  return rowsOf({ values, bounds }, PANEL, every(stride, values.length / PANEL));
}

/** Lays a case out in every bed. */
export function prepareKernel({ lay, law }: KernelCase, beds: ReadonlyMap<Build, Bed>): Ready {
  const contenders = [...beds].map(([name, bed]): Contender => {
    const { run, out } = lay(bed);
    return { name, order: 'blocks', clock: clockOf(run), out };
  });
  return { contenders, check: (stride) => uses(contenders, law(stride)), dispose: () => undefined };
}

/** C[M × 8] = A[M × K] · B[K × 8]: tile under tile, 24 KB of A. */
function tiles(
  name: string,
  shape: { readonly M: number; readonly K: number; readonly transposeA?: boolean },
): KernelRow {
  const { M, K, transposeA = false } = shape;
  const options = { ...shape, N: PANEL };
  // A tile adds to what there was: with a factor of 0, nothing.
  const f = new Float32Array(PANEL);
  const make = (): KernelCase => {
    const [a, b] = matmulInputs({ name, options });
    const lay = (bed: Bed): Call => {
      const [A, B, F] = [bed.place(a), bed.place(b), bed.place(f)].map((x) => x.byteOffset);
      const out = bed.room(M * PANEL).fill(0);
      const { kernels, tile } = bed;
      const kernel = transposeA ? kernels.columnsAdd : kernels.rowsAdd;
      const lda = 4 * (transposeA ? M : K);
      return {
        out,
        run: () => {
          kernel(A!, lda, M, B!, 0, 1, K, out.byteOffset, 4 * PANEL, 4 * PANEL, F!, 0, tile);
        },
      };
    };
    return { lay, law: (stride) => matmulLaw(a, b, options, every(stride, M)) };
  };
  return { name, flops: matmulFlops({ name, options }), bytes: 0, roof: 'peak', make };
}

/**
 * One block of the online softmax, as a later block of a long row meets it. In place: the second run takes weights for
 * scores, which costs the same. `out` is scores, factors, maxima and sums, eight columns each:
 *
 *   p = 2^(s − m)      the difference is rounded, u·|s − m| in the exponent, less than that relative; 2^x errs by 2u
 *   factor = 2^(before − m)      likewise
 *   l = before·factor + Σ p      each term by its own error, and by the additions it goes through: two in a quad, one a quad,
 *                                two roundings at the last
 *
 * and each 2^x may be off by 2⁻¹²⁶ where it underflows.
 */
function softmax(): KernelCase {
  const scores = normal(BK * PANEL, 1, 4);
  const [before, sums] = [normal(PANEL, 2), normal(PANEL, 3).map(Math.abs)];
  const maxima = before.slice();
  for (const [at, x] of scores.entries()) maxima[at % PANEL] = Math.max(maxima[at % PANEL]!, x);
  const [FACTOR, MAXIMUM, SUM] = [BK * PANEL, (BK + 1) * PANEL, (BK + 2) * PANEL];
  const given = Float32Array.of(...scores, ...before, ...maxima, ...sums);

  const lay = (bed: Bed): Call => {
    const out = bed.place(given);
    const [s, factor, m, l] = [0, FACTOR, MAXIMUM, SUM].map((at) => out.byteOffset + 4 * at);
    const { kernels } = bed;
    return {
      out,
      run: () => {
        kernels.f32SoftmaxOnline(s!, BK, 2, factor!, m!, l!);
      },
    };
  };
  function* law(stride: number): Generator<RowLaw> {
    const values = Float64Array.from(given);
    const bounds = new Float64Array(given.length);
    for (let at = 0; at < MAXIMUM; at++) {
      const x = given[at]! - maxima[at % PANEL]!;
      values[at] = 2 ** x;
      bounds[at] = u * (Math.abs(x) + 2) * 2 ** x + 2 ** -126;
    }
    const depth = BK / 4 + 4;
    for (let lane = 0; lane < PANEL; lane++) {
      const factor = values[FACTOR + lane]!;
      values[SUM + lane] = sums[lane]! * factor;
      bounds[SUM + lane] = sums[lane]! * (bounds[FACTOR + lane]! + 2 * u * factor);
      for (let at = lane; at < FACTOR; at += PANEL) {
        values[SUM + lane]! += values[at]!;
        bounds[SUM + lane]! += bounds[at]! + depth * u * values[at]!;
      }
    }
    yield* lines(values, bounds, stride);
  }
  return { lay, law };
}

/** panel[i][j] = b[i][j]: a copy. */
function pack(): KernelCase {
  const b = normal(STEPS * PANEL, 1);
  const lay = (bed: Bed): Call => {
    const from = bed.place(b).byteOffset;
    const out = bed.room(STEPS * PANEL);
    const { kernels } = bed;
    return {
      out,
      run: () => {
        kernels.f32Pack(from, 4 * PANEL, STEPS, PANEL, out.byteOffset);
      },
    };
  };
  return { lay, law: (stride) => lines(Float64Array.from(b), new Float64Array(b.length), stride) };
}

/** panel[i][r] = rows[r][i] · scale: a transposed copy, one rounding where the scale is no power of two. */
function rowsToPanel(): KernelCase {
  const scale = Math.fround(Math.LOG2E / 8);
  const rows = Array.from({ length: PANEL }, (_, r) => normal(STEPS, r));
  const lay = (bed: Bed): Call => {
    const addresses = rows.map((row) => {
      // A line between two rows: rows 2 KB apart would share cache sets.
      bed.room(1);
      return bed.place(row).byteOffset;
    });
    const table = bed.room(PANEL);
    new Uint32Array(table.buffer, table.byteOffset, PANEL).set(addresses);
    const out = bed.room(STEPS * PANEL);
    const { kernels } = bed;
    return {
      out,
      run: () => {
        kernels.f32RowsToPanel(table.byteOffset, STEPS, scale, out.byteOffset);
      },
    };
  };
  const law = (stride: number): Iterable<RowLaw> => {
    const values = Float64Array.from(
      { length: STEPS * PANEL },
      (_, at) => rows[at % PANEL]![Math.floor(at / PANEL)]! * scale,
    );
    return lines(
      values,
      values.map((x) => u * Math.abs(x)),
      stride,
    );
  };
  return { lay, law };
}

/** Every head of one token, turned by the same table. */
function turn(): KernelCase {
  const { heads, headDim, offset } = TURN;
  const [x, pairs, row] = [normal(heads * headDim, 1), headDim / 2, 4 * headDim];
  const lay = (bed: Bed): Call => {
    const { kernels } = bed;
    const [frequencies, table] = [bed.room(headDim), bed.room(headDim)].map((room) => room.byteOffset);
    kernels.ropeFrequencies(frequencies!, pairs, 10000, 1);
    kernels.f32RopeTable(offset, frequencies!, pairs, table!);
    const from = bed.place(x).byteOffset;
    const out = bed.room(heads * headDim);
    return {
      out,
      run: () => {
        kernels.f32RopeSplit(from, row, out.byteOffset, row, heads, table!, 0, pairs);
      },
    };
  };
  const law = (stride: number): Iterable<RowLaw> => {
    const { values, bounds } = ropeLaw(x, TURN);
    return lines(values, bounds, stride);
  };
  return { lay, law };
}

/** A matmul by the driver with nothing to copy: tensors, packed weights. */
function driver(name: string, size: number): Row {
  const spec = { name, options: { M: size, N: size, K: size } };
  return {
    ...{ section: 'kernels', name, flops: matmulFlops(spec), bytes: 0, roof: 'peak', quick: true },
    prepare: ({ engines }) => prepareTensors(spec, engines, true),
  };
}
