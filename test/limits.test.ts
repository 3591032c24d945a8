/** Sizes and numbers at the edge of what is allowed: nothing, one, very many, very large, very small. */
import { afterEach, describe, expect, it } from 'vitest';
import { MultiHeadAttention, attention, matmul, type HeedError } from '../src/index.ts';
import { runtimeOf } from '../src/engine.ts';
import { launchAttention } from '../src/launch/attention.ts';
import { PLAIN } from '../src/checks/index.ts';
import { resolveAttention } from '../src/options/attention.ts';
import { attention as reference } from '../src/reference.ts';
import { builds, engineOf } from './builds.ts';
import { collect } from './collect.ts';
import { normal } from './data.ts';
import { attentionLaw, use } from './laws.ts';
import { fault } from './nothing-lost.ts';

const MIB = 2 ** 20;
const none = new Float32Array(0);

describe.each(builds)('%s', (build) => {
  it('attention with 12 heads needs less than 0.4 MB beyond its operands, at S = 8192 hardly more than at 1024', async () => {
    const engine = await engineOf(build);
    const bytes = [1024, 8192].map((seqQ) => {
      const x = new Float32Array(seqQ * 12 * 64);
      const { problem } = resolveAttention('attention', PLAIN, x, x, x, { seqQ, heads: 12, headDim: 64 });
      return launchAttention(runtimeOf('test', engine), 'attention', problem).bytes;
    });
    expect(bytes[1]).toBeLessThan(0.4e6);
    expect(bytes[1]! / bytes[0]!).toBeLessThan(1.05);
    engine.dispose();
  });

  it('a mask or bias of few dimensions is not expanded: what it costs are its own bytes', async () => {
    const S = 4096;
    const [q, k, v] = [normal(2 * S, 1), normal(2 * S, 2), normal(2 * S, 3)];
    const dims = { batch: 1, seqQ: S, seqK: S, heads: 2, kvHeads: 2, headDim: 1 };
    const growth = async (more: object): Promise<number> => {
      const engine = await engineOf(build);
      const before = engine.memory.reserved;
      const { problem } = resolveAttention('attention', PLAIN, q, k, v, { ...dims, ...more });
      const { bytes } = launchAttention(runtimeOf('test', engine), 'attention', problem);
      expect(bytes, 'items and scratch').toBe(room);
      engine.attention(q, k, v, { ...dims, ...more });
      const { reserved } = engine.memory;
      engine.dispose();
      return reserved - before;
    };
    const engine = await engineOf(build);
    const { problem: plain } = resolveAttention('attention', PLAIN, q, k, v, dims);
    const room = launchAttention(runtimeOf('test', engine), 'attention', plain).bytes;
    engine.dispose();
    const none = await growth({});
    // Expanded, the smallest of these were 16 MiB. A block is rounded up to 64 bytes, the memory to pages.
    const spare = (own: number): number => own + 64 + 65536;
    for (const [shape, size] of [
      [[1, 1, 1, S], S],
      [[1, 1, S, 1], S],
      [[1, 2, 1, S], 2 * S],
      [[1, 1, 1, 1], 1],
    ] as const) {
      const mask = { data: new Uint8Array(size).fill(1), shape };
      const bias = { data: new Float32Array(size), shape };
      expect((await growth({ mask })) - none, `mask ${shape.join()}`).toBeLessThanOrEqual(spare(size));
      expect((await growth({ bias })) - none, `bias ${shape.join()}`).toBeLessThanOrEqual(spare(4 * size));
    }
    const whole = await growth({ mask: new Uint8Array(S * S).fill(1) });
    expect(whole - none, 'a full one is there once').toBeGreaterThanOrEqual(S * S);
    expect(whole - none).toBeLessThanOrEqual(spare(S * S));
  });

  it('packed sequences take no more than they are, however much the longest is longer', async () => {
    const engine = await engineOf(build);
    const lengths = [2000, ...new Array<number>(500).fill(1)];
    let total = 0;
    const cuSeqlensQ = Int32Array.of(0, ...lengths.map((n) => (total += n)));
    const x = normal(8 * total, 1);
    const { problem } = resolveAttention('attention', PLAIN, x, x, x, {
      cuSeqlensQ,
      headDim: 8,
      causal: true,
    });
    // Padded to a batch there were 501 · 32 items of 28 bytes; there are 501 + 31, and 501 sequences of 32.
    const { bytes } = launchAttention(runtimeOf('test', engine), 'attention', problem);
    const { problem: one } = resolveAttention('attention', PLAIN, x, x, x, {
      seqQ: total,
      headDim: 8,
      causal: true,
    });
    const scratch = launchAttention(runtimeOf('test', engine), 'attention', one).bytes;
    expect(bytes - scratch).toBeLessThanOrEqual(28 * 501 + 32 * 501 + 3 * 64);
    engine.dispose();
  });

  it('an empty result takes nothing, whatever its dimensions', async () => {
    const engine = await engineOf(build);
    const before = engine.memory.reserved;
    expect(engine.attention(none, none, none, { seqQ: 0, headDim: 2 ** 24 })).toHaveLength(0);
    expect(engine.attention(none, none, none, { seqQ: 5, batch: 0, headDim: 2 ** 24 })).toHaveLength(0);
    expect(engine.matmul(none, new Float32Array(2 ** 16), { M: 0, N: 2 ** 16, K: 1 })).toHaveLength(0);
    expect(engine.memory.reserved - before).toBeLessThan(MIB);
    engine.dispose();
  });

  it('one query has one panel of scratch, not eight', async () => {
    const engine = await engineOf(build);
    const x = normal(65536, 1);
    const before = engine.memory.reserved;
    engine.attention(x, x, x, { seqQ: 1, headDim: 65536 });
    // q, k, v, out: 1 MiB; one panel of eight queries and outputs: 4 MiB.
    expect(engine.memory.reserved - before).toBeLessThan(6 * MIB);
    engine.dispose();
  });

  it.each([
    ['10⁻⁴⁵ and queries of 10²²', 1e-45, 3e22, 3e22],
    ['10³⁹ and tiny operands', 1e39, 1e-20, 1e-19],
    ['10³⁰', 1e30, 1e-15, 1e-15],
    ['−10²⁵', -1e25, 1e-12, 1e-13],
    ['10⁻³⁰', 1e-30, 1e15, 1e15],
  ])('a scale of %s stays inside the law', async (_, scale, qSize, kSize) => {
    const engine = await engineOf(build);
    const options = { seqQ: 20, seqK: 120, headDim: 7, scale, causal: true };
    const q = normal(20 * 7, 1).map((x) => x * qSize);
    const [k, v] = [normal(120 * 7, 2).map((x) => x * kSize), normal(120 * 7, 3)];
    const out = engine.attention(q, k, v, options);
    for (const row of attentionLaw(q, k, v, options)) {
      expect(use(out, row.out('blocks'), row.at)).toBeLessThanOrEqual(1);
    }
    engine.dispose();
  });

  it.each([
    ...[2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 + 2, 2 ** 53, 1e300].flatMap((far) => [
      [`causal, offset ${far}`, { causal: true, queryOffset: far }] as const,
      [`causal, offset ${-far}`, { causal: true, queryOffset: -far }] as const,
      [`a window, offset ${far}`, { window: [3, 5], queryOffset: far }] as const,
      [`a window, offset ${-far}`, { window: [3, 5], queryOffset: -far }] as const,
    ]),
    ['from as far as back', { window: [2 ** 31, 5], queryOffset: 2 ** 31 }],
    ['two keys less far than back', { window: [2 ** 32, 5], queryOffset: 2 ** 32 + 2 }],
    ['from as far before as behind', { window: [4, 2 ** 31], queryOffset: -(2 ** 31) }],
    ['two keys farther before', { window: [4, 2 ** 32], queryOffset: -(2 ** 32) - 2 }],
  ] as const)('places at the ends of int32 and beyond: %s', async (_, places) => {
    const engine = await engineOf(build);
    for (const seqQ of [3, 20]) {
      const options = { seqQ, seqK: 11, heads: 6, kvHeads: 2, headDim: 5, ...places };
      const [q, k, v] = [normal(seqQ * 30, 1), normal(110, 2), normal(110, 3)];
      const out = engine.attention(q, k, v, options);
      for (const row of attentionLaw(q, k, v, options)) {
        expect(use(out, row.out('blocks'), row.at), `row ${row.row} of ${seqQ}`).toBeLessThanOrEqual(1);
      }
    }
    engine.dispose();
  });

  it('the largest and the smallest scale: zeros have equal scores', async () => {
    const engine = await engineOf(build);
    for (const scale of [Number.MAX_VALUE, -Number.MAX_VALUE, Number.MIN_VALUE, 0]) {
      const v = Float32Array.of(1, 2, 3, 4);
      const out = engine.attention(Float32Array.of(0), new Float32Array(4), v, {
        ...{ seqQ: 1, seqK: 4, headDim: 1, scale },
      });
      expect([...out]).toEqual([
        ...reference(Float32Array.of(0), new Float32Array(4), v, { seqQ: 1, seqK: 4, headDim: 1, scale }),
      ]);
    }
    engine.dispose();
  });

  it('a view holds its tensor: nobody else is given its memory', async () => {
    const engine = await engineOf(build);
    const view = engine.tensor([100], new Float32Array(100).fill(7)).data;
    let turns = 0;
    await collect(() => ++turns > 5);
    const others = Array.from({ length: 20 }, () => engine.tensor([100], new Float32Array(100).fill(9)));
    expect(view[0]).toBe(7);
    for (const other of others) other.dispose();
    expect(engine.memory.used).toBeGreaterThan(0);
    engine.dispose();
  });

  it('a layer does not hold the weights it was made of', async () => {
    const engine = await engineOf(build);
    const make = (): [MultiHeadAttention, WeakRef<ArrayBufferLike>] => {
      const w = normal(4, 1);
      const weights = { wq: w, wk: w, wv: w, wo: w };
      return [new MultiHeadAttention({ modelDim: 2, heads: 1, weights, engine }), new WeakRef(w.buffer)];
    };
    const [layer, buffer] = make();
    await collect(() => buffer.deref() === undefined);
    expect(buffer.deref()).toBeUndefined();
    expect(layer.forward(Float32Array.of(1, 2), { seqQ: 1 })).toHaveLength(2);
    engine.dispose();
  });
});

