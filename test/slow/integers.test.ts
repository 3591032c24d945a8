/** Matmuls of integers for all M, N, K in 0 … 64, 274,625 of them, on every build and tile: to the last bit. */
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createEngine } from '../../src/index.ts';
import { TILES_OF } from '../../src/tile.ts';
import { builds } from '../builds.ts';
import { integerProducts, PRODUCTS } from '../integers.ts';

describe.each(builds)('%s', (simd) => {
  it.each(TILES_OF[simd])('all M, N, K in 0 … 64, tile %s', async (tile) => {
    const engine = await createEngine({ simd, tile, threads: 1 });
    let done = 0;
    for (done of integerProducts(engine)) {
      if (done % 50_000 !== 0) continue;
      console.log(`${simd}, tile ${tile}: ${done} of ${PRODUCTS} products`);
      // Lets the runner print.
      await setImmediate();
    }
    expect(done).toBe(PRODUCTS);
    engine.dispose();
  });
});
