/**
 * What a cache refuses for what is in it, and at the wrong time (docs/reliability.md, faults 37–39 and those of every call):
 * after each of them its memory and lengths, the arrays, the engine and its memory are as they were. Its door is in
 * door-cache.
 */
import { describe, expect, it, vi } from 'vitest';
import type { AppendOptions, KVCache } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { collect } from './collect.ts';
import { FAULTY, filled, untyped } from './caches.ts';
import { f32, normal } from './data.ts';
import { fault, goesOn, matches, passesOn, pattern, refuses, watch, type Refusal } from './nothing-lost.ts';
import { disposed, ended, refusal } from './refusals.ts';

describe.each(builds)('%s', (build) => {
  describe('for what is in it', async () => {
    const engine = await engineOf(build);
    const [cache, half, ring] = [
      filled(engine),
      filled(engine, { dtype: 'f16' }),
      filled(engine, { ring: true }),
    ];
    const watched = await watch(engine, cache, half, ring);

    it('attend to a ring that has lost what is seen', () => {
      const words = 'one that reaches no token that has fallen out of the ring, got before 90 with seqQ 2';
      const other = filled(engine, { ring: true });
      for (let i = 0; i < 5; i++) other.append(f32(12 * 90), f32(16 * 90));
      other.truncate(440);
      const all = { ...watched, memory: [...watched.memory, other] };
      const call = (): unknown => other.attend(f32(48), { heads: 4, seqQ: 2, window: [90, 0] });
      refuses(call, refusal('attend', 'window', 'ERR_CACHE_WINDOW', words), all);
      other.dispose();
    });

    it.each([
      [4, 'ERR_RANGE', 'an integer from 0 to 3, got 4'],
      [-1, 'ERR_RANGE', 'an integer from 0 to 3, got -1'],
      [1.5, 'ERR_RANGE', 'an integer from 0 to 3, got 1.5'],
      [NaN, 'ERR_RANGE', 'an integer from 0 to 3, got NaN'],
      ['1', 'ERR_ARG_TYPE', 'an integer from 0 to 3, got string'],
      [undefined, 'ERR_ARG_TYPE', 'an integer from 0 to 3, got undefined'],
    ] as const)('truncate to %s (fault 39)', (n, code, words) => {
      for (const each of [cache, half, ring]) {
        refuses(() => untyped(each, 'truncate', n), refusal('truncate', 'n', code, words), watched);
      }
    });

    it('a ring takes no more than its capacity at once; one sequence is not told apart', () => {
      const words = 'at most 96 tokens more in sequence 0 (a ring of 96), got 97';
      const all = refusal('append', 'k', 'ERR_CACHE_FULL', words);
      refuses(() => untyped(ring, 'append', f32(12 * 97), f32(16 * 97)), all, watched);
      const one = engine.kvCache({ kvHeads: 1, headDim: 1, capacity: 2 });
      one.append(f32(2), f32(2));
      const full = refusal('append', 'k', 'ERR_CACHE_FULL', 'at most 0 tokens more (2 of 2 in use), got 1');
      refuses(() => untyped(one, 'append', f32(1), f32(1)), full, { ...watched, memory: [one] });
      one.dispose();
    });

    it('float16 cannot hold it: wherever it is, nothing is written', () => {
      const words = 'numbers of at most ±65504 in a float16 cache, got one beyond';
      for (const [at, x] of [
        [0, 65505],
        [5, -65520],
        [11, 3e38],
      ] as const) {
        for (const name of ['k', 'v']) {
          const [k, v] = [pattern(12), pattern(16)];
          (name === 'k' ? k : v)[at] = x;
          const all = { ...watched, memory: [...watched.memory, k, v] };
          const beyond = refusal('append', 'k, v', 'ERR_RANGE', words);
          refuses(() => untyped(half, 'append', k, v), beyond, all);
          // What does not count is not looked at.
          half.append(k, v, { counts: at < 6 && name === 'k' ? [0, 1] : [0, 0] });
          half.truncate(1);
          half.append(normal(24, 1), normal(32, 2), { counts: [2, 0] });
        }
      }
    });
  });

  describe('at the wrong time', () => {
    const gone = (op: string): Refusal => disposed(op, 'cache', 'cache');
    const uses = (cache: KVCache): readonly [op: string, use: () => unknown][] => [
      ['append', () => untyped(cache, 'append', f32(12), f32(16))],
      ['attend', () => cache.attend(f32(24), { heads: 4 })],
      ['truncate', () => untyped(cache, 'truncate', 0)],
      // It is told before what else is wrong.
      ['append', () => untyped(cache, 'append', 5)],
      ['attend', () => untyped(cache, 'attend', 5)],
      ['truncate', () => untyped(cache, 'truncate', -1)],
    ];

    it('after dispose (fault 31)', async () => {
      const engine = await engineOf(build);
      const cache = filled(engine);
      cache.dispose();
      const other = filled(engine);
      const watched = await watch(engine, other);
      for (const [op, use] of uses(cache)) refuses(use, gone(op), watched);
      expect([cache.length, cache.capacity]).toEqual([3, 5]);
    });

    it.each([
      ['f32', false],
      ['f16', true],
    ] as const)(
      'that nobody holds, of %s, ring %s: its memory is given back (fault 35)',
      async (dtype, ring) => {
        const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
        const engine = await engineOf(build);
        const make = (): void => void engine.kvCache({ kvHeads: 1, headDim: 8, capacity: 96, dtype, ring });
        for (let i = 0; i < 5; i++) make();
        expect(engine.memory.used).toBe(5 * 2 * 96 * 8 * (dtype === 'f16' ? 2 : 4));
        await collect(() => engine.memory.used === 0);
        expect(engine.memory.used).toBe(0);
        expect(warn.mock.calls.length).toBeLessThanOrEqual(1);
        warn.mockRestore();
        engine.dispose();
      },
    );

    it('after its engine was disposed of', async () => {
      const engine = await engineOf(build);
      const cache = filled(engine);
      engine.dispose();
      for (const [op, use] of uses(cache)) matches(fault(use), gone(op));
      for (const options of [FAULTY, {} as typeof FAULTY]) {
        matches(
          fault(() => engine.kvCache(options)),
          ended('kvCache', 'engine'),
        );
      }
      cache.dispose();
    });

    it('options are read once, before the cache is looked at (faults 41, 44)', async () => {
      const engine = await engineOf(build);
      const cache = filled(engine);
      const watched = await watch(engine, cache);
      const mine = new Error('mine');
      const throwing = {
        get layout(): never {
          throw mine;
        },
      };
      await passesOn(mine, () => untyped(cache, 'append', f32(12), f32(16), throwing), watched);
      const scaling = {
        heads: 4,
        get scale(): never {
          throw mine;
        },
      };
      await passesOn(mine, () => untyped(cache, 'attend', f32(24), scaling), watched);
      goesOn(watched);
      const [k, v] = [normal(12, 5), normal(16, 6)];
      let reads = 0;
      const appends: AppendOptions = {
        get layout() {
          reads++;
          cache.append(k, v);
          return 'bshd' as const;
        },
      };
      cache.append(f32(12), f32(16), appends);
      expect([reads, ...cache.lengths]).toEqual([1, 5, 3]);
      // Full by now: what the getter did counts.
      cache.truncate(4);
      const words = 'at most 0 tokens more in sequence 0 (5 of 5 in use), got 1';
      const error = fault(() => {
        cache.append(f32(12), f32(16), appends);
      });
      matches(error, refusal('append', 'k', 'ERR_CACHE_FULL', words));
      expect([...cache.lengths]).toEqual([5, 4]);
      const counts = {
        length: 2,
        0: 1,
        get 1() {
          cache.truncate(2);
          return 1;
        },
      };
      cache.append(k, v, { counts });
      expect([...cache.lengths]).toEqual([3, 3]);
      const wanted = cache.attend(f32(24), { heads: 4 });
      cache.append(k, v);
      const truncates = {
        get heads() {
          cache.truncate(3);
          return 4;
        },
      };
      expect(cache.attend(f32(24), truncates)).toEqual(wanted);
      const beyond = refusal('truncate', 'n', 'ERR_RANGE', 'an integer from 0 to 3, got 4');
      refuses(() => untyped(cache, 'truncate', 4), beyond, watched);
    });

    it('disposed of while its options are read', async () => {
      for (const way of ['option', 'list'] as const) {
        const engine = await engineOf(build);
        const other = filled(engine);
        for (const op of ['append', 'attend'] as const) {
          const cache = filled(engine);
          const end = (): number => {
            cache.dispose();
            return 1;
          };
          const list = {
            length: 2,
            0: 1,
            get 1() {
              return end();
            },
          };
          const options = {
            option: {
              get layout() {
                end();
                return 'bshd';
              },
            },
            list: op === 'append' ? { counts: list } : { window: list },
          }[way];
          const more =
            op === 'append'
              ? [f32(12), f32(16), options]
              : [f32(24), Object.defineProperty(options, 'heads', { value: 4 })];
          matches(
            fault(() => untyped(cache, op, ...more)),
            gone(op),
          );
        }
        const watched = await watch(engine, other);
        const beyond = refusal('truncate', 'n', 'ERR_RANGE', 'an integer from 0 to 3, got 9');
        refuses(() => untyped(other, 'truncate', 9), beyond, watched);
        other.dispose();
        expect(engine.memory.used).toBe(0);
      }
    });
  });
});
