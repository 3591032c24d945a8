/**
 * How a matmul takes its B: an array piece by piece, packed depth block by depth block or as a whole, a tensor or a view of
 * one where it lies, a packed matrix as it is. All of these add in the same order, so they give the same bits.
 */
import { describe, expect, it } from 'vitest';
import { createEngine, type Engine } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { integers, normal } from './data.ts';
import { expectSameBits } from './problems.ts';

describe.each(builds)('%s', async (build) => {
  const engine: Engine = await engineOf(build);

  it('no depth leaves zeros, whatever lay there', () => {
    for (const M of [1, 3]) {
      for (const transposeA of [false, true]) {
        const out = new Float32Array(M * 13).fill(NaN);
        const none = new Float32Array(0);
        expectSameBits(
          engine.matmul(none, none, { M, N: 13, K: 0, transposeA, out }),
          new Float32Array(M * 13),
        );
      }
    }
  });

  it('one row times packed panels, without a bias, is each column times that row', () => {
    // Beyond 1024 bytes of columns: an address of no bias that is taken for one finds the kernels' constants there.
    const [N, K] = [1030, 3];
    const a = normal(K, 1);
    const b = normal(K * N, 2);
    const packed = engine.packMatrix(b, { K, N });
    const out = engine.matmul(a, packed, { M: 1 });
    packed.dispose();
    const two = engine.matmul(Float32Array.of(...a, ...a), b, { M: 2, N, K });
    expectSameBits(out, two.subarray(N));
  });

  it('one row times 17 MB, more than caches hold, in two blocks of its depth, another row behind it', () => {
    const [batch, N, K] = [2, 2 ** 14, 263];
    const a = integers(batch * K, 1, 9);
    const b = new Float32Array(batch * K * N);
    const sums = new Float32Array(batch * N);
    for (let k = 0; k < batch * K; k++) {
      const sum = k < K ? 0 : N;
      for (let n = 0; n < N; n++) sums[sum + n]! += a[k]! * (b[k * N + n] = ((k + 1) * (n & 15)) % 19);
    }
    expectSameBits(engine.matmul(a, b, { batch, M: 1, N, K }), sums);
  });

  it('rows that are many, whose B is packed as a whole, and the same rows in two calls', () => {
    const [M, N, K] = [1030, 9, 600];
    const a = normal(M * K, 1);
    const b = normal(K * N, 2);
    const all = engine.matmul(a, b, { M, N, K });
    const cut = 1024;
    expectSameBits(engine.matmul(a.subarray(0, cut * K), b, { M: cut, N, K }), all.subarray(0, cut * N));
    expectSameBits(engine.matmul(a.subarray(cut * K), b, { M: M - cut, N, K }), all.subarray(cut * N));
  });

  it('holds no copy of B, and one depth block of its panels', async () => {
    const one = await createEngine({ threads: 1, simd: build });
    const [M, N, K] = [2, 512, 4096];
    const { reserved } = one.memory;
    one.matmul(normal(M * K, 1), normal(K * N, 2), { M, N, K });
    const needed = 4 * (M * K + M * N + 256 * N);
    expect(one.memory.reserved - reserved).toBeLessThan(needed + 256 * 1024);
    one.dispose();
  });

  it('out may be the array that B is read from', () => {
    const [M, N, K] = [300, 40, 300];
    const a = normal(M * K, 1);
    const b = normal(K * N, 2);
    const apart = engine.matmul(a, b, { M, N, K });
    expectSameBits(engine.matmul(a, b, { M, N, K, out: b }), apart);
    const tensor = engine.tensor([K, N], normal(K * N, 2));
    const view = tensor.data;
    expectSameBits(engine.matmul(a, view, { M, N, K, out: view }), apart);
    tensor.dispose();
  });
});