describe('a polluted Object.prototype (fault 42)', () => {
  const names = [
    'wqkv',
    'bqkv',
    'bq',
    'bk',
    'bv',
    'bo',
    'problem',
    'hint',
    'cause',
    'out',
    'weights',
    'shape',
  ];

  afterEach(() => {
    for (const name of names) Reflect.deleteProperty(Object.prototype, name);
  });

  it('changes neither results nor messages', () => {
    const eye = Float32Array.of(1, 0, 0, 1);
    const run = (): unknown[] => {
      const weights = { wq: eye, wk: eye, wv: eye, wo: eye };
      const layer = new MultiHeadAttention({ modelDim: 2, heads: 1, weights });
      const results = [
        layer.forward(eye, { seqQ: 2 }),
        attention(eye, eye, eye, { seqQ: 2, headDim: 2 }),
        matmul(eye, eye, { M: 2, N: 2, K: 2 }),
      ];
      layer.dispose();
      const error: HeedError = fault(() => matmul(eye, eye, { M: 3, N: 2, K: 2 }));
      return [...results, error.message, Object.keys(error)];
    };
    const before = run();
    for (const name of names) {
      Object.defineProperty(Object.prototype, name, {
        ...{ value: Float32Array.of(10, 20), configurable: true, writable: true },
      });
    }
    expect(run()).toEqual(before);
  });
});
