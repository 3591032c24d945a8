/**
 * Kernels that fail (docs/reliability.md, faults 61, 68, 69): plain functions test them before they run them, and what one does that
 * traps at work, or whose caller's stack ends in it.
 *
 * @node fresh copies of the library are those of Node's module runner
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Build } from './builds.ts';
import { f32 } from './data.ts';
import { faulty, forget, told, WRONG, type DriverName } from './fresh-copies.ts';
import { fault, goesOn, goldenIs, matches, passesOn, refuses, watch } from './nothing-lost.ts';
import { calls, type Plain } from './plain-calls.ts';
import { ended, poisoned, trapped } from './refusals.ts';

afterEach(forget);

describe('plain functions test what they are about to run', () => {
  const rows: readonly [driver: DriverName, notice: readonly Plain[]][] = [
    ['attention', ['prefill', 'packed', 'weights', 'merge', 'layer']],
    ['decode', ['decoding', 'packed', 'weights', 'merge', 'layer']],
    ['weights', ['weights', 'merge', 'layer']],
    ['gemm', ['matmul', 'merge', 'layer']],
    ['rope', ['rope', 'merge', 'layer']],
  ];
  it.each(rows)(
    '%s that computes nothing: the next build takes over when it is asked for',
    async (driver, notice) => {
      const { library: right } = await faulty(() => false);
      for (const name of notice) {
        const fails = (build: Build, each: DriverName): boolean => build === 'relaxed' && each === driver;
        const { library, made } = await faulty(fails, 'nothing');
        const others = (Object.keys(calls) as Plain[]).filter((each) => !notice.includes(each));
        for (const each of others) expect(calls[each](library)).toEqual(calls[each](right));
        expect(made).toEqual(['relaxed']);
        const expected = calls[name](right);
        for (let i = 0; i < 2; i++) {
          expect(calls[name](library), name).toEqual(expected);
          expect(made).toEqual(['relaxed', 'relaxed', 'baseline']);
        }
        for (const each of Object.values(calls)) each(library);
        expect(made).toHaveLength(3);
      }
    },
  );
  it('and throw where it fails in every build, while others go on', async () => {
    const { library } = await faulty((_, driver) => driver === 'attention');
    for (let i = 0; i < 2; i++) {
      expect(calls.decoding(library)).toEqual(f32(8));
      matches(
        fault(() => calls.prefill(library)),
        told(library, 'attention', WRONG),
      );
    }
  });
  it('after they have read their options, once', async () => {
    const { library, made } = await faulty((build) => build === 'relaxed');
    const seqQ = vi.fn(() => 2);
    const options = {
      headDim: 2,
      get seqQ(): number {
        return seqQ();
      },
    };
    expect(library.attention(f32(4), f32(4), f32(4), options)).toEqual(f32(4));
    expect(seqQ).toHaveBeenCalledTimes(1);
    expect(made).toEqual(['relaxed', 'relaxed', 'baseline']);
  });
  it('and after they have checked their arguments', async () => {
    const { library } = await faulty(() => true);
    const { attention, matmul } = library;
    expect(fault(() => attention(f32(4), f32(4), f32(4), { seqQ: 3, headDim: 2 })).code).toBe('ERR_SHAPE');
    expect(fault(() => matmul(f32(4), f32(4), { M: -1, N: 2, K: 2 })).code).toBe('ERR_DIM');
    expect(fault(() => matmul(f32(4), f32(4), { M: 2, N: 2, K: 2 })).code).toBe('ERR_WASM_INTEGRITY');
  });
});

/** The call, with something set while it is under way. */
function whileSo(set: (so: boolean) => void, call: () => unknown): () => unknown {
  return () => {
    set(true);
    try {
      return call();
    } finally {
      set(false);
    }
  };
}

describe('a kernel that traps at work (fault 68)', () => {
  it('ends its engine, whose tensors can still be read, and no other', async () => {
    let broken = false;
    const cause = new WebAssembly.RuntimeError('unreachable');
    const { library } = await faulty(() => broken, cause);
    const options = { simd: 'baseline' } as const;
    const [engine, other] = [await library.createEngine(options), await library.createEngine(options)];
    const x = engine.tensor([2, 2], Float32Array.of(1, 2, 3, 4));
    const { used } = engine.memory;
    const watched = await watch(other);
    const call = whileSo(
      (so) => (broken = so),
      () => engine.matmul(x, x),
    );
    refuses(call, { ...trapped('matmul'), class: library.KernelTrapError, cause }, watched);
    expect(engine.memory.used).toBe(used);
    const uses = { matmul: () => engine.matmul(x, x), tensor: () => engine.tensor([1]) };
    for (const [op, use] of Object.entries(uses)) {
      refuses(use, { ...poisoned(op), class: library.StateError }, watched);
    }
    expect([...x.data]).toEqual([1, 2, 3, 4]);
    x.dispose();
    expect(engine.memory.used).toBe(0);
    engine.dispose();
    refuses(() => engine.tensor([1]), { ...ended('tensor', 'engine'), class: library.StateError }, watched);
    // As the message says: another one takes its place.
    await goldenIs(await library.createEngine(options));
  });
  it.each(['matmul', 'attention'] as const)(
    '%s: told by its own name, whatever name the same call had before',
    async (op) => {
      let broken = false;
      const { library } = await faulty(() => broken);
      const options = { threads: 1, simd: 'baseline' } as const;
      const [engine, other] = [await library.createEngine(options), await library.createEngine(options)];
      const x = f32(6);
      const later = {
        matmul: () => engine.matmulAsync(x, x, { M: 2, N: 2, K: 3 }),
        attention: () => engine.attentionAsync(x, x, x, { seqQ: 2, headDim: 3 }),
      };
      const now = {
        matmul: () => engine.matmul(x, x, { M: 2, N: 2, K: 3 }),
        attention: () => engine.attention(x, x, x, { seqQ: 2, headDim: 3 }),
      };
      for (let i = 0; i < 2; i++) await later[op]();
      const call = whileSo((so) => (broken = so), now[op]);
      refuses(call, { ...trapped(op), class: library.KernelTrapError }, await watch(other));
    },
  );
  it("a stack that ends inside a kernel is the caller's RangeError, and ends nothing (fault 69)", async () => {
    let full = false;
    const mine = new RangeError('Maximum call stack size exceeded');
    const { library } = await faulty(() => full, mine);
    const engine = await library.createEngine({ threads: 1, simd: 'baseline' });
    const x = engine.tensor([2, 2], f32(4));
    const watched = await watch(engine, x.data);
    const call = whileSo(
      (so) => (full = so),
      () => engine.matmul(x, x),
    );
    await passesOn(mine, call, watched);
    goesOn(watched);
    expect([...engine.matmul(x, x).data]).toEqual([0.5, 0.5, 0.5, 0.5]);
  });
});
