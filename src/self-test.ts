/**
 * Known answers, computed once by every new instance before anybody uses it. An engine may accept a build and compute
 * it wrongly (Node 20 behind its flag does so with one relaxed instruction), and bytes may have been damaged.
 */
import * as calls from './calls.ts';
import type { Runtime } from './runtime.ts';

/** Small integers: exact in any order of addition, with and without FMA. */
const A = Float32Array.from({ length: 9 * 5 }, (_, i) => ((i * 7) % 11) - 5);
const B = Float32Array.from({ length: 5 * 13 }, (_, i) => ((i * 5) % 9) - 4);

/** Whether this instance computes what it should. */
export function passesSelfTest(runtime: Runtime, op: string): boolean {
  return matmulIsExact(runtime, op) && attentionIsExact(runtime, op);
}

/** [9 × 5] · [5 × 13]: whole tiles and what remains of them. */
function matmulIsExact(runtime: Runtime, op: string): boolean {
  const [M, N, K] = [9, 13, 5];
  const c = calls.matmul(runtime, op, A, B, { M, N, K }) as Float32Array;
  return c.every((value, at) => {
    let sum = 0;
    for (let k = 0; k < K; k++) sum += at_(A, Math.floor(at / N) * K + k) * at_(B, k * N + (at % N));
    return value === sum;
  });
}

/** Query i finds key i by a score that leaves the others nothing: the result is its value, bit for bit. */
function attentionIsExact(runtime: Runtime, op: string): boolean {
  const size = 9;
  const eye = Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 32 : 0));
  const v = A.subarray(0, size * 5);
  const o = calls.attention(runtime, op, eye, eye, v, { seqQ: size, headDim: size, valueDim: 5, scale: 1 });
  return (o as Float32Array).every((value, at) => value === v[at]);
}

function at_(x: Float32Array, i: number): number {
  return x[i] ?? NaN;
}
