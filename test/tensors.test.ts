/**
 * What outlives a call: tensors, packed matrices, scopes, and plain arrays that lie on the engine's own memory
 * (docs/reliability.md, faults 18, 26, 27, 31, 32, 35). At the wrong time or place: wrong-state.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createEngine, MultiHeadAttention } from '../src/index.ts';
import type { Engine, KVCache, PackedMatrix, Values } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { collect } from './collect.ts';
import { normal } from './data.ts';
import {
  fault,
  goesOn,
  golden,
  losesNothing,
  matches,
  pattern,
  refuses,
  rejects,
  watch,
} from './nothing-lost.ts';
import { disposed, ended, refusal } from './refusals.ts';
import { expectSameBits } from './problems.ts';

const MIB = 2 ** 20;

/** The memory moves: every view taken before is gone. */
function grow(engine: Engine): void {
  const before = engine.memory.reserved;
  engine.tensor([(before + MIB) / 4]).dispose();
  expect(engine.memory.reserved).toBeGreaterThan(before);
}

/** As many floats as a new engine has no room for beside others. */
const TALL = 2 ** 18;
const EIGHT = normal(64, 1);
const SQUARES = { wq: EIGHT, wk: EIGHT, wv: EIGHT, wo: EIGHT };

interface Owned {
  readonly engine: Engine;
  readonly layer: MultiHeadAttention;
  readonly cache: KVCache;
}

/** Calls of a tall operand, with what is to be written. */
const GROWING = ((): {
  op: string;
  arg: string;
  size: number;
  call: (at: Owned, more: object) => unknown;
}[] => {
  const x = normal(TALL, 2);
  const rows = TALL / 8;
  const scores = { seqQ: rows, seqK: 8, headDim: 8 };
  const product = { M: rows, K: 8, N: 8 };
  const pass = { seqQ: rows, seqK: 8, context: EIGHT };
  const calls: Record<string, (at: Owned, more: object) => unknown> = {
    attention: ({ engine }, more) => engine.attention(x, EIGHT, EIGHT, { ...scores, ...more }),
    attentionAsync: ({ engine }, more) => engine.attentionAsync(x, EIGHT, EIGHT, { ...scores, ...more }),
    attentionWeights: ({ engine }, more) => engine.attentionWeights(x, EIGHT, EIGHT, { ...scores, ...more }),
    matmul: ({ engine }, more) => engine.matmul(x, EIGHT, { ...product, ...more }),
    matmulAsync: ({ engine }, more) => engine.matmulAsync(x, EIGHT, { ...product, ...more }),
    rope: ({ engine }, more) => engine.rope(x, { seq: rows, heads: 1, headDim: 8, ...more }),
    attend: ({ cache }, more) => cache.attend(x, { heads: 1, seqQ: rows, ...more }),
    forward: ({ layer }, more) => layer.forward(x, { ...pass, ...more }),
    inspect: ({ layer }, more) => layer.inspect(x, { ...pass, ...more }),
    forwardAsync: ({ layer }, more) => layer.forwardAsync(x, { ...pass, ...more }),
  };
  return Object.entries(calls).flatMap(([op, call]) => [
    { op, arg: 'out', size: TALL, call },
    ...(/^(matmul|rope)/.test(op) ? [] : [{ op, arg: 'logSumExp', size: rows, call }]),
  ]);
})();

