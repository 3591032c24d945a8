/** When a soak (test/slow/soak.ts) says that memory is flat: a leak is seen, what only wanders is none. */
import { expect, it } from 'vitest';
import { uniform } from './data.ts';
import { flatness } from './slow/flat.ts';

/** An hour: a reading every ten seconds, and how many calls there had been. */
const calls = Array.from({ length: 360 }, (_, i) => 4000 * i);

/** Bytes that wander by `most`, each reading near the one before. */
function wandering(most: number): number[] {
  const next = uniform(7);
  let off = 0;
  return calls.map(() => {
    off = 0.85 * off + (next() - 0.5) * most;
    return 4e8 + off;
  });
}

it('a leak of two bytes a call is seen where readings are steady', () => {
  expect(flatness(wandering(1e4), calls).flat).toBe(true);
  const leak = wandering(1e4).map((bytes, i) => bytes + 2 * calls[i]!);
  const { flat, growth, uncertainty } = flatness(leak, calls);
  expect(flat).toBe(false);
  expect(Math.abs(growth - 2)).toBeLessThan(uncertainty);
});

it('where they wander by megabytes a larger one is, and wandering is none', () => {
  expect(flatness(wandering(8e6), calls).flat).toBe(true);
  expect(
    flatness(
      wandering(8e6).map((bytes, i) => bytes + 50 * calls[i]!),
      calls,
    ).flat,
  ).toBe(false);
});

it('what grows only at the beginning is flat', () => {
  const warm = wandering(1e4).map((bytes, i) => bytes + 8e7 * Math.min(1, i / 100));
  expect(flatness(warm, calls).flat).toBe(true);
});

it('a few readings say nothing', () => {
  expect(flatness(wandering(1e4).slice(0, 20), calls.slice(0, 20)).flat).toBeUndefined();
});
