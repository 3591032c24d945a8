/** Every small shape of attention between fences (test/fences.ts), 48,960 of them, on every build and tile; and drawn calls. */
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { TILES_OF } from '../../src/tile.ts';
import { builds } from '../builds.ts';
import { drawn, SHAPES, sweep } from '../fenced-sweep.ts';
import { fencesOf } from '../fences.ts';

const RUNS = 500;

describe.each(builds)('%s', (build) => {
  it('all small shapes', async () => {
    let shapes = 0;
    for (shapes of sweep(build)) {
      if (shapes % (SHAPES / 10) !== 0) continue;
      console.log(`${build}: ${shapes} of ${SHAPES} shapes`);
      // Lets the runner print.
      await setImmediate();
    }
    expect(shapes).toBe(SHAPES);
  });

  it.each(TILES_OF[build].flatMap((tile) => drawn.map(({ name, fence }) => ({ tile, name, fence }))))(
    'drawn: $name, tile $tile',
    ({ tile, fence }) => {
      fence(fencesOf(build, tile), RUNS);
    },
  );
});
