/** Some matmuls of integers on every tile: to the last bit. test/slow/integers.test.ts has all. */
import { describe, expect, it } from 'vitest';
import { createEngine } from '../src/index.ts';
import { TILES_OF } from '../src/tile.ts';
import { builds } from './builds.ts';
import { integerProducts, PRODUCTS } from './integers.ts';

describe.each(builds)('%s', (simd) => {
  it.each(TILES_OF[simd])('a hundredth of all M, N, K in 0 … 64, tile %s', async (tile) => {
    const engine = await createEngine({ simd, tile, threads: 1 });
    let done = 0;
    for (done of integerProducts(engine, 100));
    expect(done).toBeGreaterThan(PRODUCTS / 200);
    engine.dispose();
  });
});
