/**
 * Matmul of integers, whose sums float32 holds exactly in whatever order they are added: all M, N, K in 0 … 64 must be equal to the
 * last bit. How the operands lie, packed or transposed, is drawn for each.
 */
import { expect } from 'vitest';
import type { Engine } from '../src/index.ts';
import { integers, uniform } from './data.ts';
import { equal, firstDifference } from './equal.ts';

const SIZE = 64;
/** 64 · 20² + 20 is far below 2²⁴. */
const MOST = 20;

/** How many products there are. */
export const PRODUCTS: number = (SIZE + 1) ** 3;

const A = integers(SIZE * SIZE, 1, MOST);
const B = integers(SIZE * SIZE, 2, MOST);
const BIAS = integers(SIZE, 3, MOST);

/** The first rows and columns of a square matrix; the other way round if turned. */
function leading(x: Float32Array, rows: number, cols: number, turned = false): Float32Array {
  const [row, col] = turned ? [1, rows] : [cols, 1];
  const some = new Float32Array(rows * cols);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) some[r * row + c * col] = x[r * SIZE + c]!;
  return some;
}

/** About one product in `every`, seeded; tells how many are done. */
export function* integerProducts(engine: Engine, every = 1): Generator<number> {
  const next = uniform(every);
  const flip = (): boolean => next() < 0.5;
  const sums = new Float32Array(SIZE * SIZE);
  let done = 0;
  for (let K = 0; K <= SIZE; K++) {
    for (let i = 0; K > 0 && i < sums.length; i++) {
      sums[i]! += A[Math.floor(i / SIZE) * SIZE + K - 1]! * B[(K - 1) * SIZE + (i % SIZE)]!;
    }
    for (let M = 0; M <= SIZE; M++) {
      for (let N = 0; N <= SIZE; N++) {
        if (next() * every >= 1) continue;
        const [transposeA, transposeB, packed, biased] = [flip(), flip(), flip(), flip()];
        const a = leading(A, M, K, transposeA);
        const b = leading(B, K, N, transposeB);
        const bias = biased ? BIAS.subarray(0, N) : undefined;
        const matrix = packed ? engine.packMatrix(b, { K, N, transposeB }) : undefined;
        const out = matrix
          ? engine.matmul(a, matrix, { M, transposeA, bias })
          : engine.matmul(a, b, { M, N, K, transposeA, transposeB, bias });
        matrix?.dispose();
        const right = leading(sums, M, N).map((sum, i) => sum + (biased ? BIAS[i % N]! : 0));
        if (!equal(out, right)) {
          const how = JSON.stringify({ M, N, K, transposeA, transposeB, packed, biased });
          expect.fail(`${how} differs at [${firstDifference(out, right)}]`);
        }
        yield ++done;
      }
    }
  }
}