type Untyped = (...given: unknown[]) => unknown;

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(builds)('%s', (build) => {
  describe('a tensor', () => {
    it('is a copy of its data, or zeros where others have written before', async () => {
      const engine = await engineOf(build);
      const data = normal(12, 1);
      const x = engine.tensor([3, 4], data);
      expect(x).toMatchObject({ shape: [3, 4], size: 12 });
      expect(x.data).toEqual(data);
      data[0] = 7;
      expect(x.data[0]).not.toBe(7);
      x.dispose();
      expect(engine.tensor([12]).data).toEqual(new Float32Array(12));
      expect(engine.tensor([0, 5]).data).toHaveLength(0);
      engine.dispose();
    });
    it('cannot be told another shape', async () => {
      const engine = await engineOf(build);
      const x = engine.tensor([2, 2]) as { shape: readonly number[] };
      expect(() => (x.shape = [1000, 1000])).toThrow(TypeError);
      const packed = engine.packMatrix(pattern(4), { K: 2, N: 2 }) as { K: number };
      expect(() => (packed.K = 1000)).toThrow(TypeError);
      expect(Object.isFrozen(x.shape)).toBe(true);
      engine.dispose();
    });
    it('is counted in whole cache lines, and no longer when disposed of, twice or not (fault 32)', async () => {
      const engine = await engineOf(build);
      const [x, y] = [engine.tensor([1]), engine.tensor([17])];
      expect(engine.memory.used).toBe(64 + 128);
      x.dispose();
      expect(engine.memory.used).toBe(128);
      // In its place: what is disposed of a second time frees nothing of somebody else's.
      const z = engine.tensor([1], pattern(1));
      const twice = (): void => {
        x.dispose();
        x[Symbol.dispose]();
      };
      await losesNothing(twice, await watch(engine, y, z));
      expect(engine.memory.used).toBe(64 + 128);
      y[Symbol.dispose]();
      z.dispose();
      expect(engine.memory.used).toBe(0);
    });
    it('after dispose shows nothing: its memory is somebody else’s by then (fault 31)', async () => {
      const engine = await engineOf(build);
      const gone = engine.tensor([1, 4, 1, 4]);
      gone.dispose();
      const other = engine.tensor([1, 4, 1, 4], normal(16, 1));
      refuses(() => gone.data, disposed('tensor', 'data', 'tensor'), await watch(engine, other));
    });
    it('as out may not lie under logSumExp (fault 18)', async () => {
      const engine = await engineOf(build);
      const [x, y] = [engine.tensor([1, 2, 1, 2]), engine.tensor([1, 2, 1, 2])];
      const [flat, row] = [engine.tensor([2, 2]), engine.tensor([1, 1, 2])];
      const attention = engine.attention.bind(engine) as Untyped;
      const [arrays, shape] = [[pattern(2), pattern(2), pattern(2)], { seqQ: 2, headDim: 1 }];
      const watched = await watch(engine, x, y, flat, row);
      const words = 'memory of its own, got memory that "logSumExp" uses too';
      for (const use of [
        () => engine.attention(y, y, y, { out: x, logSumExp: x.data.subarray(2) }),
        () => attention(...arrays, { ...shape, out: row.data, logSumExp: row }),
      ]) {
        refuses(use, refusal('attention', 'out', 'ERR_OVERLAP', words), watched);
      }
      expect(engine.attention(y, y, y, { out: x, logSumExp: row.data })).toBe(x);
      expect(attention(...arrays, { ...shape, out: flat.data.subarray(2), logSumExp: row })).toHaveLength(2);
    });
    it('never disposed of is freed when it is collected, with one warning (fault 35)', async () => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
      const engine = await engineOf(build);
      const kept = engine.tensor([16], pattern(16));
      const watched = await watch(engine, kept);
      const make = (): void => {
        for (let i = 0; i < 20; i++) engine.tensor([1000 + i]);
        engine.packMatrix(pattern(16), { K: 4, N: 4 });
        engine.matmul(engine.tensor([4, 4]), engine.tensor([4, 4]));
      };
      for (let i = 0; i < 2; i++) {
        const forgets = async (): Promise<void> => {
          make();
          expect(engine.memory.used).toBeGreaterThan(20 * 4000);
          await collect(() => engine.memory.used === 64);
        };
        await losesNothing(forgets, watched);
        expect(engine.memory.used).toBe(64);
      }
      // Once in the life of the process, and this file runs once for each build.
      const words =
        'heed: a tensor, packed matrix or cache was collected without dispose(); its memory was freed late';
      expect(warn.mock.calls).toEqual(build === builds[0] ? [[words]] : []);
    });
  });

  describe('when memory grows (faults 26, 27)', () => {
    it('views are gone, tensors are where they were', async () => {
      const engine = await engineOf(build);
      const data = normal(64, 1);
      const x = engine.tensor([1, 8, 1, 8], data);
      const scope = engine.scope();
      const [view, before] = [x.data, scope.attention(x, x, x).data.slice()];
      grow(engine);
      expect(view).toHaveLength(0);
      expect(x.data).toEqual(data);
      expect(scope.attention(x, x, x).data).toEqual(before);
      scope.dispose();
      const call = (): unknown => engine.attention(view, view, view, { seqQ: 8, headDim: 8 });
      const words = 'Float32Array on a live buffer, got one whose buffer was transferred, or shrunk below it';
      refuses(call, refusal('attention', 'q', 'ERR_DETACHED', words), await watch(engine, x));
    });
    it('by no page: the same, of a buffer that nobody has told the engine of (fault 27)', async () => {
      const engine = await engineOf(build);
      const x = engine.tensor([1, 8, 1, 8], normal(64, 1));
      const scope = engine.scope();
      const wanted = scope.attention(x, x, x).data.slice();
      const own: WebAssembly.Memory['grow'] = Reflect.get(WebAssembly.Memory.prototype, 'grow');
      const memories: WebAssembly.Memory[] = [];
      vi.spyOn(WebAssembly.Memory.prototype, 'grow').mockImplementation(function (
        this: WebAssembly.Memory,
        pages,
      ) {
        memories.push(this);
        return own.call(this, pages);
      });
      grow(engine);
      const view = x.data;
      memories[0]!.grow(0);
      expect(view).toHaveLength(0);
      expect(scope.attention(x, x, x).data).toEqual(wanted);
      scope.dispose();
      const out = x.data;
      expect(engine.attention(out, out, out, { seqQ: 8, headDim: 8, out })).toBe(out);
      expect(x.data).toEqual(wanted);
      goesOn(await watch(engine, x));
    });
    it('arrays on the engine’s memory are read where they lay, in the call that grows it too', async () => {
      const engine = await engineOf(build);
      const [data, n] = [normal(48, 2), 600];
      const x = engine.tensor([48], data);
      const wide = normal(16 * n, 3);
      const wanted = engine.matmul(data.slice(16, 32), wide, { M: 1, N: n, K: 16 });
      const a = x.data.subarray(16, 32);
      const { reserved } = engine.memory;
      const tall = new Float32Array(16 * n * 64);
      tall.set(wide);
      const result = engine.matmul(a, tall, { M: 1, N: 64 * n, K: 16, transposeB: true });
      expect(engine.memory.reserved).toBeGreaterThan(reserved);
      expect(result).toHaveLength(64 * n);
      const again = engine.matmul(x.data.subarray(16, 32), wide, { M: 1, N: n, K: 16 });
      expect(again).toEqual(wanted);
      expect(result.subarray(0, n)).toEqual(
        engine.matmul(data.slice(16, 32), wide, { M: 1, N: n, K: 16, transposeB: true }),
      );
    });
    it.each(['inside', 'at its very beginning'])(
      'a few queries on it, %s, in a call whose keys make it grow',
      async (where) => {
        const engine = await engineOf(build);
        const x = engine.tensor([4096], normal(4096, 5));
        // What the kernels' own constants are, nobody asks: numbers.
        const q = where === 'inside' ? x.data.subarray(2048, 2112) : new Float32Array(x.data.buffer, 0, 64);
        const own = q.slice();
        const [k, v] = [normal(8 * 40_000, 6), normal(8 * 40_000, 7)];
        const shape = { seqQ: 8, seqK: 40_000, headDim: 8 };
        const { reserved } = engine.memory;
        const out = engine.attention(q, k, v, shape);
        expect(engine.memory.reserved).toBeGreaterThan(reserved);
        expectSameBits(out, engine.attention(own, k, v, shape));
        expectSameBits(x.data, normal(4096, 5));
        engine.dispose();
      },
    );
    it('as data of a tensor and of a packed matrix', async () => {
      const engine = await createEngine({ threads: 1, simd: build, maxMemory: 64 * MIB });
      const data = normal(MIB, 4);
      const x = engine.tensor([MIB], data);
      const view = x.data;
      const copy = engine.tensor([MIB], view);
      expect(view).toHaveLength(0);
      expectSameBits(copy.data, data);
      const b = x.data.subarray(0, MIB / 2);
      const packed = engine.packMatrix(b, { K: 1024, N: 512 });
      expect(b).toHaveLength(0);
      const ones = new Float32Array(1024).fill(1);
      const wanted = engine.matmul(ones, engine.packMatrix(data.subarray(0, MIB / 2), { K: 1024, N: 512 }), {
        M: 1,
      });
      expect(engine.matmul(ones, packed, { M: 1 })).toEqual(wanted);
      engine.dispose();
    });
    it('an array on it as out is written where nothing grows', async () => {
      const engine = await engineOf(build);
      const out = engine.tensor([64], pattern(64));
      const [q, k] = [normal(64, 5), normal(64, 6)];
      const options = { seqQ: 8, headDim: 8 };
      const wanted = engine.attention(q, k, k, options);
      expect(engine.attention(q, k, k, { ...options, out: out.data })).toEqual(wanted);
      expect(out.data).toEqual(wanted);
    });
    it.each(GROWING.map((each) => [each.op, each.arg, each] as const))(
      '%s: %s on it, in a call that must grow it: ERR_STALE_VIEW',
      async (op, arg, { call, size }) => {
        const engine = await engineOf(build);
        const layer = new MultiHeadAttention({ modelDim: 8, heads: 1, weights: SQUARES, engine });
        const cache = engine.kvCache({ kvHeads: 1, headDim: 8, capacity: 8 });
        cache.append(EIGHT, EIGHT);
        const target = engine.tensor([size], pattern(size));
        const run = (data: Float32Array): unknown => call({ engine, layer, cache }, { [arg]: data });
        const watched = await watch(engine, target, cache);
        const words =
          "memory that stays where it is, got a view of this engine's memory, which this call had to grow — " +
          'take tensor.data again and repeat the call, or pass tensors';
        const late = refusal(op, arg, 'ERR_STALE_VIEW', words);
        const stale = (): unknown => run(target.data);
        if (op.endsWith('Async')) await rejects(stale as () => Promise<unknown>, late, watched);
        else refuses(stale, late, watched);
        const wanted = new Float32Array(size);
        await run(wanted);
        await run(target.data);
        expectSameBits(target.data, wanted);
        engine.dispose();
      },
    );
    it('out may overlap the inputs there too', async () => {
      const engine = await engineOf(build);
      const x = engine.tensor([80], normal(80, 8));
      const copy = x.data.slice();
      const options = { seqQ: 8, headDim: 8 };
      const wanted = engine.attention(
        copy.subarray(0, 64),
        copy.subarray(5, 69),
        copy.subarray(9, 73),
        options,
      );
      const { data } = x;
      engine.attention(data.subarray(0, 64), data.subarray(5, 69), data.subarray(9, 73), {
        ...options,
        out: data.subarray(3, 67),
      });
      expect(x.data.subarray(3, 67)).toEqual(wanted);
    });
  });

  it('what is no tensor is refused as what it is', async () => {
    const engine = await engineOf(build);
    for (const x of [1, 'x', 1n, true, null, undefined, Symbol('x'), () => 0, {}]) {
      const given = x as never;
      for (const call of [
        () => engine.attention(given, given, given),
        () => engine.matmul(given, given),
        () => engine.matmul(EIGHT, given, { M: 8 }),
        () => engine.rope(given),
        () => engine.mergeAttention([given]),
      ])
        expect(fault(call).code).toBe('ERR_ARG_TYPE');
    }
    engine.dispose();
  });

  describe('a packed matrix', () => {
    it('is a copy, with state', async () => {
      const engine = await engineOf(build);
      const b = normal(35, 9);
      const packed: PackedMatrix = engine.packMatrix(b, { K: 5, N: 7 });
      const a = normal(10, 10);
      const before = engine.matmul(a, packed, { M: 2 });
      b.fill(NaN);
      expect(engine.matmul(a, packed, { M: 2 })).toEqual(before);
      expect(engine.memory.used).toBe(64 * Math.ceil((8 * 5 * 4) / 64));
      packed.dispose();
      packed.dispose();
      expect(engine.memory.used).toBe(0);
    });
    it('is nothing else', async () => {
      const engine = await engineOf(build);
      const packed = engine.packMatrix(pattern(4), { K: 2, N: 2 }) as unknown as Values;
      const watched = await watch(engine);
      const words = 'Float32Array, got object';
      const [b, a] = [
        refusal('packMatrix', 'b', 'ERR_ARG_TYPE', words),
        refusal('matmul', 'a', 'ERR_ARG_TYPE', words),
      ];
      refuses(() => engine.packMatrix(packed, { K: 2, N: 2 }), b, watched);
      refuses(() => (engine.matmul.bind(engine) as Untyped)(packed, packed, { M: 2 }), a, watched);
    });
  });

  describe('a scope', () => {
    it('frees what was made through it, and nothing else', async () => {
      const engine = await engineOf(build);
      const [own, packed] = [
        engine.tensor([4, 4], pattern(16)),
        engine.packMatrix(pattern(16), { K: 4, N: 4 }),
      ];
      const before = engine.memory.used;
      const scope = engine.scope();
      const x = scope.tensor([1, 4, 2, 8], normal(64, 11));
      const y = scope.attention(x, x, x);
      const z = scope.matmul(own, packed);
      const kept = scope.matmul(own, own, { out: engine.tensor([4, 4]) });
      expect(engine.memory.used).toBe(before + 256 + 256 + 64 + 64);
      scope.dispose();
      scope.dispose();
      for (const each of [x, y, z]) expect(fault(() => each.data).code).toBe('ERR_DISPOSED');
      expect(own.data).toEqual(pattern(16));
      expect(kept.data).toHaveLength(16);
      expect(engine.memory.used).toBe(before + 64);
    });
    it('disposes of what its tensors’ owner has disposed of already, and of what fails not at all', async () => {
      const engine = await engineOf(build);
      const scope = engine.scope();
      const x = scope.tensor([2, 2]);
      x.dispose();
      const other = engine.tensor([2, 2], pattern(4));
      expect(fault(() => scope.matmul(other, x)).code).toBe('ERR_DISPOSED');
      const y = scope.tensor([2, 2]);
      expect(fault(() => scope.tensor([-1])).message).toMatch(/^tensor: /);
      scope[Symbol.dispose]();
      expect(fault(() => y.data).code).toBe('ERR_DISPOSED');
      expect(other.data).toEqual(pattern(4));
      expect(engine.memory.used).toBe(64);
      matches(
        fault(() => scope.tensor([1])),
        ended('tensor', 'scope'),
      );
    });
    it('that has ended is told before what else is wrong, and what only looks like a packed matrix is none', async () => {
      const engine = await engineOf(build);
      const [x, y] = [engine.tensor([2, 2]), engine.tensor([3, 3])];
      x.dispose();
      matches(
        fault(() => engine.matmul(x, y)),
        disposed('matmul', 'a', 'tensor'),
      );
      const packed = engine.packMatrix(pattern(4), { K: 2, N: 2 });
      const like = Object.create(Object.getPrototypeOf(packed) as object) as PackedMatrix;
      expect(fault(() => engine.matmul(pattern(4), like, { M: 2 })).code).toBe('ERR_ARG_TYPE');
      engine.dispose();
    });
    it('that a getter ends while it makes keeps nothing', async () => {
      const engine = await engineOf(build);
      const scope = engine.scope();
      const shape = {
        length: 1,
        get 0(): number {
          scope.dispose();
          return 4;
        },
      };
      expect(fault(() => scope.tensor(shape as unknown as number[]).data).code).toBe('ERR_DISPOSED');
      expect(engine.memory.used).toBe(0);
      expect(golden(engine).length).toBeGreaterThan(0);
    });
  });
});
