/**
 * KVCache as a ring: positions that are absolute over many laps, which windows it is exact for, and what truncating leaves.
 * The plain double (test/caches.ts) knows of each token whether a later one has taken its slot, by identity.
 */
import { describe, expect, it } from 'vitest';
import type { KVCacheOptions } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { Pair } from './caches.ts';
import { normal } from './data.ts';
import { fault } from './nothing-lost.ts';
import { expectSameBits } from './problems.ts';

describe.each(builds)('%s', async (build) => {
  const engine = await engineOf(build);
  const small: KVCacheOptions = { batch: 3, kvHeads: 2, headDim: 7, valueDim: 5, capacity: 210 };
  const rings = (['f32', 'f16'] as const).map((dtype) => {
    return new Pair(engine, { ...small, capacity: 100, ring: true, dtype });
  });

  it.each(rings)('many laps: positions are absolute, what has fallen out is not seen', (pair) => {
    expect(pair.cache.capacity).toBe(192);
    for (let i = 0; pair.cache.length < 2000; i++) {
      const tokens = [1, 50, 7, 192, 1, 96][i % 6]!;
      pair.append(tokens, { counts: [tokens, Math.floor(tokens / 3), Number(i % 9 === 0)] });
      pair.expectContents();
      const slopes = Float32Array.of(0.1, -0.01);
      for (const [seqQ, before] of [
        [1, 191],
        [2, 190],
        [5, 187],
        [1, 0],
        [192, 0],
      ] as const) {
        pair.expectAttends({ heads: 2, seqQ, window: [before, 0], alibi: slopes });
      }
    }
    pair.cache.dispose();
  });

  const oneRing = (tokens: number): Pair => {
    const pair = new Pair(engine, { kvHeads: 1, headDim: 4, capacity: 96, ring: true });
    for (let left = tokens; left > 0; left -= 96) pair.append(Math.min(left, 96));
    return pair;
  };
  const lost = (pair: Pair, before: number, seqQ = 1): boolean => {
    const q = normal(4 * seqQ, 1);
    const options = { heads: 1, seqQ, window: [before, 0] as const };
    if (pair.plain.sees(seqQ, before)) {
      pair.expectAttends(options, q);
      return false;
    }
    expect(fault(() => pair.cache.attend(q, options)).code).toBe('ERR_CACHE_WINDOW');
    return true;
  };

  it('is exact where capacity >= before + seqQ, and else refuses', () => {
    for (const tokens of [1, 50, 96, 97, 200, 1000]) {
      const pair = oneRing(tokens);
      for (const [before, seqQ, refused] of [
        [95, 1, false],
        [96, 1, true],
        [94, 2, false],
        [95, 2, true],
        [0, 96, false],
        [0, 97, true],
        [Infinity, 1, true],
      ] as const) {
        expect(lost(pair, before, seqQ), `${tokens}: [${before}, 0], seqQ ${seqQ}`).toBe(refused);
      }
      pair.cache.dispose();
    }
  });

  it('truncated sees what it still has, and nothing that has fallen out', () => {
    const pair = oneRing(200);
    pair.truncate(150);
    // Tokens from 104 on are there: the 96 before token 200.
    expect(lost(pair, 45)).toBe(false);
    expect(lost(pair, 46)).toBe(true);
    pair.append(10);
    expect(lost(pair, 55)).toBe(false);
    expect(lost(pair, 56)).toBe(true);
    pair.append(96);
    expect(lost(pair, 95)).toBe(false);
    pair.cache.dispose();
  });

  it('truncated to what has fallen out begins anew from there, at 0 too', () => {
    for (const n of [0, 1, 50, 104]) {
      const pair = oneRing(200);
      pair.truncate(n);
      if (n > 0) expect(lost(pair, 0)).toBe(true);
      pair.append(10);
      pair.expectContents();
      expect(lost(pair, 9), `after ${n}`).toBe(false);
      expect(lost(pair, 10), `after ${n}`).toBe(n > 0);
      pair.append(90);
      expect(lost(pair, 95)).toBe(false);
      pair.cache.dispose();
    }
  });

  it('NaN in what was truncated away stays unseen', () => {
    const pair = oneRing(100);
    const nan = new Float32Array(12).fill(NaN);
    pair.append(3, {}, [nan, nan]);
    pair.truncate(100);
    // Tokens 4 … 6 have fallen out for those of NaN: they lie in the four keys that are looked at together.
    expect(pair.expectAttends({ heads: 1, window: [92, 0] }).every(Number.isFinite)).toBe(true);
    pair.cache.dispose();
  });
  it('a ring counts to 2³¹ − 96, and says so before it would wrap', () => {
    const pair = new Pair(engine, { kvHeads: 1, headDim: 4, capacity: 96, ring: true });
    const most = 2 ** 31 - 96;
    pair.cache.commit([most - 200], 0);
    const v = normal(4 * 200, 1);
    for (let t = 0; t < 200; t += 50) {
      const each = v.subarray(4 * t, 4 * (t + 50));
      pair.cache.append(each, each);
    }
    expect(pair.cache.length).toBe(most);
    for (const seqQ of [1, 2, 50]) {
      const out = pair.cache.attend(normal(4 * seqQ, 2), { heads: 1, seqQ, window: [0, 0] });
      expectSameBits(out, v.slice(-4 * seqQ));
    }
    const error = fault(() => {
      pair.cache.append(v.subarray(0, 4), v.subarray(0, 4));
    });
    expect(error.message).toBe(
      'append: "k" expected at most 0 tokens more (a ring counts 2147483552), got 1 [ERR_CACHE_FULL]',
    );
    pair.cache.truncate(0);
    pair.append(60);
    pair.expectAttends({ heads: 1, window: [59, 0] });
    pair.cache.dispose();
  });
});
