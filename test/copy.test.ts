/** Copies between arrays and memory, alone: from any byte to any other, and nothing beside. */
import { describe, expect, it } from 'vitest';
import { copyFew, copyShared } from '../src/memory/copy.ts';

describe('to and from shared memory', () => {
  /** Longer than what is copied through, twice, and not a multiple of it. */
  const sizes = [0, 1, 4, 32767, 32768, 32769, 70_000];

  it.each(sizes)('%i bytes, however the two ends lie', (bytes) => {
    for (const [toAt, fromAt] of [
      [0, 0],
      [4, 12],
      [8, 4],
      [3, 4],
      [12, 5],
      [7, 0],
    ] as const) {
      const from = Uint8Array.from({ length: bytes + 24 }, (_, i) => 1 + ((i * i) % 251));
      for (const shared of [toAt, fromAt]) {
        const to = new Uint8Array(bytes + 24);
        copyShared(to.buffer, toAt, from.buffer, fromAt, bytes, shared);
        const expected = new Uint8Array(bytes + 24);
        expected.set(from.subarray(fromAt, fromAt + bytes), toAt);
        expect(to.every((byte, i) => byte === expected[i])).toBe(true);
      }
    }
  });
});

it('of a few numbers: those, at their places', () => {
  const [to, from] = [new Float32Array(8), Float32Array.of(1, 2, 3, 4, 5)];
  copyFew(to, 3, from, 1, 3);
  expect([...to]).toEqual([0, 0, 0, 2, 3, 4, 0, 0]);
});
