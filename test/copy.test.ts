/** Copies between arrays and memory, alone: from any byte to any other, and nothing beside. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { copyFew, copyShared } from '../src/memory/copy.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('to and from shared memory', () => {
  /**
   * Longer than what is copied through, twice, and not a multiple of it. The longest comes first: what is copied through is made by the first
   * test that needs it, and only a long copy sees how long that is.
   */
  const sizes = [70_000, 32769, 32768, 32767, 4, 1, 0];

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

  /** The bytes are the same either way. Straight, it takes four to five times as long where the two ends lie differently. */
  it.each([
    [8, 8, 32, 'straight'],
    [4, 12, 32, 'straight'],
    [13, 5, 32, 'straight'],
    [16, 0, 70_000, 'straight'],
    [8, 4, 32, 'through plain memory'],
    [4, 0, 32, 'through plain memory'],
    [6, 2, 32, 'through plain memory'],
    [5, 3, 32768, 'through plain memory'],
  ])('to %i from %i, %i bytes: %s', (toAt, fromAt, bytes, way) => {
    const [to, from] = [new Uint8Array(toAt + bytes), new Uint8Array(fromAt + bytes)];
    const set = vi.spyOn(Uint8Array.prototype, 'set');
    copyShared(to.buffer, toAt, from.buffer, fromAt, bytes, toAt);
    const sources = set.mock.calls.map(([source]) => (source as Uint8Array).buffer);
    expect(sources[0]).toBe(from.buffer);
    expect(sources).toHaveLength(way === 'straight' ? 1 : 2);
    expect(sources[1]).not.toBe(from.buffer);
  });
});

it('of a few numbers: those, at their places', () => {
  const [to, from] = [new Float32Array(8), Float32Array.of(1, 2, 3, 4, 5)];
  copyFew(to, 3, from, 1, 3);
  expect([...to]).toEqual([0, 0, 0, 2, 3, 4, 0, 0]);
});
