/**
 * How a matmul takes its B: an array piece by piece, packed depth block by depth block or as a whole, a tensor or a view of
 * one where it lies, a packed matrix as it is. All of these add in the same order, so they give the same bits.
 */
import { describe, expect, it } from 'vitest';
import { createEngine, type Engine } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { normal } from './data.ts';
import { expectSameBits } from './problems.ts';

describe.each(builds)('%s', async (build) => {
  const engine: Engine = await engineOf(build);

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
