/**
 * The formula of a register tile in plain JavaScript, and its operands as they lie in memory: what the tests of single
 * tiles and of rows of tiles share.
 */
import { ADD, gamma, MAX, type Arena, type Block, type Epilogue } from './harness.ts';

/** Columns of every tile. */
export const COLUMNS = 8;

/** C[rows × cols] = A[rows × k] · B[k × cols], all row-major and tight; f [cols]. */
export interface Operands {
  readonly rows: number;
  readonly cols: number;
  readonly k: number;
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly c: Float32Array;
  readonly f: Float32Array;
}

/** Makes operands of numbers from `make(length, seed)`. */
export function operands(
  rows: number,
  cols: number,
  k: number,
  make: (length: number, seed: number) => Float32Array,
): Operands {
  const seed = 1000 * rows + 10 * k;
  return {
    rows,
    cols,
    k,
    a: make(rows * k, seed),
    b: make(k * cols, seed + 1),
    c: make(rows * cols, seed + 2),
    f: make(cols, seed + 3),
  };
}

export interface Result {
  readonly c: Float32Array;
  readonly f: Float32Array;
}

/** As the contract says, to the bit: each sum from zero in ascending order of k, then the epilogue. */
export function inOrder({ rows, cols, k, a, b, c, f }: Operands, epilogue: Epilogue, arena: Arena): Result {
  const out = new Float32Array(rows * cols);
  const maxima = f.slice();
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) {
      let x = 0;
      for (let p = 0; p < k; p++) x = arena.madd(a[i * k + p]!, b[p * cols + j]!, x);
      const at = i * cols + j;
      if (epilogue === ADD) out[at] = arena.madd(c[at]!, f[j]!, x);
      else out[at] = x;
      // A NaN is no larger maximum.
      if (epilogue === MAX && maxima[j]! < x) maxima[j] = x;
    }
  }
  return { c: out, f: maxima };
}

/**
 * In float64, with the bound on a float32 result. A product meets at most k roundings in its sum (its own, and one at
 * each addition but the first, which adds to zero), and one more in an epilogue that adds; what the epilogue adds meets
 * that one, and one of its own where it is a product.
 */
export function exact(
  { rows, cols, k, a, b, c, f }: Operands,
  epilogue: Epilogue,
): { c: Float64Array; bound: Float64Array } {
  const out = new Float64Array(rows * cols);
  const bound = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) {
      let sum = 0;
      let size = 0;
      for (let p = 0; p < k; p++) {
        const product = a[i * k + p]! * b[p * cols + j]!;
        sum += product;
        size += Math.abs(product);
      }
      const at = i * cols + j;
      const first = epilogue === MAX ? 0 : c[at]! * f[j]!;
      out[at] = first + sum;
      bound[at] =
        gamma(epilogue === MAX ? k : k + 1) * size + gamma(epilogue === ADD ? 2 : 1) * Math.abs(first);
    }
  }
  return { c: out, bound };
}

/** A matrix as rows of `columns` floats with `gap` canaries between two rows, none behind the last. */
export function spread(matrix: ArrayLike<number>, columns: number, gap: number): Float32Array {
  const rows = columns === 0 ? 0 : matrix.length / columns;
  const out = new Float32Array(rows === 0 ? 0 : rows * (columns + gap) - gap).fill(NaN);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[i * (columns + gap) + j] = matrix[i * columns + j]!;
  }
  return out;
}

/** The rows of a matrix that `spread` laid out, one behind the other. */
export function gather(block: Block, rows: number, columns: number, gap: number): Float32Array {
  const out = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const start = i * (columns + gap);
    out.set(block.floats.subarray(start, start + columns), i * columns);
  }
  return out;
}

/** [rows × columns] => [columns × rows]. */
export function transpose(matrix: Float32Array, rows: number, columns: number): Float32Array {
  return Float32Array.from(matrix, (_, at) => matrix[(at % rows) * columns + Math.floor(at / rows)]!);
}

/** [k × 8·panels] => panels of eight columns, one behind the other. */
export function inPanels(b: Float32Array, k: number, cols: number): Float32Array[] {
  return Array.from({ length: cols / COLUMNS }, (_, panel) =>
    Float32Array.from(
      { length: k * COLUMNS },
      (_, at) => b[Math.floor(at / COLUMNS) * cols + panel * COLUMNS + (at % COLUMNS)]!,
    ),
  );
}
