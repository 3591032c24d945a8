/**
 * Determinism: 64 results over all operations have the bits that were recorded (test/platform/programs/goldens.json), with any number of
 * threads, asked for at once or later, alone or in a batch of seven. Here on this engine; test/platform asks the same of all others.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as heed from '../src/index.ts';
import { Team } from '../src/threads/team.ts';
import { builds, engineOf } from './builds.ts';
import recorded from './platform/programs/goldens.json' with { type: 'json' };
import { GOLDENS, hashes, hashOf } from './platform/programs/goldens.mjs';

/** A page that is not isolated has no threads. */
const counts = 'SharedArrayBuffer' in globalThis ? [2, 4] : [];

describe('goldens', () => {
  beforeAll(() => {
    const isWorth: (this: Team, work: number) => boolean = Reflect.get(Team.prototype, 'isWorth');
    // However small: but nothing that has no work to share.
    vi.spyOn(Team.prototype, 'isWorth').mockImplementation(function share(this: Team, work) {
      return isWorth.call(this, work > 0 ? Infinity : 0);
    });
  });
  afterAll(() => {
    vi.restoreAllMocks();
  });

  const hashesOf = async (options: heed.EngineOptions): Promise<Record<string, string>> => {
    const engine = await heed.createEngine(options);
    const found = await hashes(heed, engine);
    engine.dispose();
    return found;
  };

  it('are 64, no two alike: no option is without effect', () => {
    expect(GOLDENS).toHaveLength(64);
    expect(new Set(Object.values(recorded)).size).toBe(64);
  });

  it.each([1, ...counts])('baseline, threads: %i', async (threads) => {
    expect(await hashesOf({ simd: 'baseline', threads })).toEqual(recorded);
  });

  // Of the relaxed build the bits are the machine's own.
  it.each(builds.filter((build) => build === 'relaxed'))(
    '%s: the same of two engines, with threads too',
    async (simd) => {
      const first = await hashesOf({ simd, threads: 1 });
      // A hash, and no two that disagree.
      for (const hash of Object.values(first)) expect(hash).toMatch(/^[0-9a-f]{64}$/);
      expect(await hashesOf({ simd, threads: counts[0] ?? 1 })).toEqual(first);
    },
  );

  it('tell one input from another, and its place in a batch', async () => {
    const engine = await engineOf('baseline');
    for (const golden of GOLDENS) {
      const other = await hashOf(heed, engine, golden, { members: [1] });
      expect(other, golden.name).not.toBe(recorded[golden.name as keyof typeof recorded]);
      expect(await hashOf(heed, engine, golden, { members: [0, 1], place: 1 }), golden.name).toBe(other);
    }
    engine.dispose();
  });
});
