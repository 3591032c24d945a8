/**
 * That the tile of a build is chosen once, by whatever clock there is, and only where nobody asks for one (src/tile.ts).
 *
 * @node fresh copies of a module are those of Node's module runner
 */
import { beforeEach, afterEach, expect, it, vi } from 'vitest';
import type { Tile, TileChoice } from '../src/tile.ts';

beforeEach(() => {
  vi.resetModules();
});
afterEach(() => {
  vi.restoreAllMocks();
});
/** A choice that nobody has made yet. */
const fresh = async (work: () => (tile: Tile) => void, asked: Tile | 'auto' = 'auto') => {
  const { tileFor } = await import('../src/tile.ts');
  return () => tileFor('baseline', false, asked, work);
};
it('is made once, by the time that there is', async () => {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const run = vi.fn((tile: Tile) => {
    now += tile === '3x12' ? 0.5 : 1;
  });
  const work = vi.fn(() => run);
  const choose = await fresh(work);
  const made = choose() as TileChoice;
  for (let i = 0; i < 40; i++) {
    now += 20;
    expect(['4x8', '3x12']).toContain(made.best);
  }
  expect(choose()).toBe('3x12');
  expect(work).toHaveBeenCalledTimes(1);
});
it('is made by the date where there is no other clock', async () => {
  let now = 0;
  vi.spyOn(Date, 'now').mockImplementation(() => (now += 20));
  const run = vi.fn();
  const choose = await fresh(() => run);
  const { performance } = globalThis;
  Reflect.deleteProperty(globalThis, 'performance');
  try {
    const made = choose() as TileChoice;
    expect(made.best).toBe('4x8');
    expect(run).toHaveBeenCalled();
  } finally {
    Object.defineProperty(globalThis, 'performance', {
      value: performance,
      configurable: true,
      writable: true,
    });
  }
});
it('is one of its build', async () => {
  const { TILES_OF, TILE_WORDS } = await import('../src/tile.ts');
  expect(TILES_OF).toEqual({ baseline: ['4x8', '3x12', '4x16'], relaxed: ['6x8', '4x8', '6x16'] });
  expect([...TILE_WORDS].sort()).toEqual(['3x12', '4x16', '4x8', '6x16', '6x8']);
});
it('is none where it is asked for one that it has, or has not', async () => {
  const work = vi.fn();
  expect((await fresh(work, '4x16'))()).toBe('4x16');
  expect((await fresh(work, '6x16'))()).toBe('4x8');
  expect(work).not.toHaveBeenCalled();
});
