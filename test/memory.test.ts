/**
 * Memory of a whole engine: its limit, growth that is refused, staging
 * (docs/reliability.md, faults 14, 16, 22, 23, 25, 69, 70). The allocator alone is in its own test.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createEngine, MultiHeadAttention } from '../src/index.ts';
import type { Engine, MemoryLimitError, Tensor } from '../src/index.ts';
import { Call } from '../src/call.ts';
import { runtimeOf } from '../src/engine.ts';
import { tooMuch } from '../src/memory/limit.ts';
import { builds } from './builds.ts';
import { normal } from './data.ts';
import { SharedBuffer } from './door.ts';
import { fault, golden, losesNothing, matches, pattern, refuses, rejects, watch } from './nothing-lost.ts';
import { noRoom } from './refusals.ts';

const MIB = 2 ** 20;

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(builds)('%s', (build) => {
  const small = (maxMemory: number): Promise<Engine> => createEngine({ threads: 1, simd: build, maxMemory });

  describe('the limit (fault 22)', () => {
    it('is refused before anything grows, with the numbers and what to do', async () => {
      const engine = await small(4 * MIB);
      const x = engine.tensor([1000], pattern(1000));
      const out = pattern(64);
      const [q, k, rows] = [normal(64, 1), normal(MIB / 2, 2), normal(128, 3)];
      const large = normal(MIB, 4);
      const tensor = engine.tensor([1, 256, 1, 16]);
      const eye = Float32Array.of(1, 0, 0, 1);
      const weights = { wq: eye, wk: eye, wv: eye, wo: eye };
      const layer = new MultiHeadAttention({ modelDim: 2, heads: 1, weights, engine });
      const cache = engine.kvCache({ kvHeads: 1, headDim: 1, capacity: MIB / 4 });
      const watched = await watch(engine, x, out, q, k, tensor, cache);
      // What shows that nothing is lost has its own memory to take first.
      golden(engine);
      const { used, reserved } = engine.memory;
      const shape = { seqQ: 8, seqK: MIB / 16, headDim: 8, out };
      const uses: readonly [op: string, least: number, use: () => unknown][] = [
        ['tensor', 4 * MIB, () => engine.tensor([MIB])],
        ['tensor', 2 ** 31, () => engine.tensor([2 ** 29])],
        ['tensor', 2 ** 32, () => engine.tensor([2 ** 30])],
        ['attention', 4 * MIB, () => engine.attention(q, k, k, shape)],
        ['matmul', 4 * MIB, () => engine.matmul(rows, large, { M: 2, K: 64, N: MIB / 64 })],
        ['packMatrix', 4 * MIB, () => engine.packMatrix(large, { K: 64, N: MIB / 64 })],
        [
          'attentionWeights',
          4 * 2 ** 22,
          () =>
            engine.attentionWeights(pattern(2048), pattern(2048), pattern(2048), { seqQ: 2048, headDim: 1 }),
        ],
        ['attentionAsync', 4 * MIB, () => engine.attentionAsync(q, k, k, shape)],
        ['matmulAsync', 4 * MIB, () => engine.matmulAsync(rows, large, { M: 2, K: 64, N: MIB / 64 })],
        ['rope', 4 * MIB, () => engine.rope(large, { seq: MIB / 64, heads: 1, headDim: 64 })],
        [
          'mergeAttention',
          4 * MIB,
          () => {
            const parts = [{ out: large, logSumExp: large.subarray(MIB / 2) }];
            return engine.mergeAttention(parts, { seqQ: MIB / 2, valueDim: 2 });
          },
        ],
        ['forward', 4 * MIB, () => layer.forward(large, { seqQ: MIB / 2 })],
        ['inspect', 4 * 2 ** 22, () => layer.inspect(k.subarray(0, 4096), { seqQ: 2048 })],
        ['forwardAsync', 4 * MIB, () => layer.forwardAsync(large, { seqQ: MIB / 2 })],
        ['kvCache', 4 * MIB, () => engine.kvCache({ kvHeads: 1, headDim: 2, capacity: MIB / 4 })],
        [
          'append',
          2 * MIB,
          () => {
            cache.append(k.subarray(MIB / 4), k.subarray(MIB / 4));
          },
        ],
        ['attend', 4 * MIB, () => cache.attend(large, { heads: 1, seqQ: MIB })],
      ];
      for (const [op, least, use] of uses) {
        const refusal = { ...noRoom(op, 4 * MIB), limit: 4 * MIB };
        const error = op.endsWith('Async')
          ? await rejects(use as () => Promise<unknown>, refusal, watched)
          : refuses(use, refusal, watched);
        const { needed, limit, inUse } = error as MemoryLimitError;
        // Beside what is kept from earlier calls.
        expect(needed + inUse - engine.memory.used).toBeGreaterThanOrEqual(least);
        expect(inUse).toBeGreaterThanOrEqual(used);
        expect(inUse + needed).toBeGreaterThan(limit);
        expect(error.hint).toBe('split the batch or the queries into several calls, or raise maxMemory');
        expect(error).not.toHaveProperty('cause');
        expect(engine.memory.reserved).toBe(reserved);
      }
      engine.dispose();
    });
    it('a call whose operands fit and whose result does not takes nothing', async () => {
      const engine = await small(4 * MIB);
      const [a, b] = [engine.tensor([750, 1]), engine.tensor([1, 1400])];
      const watched = await watch(engine, a, b);
      const { reserved } = engine.memory;
      refuses(() => engine.matmul(a, b), noRoom('matmul', 4 * MIB), watched);
      expect(engine.memory.reserved).toBe(reserved);
    });
    it('has room, but in no one piece: tensors lie between', async () => {
      const engine = await small(4 * MIB);
      const x = pattern(64);
      const watched = await watch(engine, x);
      const quarter = (0.9 * MIB) / 4;
      const tensors = [1, 2, 3, 4].map(() => engine.tensor([Math.floor(quarter)]));
      for (const i of [0, 2]) tensors[i]!.dispose();
      const use = (): Tensor => engine.tensor([(1.5 * MIB) / 4]);
      const error = refuses(use, noRoom('tensor', 4 * MIB, 'in pieces'), watched);
      const { needed, inUse } = error as MemoryLimitError;
      expect(needed + inUse).toBeLessThanOrEqual(4 * MIB);
      tensors[1]!.dispose();
      expect(use().shape).toEqual([(1.5 * MIB) / 4]);
    });
    it('leaves half of it for one tensor with its data', async () => {
      const engine = await small(4 * MIB);
      const data = normal(0.75 * MIB, 3);
      expect(engine.tensor([data.length], data).data[data.length - 1]).toBe(data[data.length - 1]);
    });
    it('refused a layer, nothing of it stays', async () => {
      const engine = await small(4 * MIB);
      const watched = await watch(engine);
      const n = 520;
      const w = new Float32Array(n * n);
      const options = {
        modelDim: n,
        heads: 8,
        weights: { wq: w, wk: w, wv: w, wo: w, bq: w.subarray(0, n) },
        engine,
      };
      refuses(() => new MultiHeadAttention(options), noRoom('MultiHeadAttention', 4 * MIB), watched);
      expect(engine.memory.used).toBe(0);
    });
  });

  it('growth that the system refuses: the same error, with the cause, and the engine goes on (fault 23)', async () => {
    const engine = await small(64 * MIB);
    const x = engine.tensor([64], pattern(64));
    const out = pattern(64);
    const watched = await watch(engine, x, out);
    const cause = new RangeError('WebAssembly.Memory.grow(): Unable to grow instance memory');
    const grow = vi.spyOn(WebAssembly.Memory.prototype, 'grow').mockImplementation(() => {
      throw cause;
    });
    const big = normal(MIB, 4);
    for (const [op, use] of [
      ['tensor', () => engine.tensor([MIB])],
      ['attention', () => engine.attention(out, big, big, { seqQ: 1, seqK: MIB / 64, headDim: 64, out })],
      ['packMatrix', () => engine.packMatrix(big, { K: 1024, N: 1024 })],
    ] as const) {
      const error = refuses(use, noRoom(op, 64 * MIB, 'refused'), watched);
      expect(error.cause).toBe(cause);
    }
    expect(grow).toHaveBeenCalled();
    grow.mockRestore();
    expect(engine.tensor([MIB]).data).toHaveLength(MIB);
    // What was refused once is no excuse later.
    matches(
      fault(() => engine.tensor([16 * MIB])),
      noRoom('tensor', 64 * MIB),
    );
  });

  it('allocated to the limit, no two blocks share a byte (fault 25)', async () => {
    const limit = 64 * MIB;
    const engine = await small(limit);
    const blocks: Tensor[] = [];
    const sizes = [4 * MIB, 3 * MIB, MIB / 2, 1000, 16];
    for (const size of sizes) {
      for (;;) {
        try {
          const block = engine.tensor([size]);
          block.data.fill(blocks.length + 1);
          blocks.push(block);
        } catch (error) {
          matches(error as MemoryLimitError, noRoom('tensor', limit));
          break;
        }
      }
    }
    expect(engine.memory.reserved).toBe(limit);
    expect(limit - engine.memory.used).toBeLessThan(MIB / 16);
    for (const [i, block] of blocks.entries()) {
      const { data } = block;
      expect(data.every((x) => x === i + 1)).toBe(true);
    }
    const spans = blocks.map(({ data }) => [data.byteOffset, data.byteOffset + data.byteLength] as const);
    spans.sort(([a], [b]) => a - b);
    for (const [i, [start]] of spans.entries()) expect(start).toBeGreaterThanOrEqual(spans[i - 1]?.[1] ?? 0);
    for (const block of blocks) block.dispose();
    expect(engine.memory.used).toBe(0);
    engine.dispose();
  });

  it('an array that another thread makes longer is copied by the length that was checked (faults 14, 16)', async () => {
    const engine = await small(4 * MIB);
    const Growing = SharedBuffer as unknown as new (
      bytes: number,
      options: object,
    ) => SharedArrayBuffer & { grow(bytes: number): void };
    const buffer = new Growing(64, { maxByteLength: 4096 });
    const tracking = new Float32Array(buffer).fill(1);
    const runtime = runtimeOf('test', engine);
    const call = new Call(runtime, 'test', 0);
    const slot = call.input('x', tracking, 16);
    const behind = call.room(64);
    const out = call.output('out', undefined, 16);
    buffer.grow(4096);
    new Float32Array(buffer).fill(2);
    call.compute(() => {
      const { f32 } = runtime.words;
      expect(behind.address).toBe(slot.address + 64);
      f32.fill(7, behind.address / 4, behind.address / 4 + 16);
      f32.copyWithin(out.address / 4, slot.address / 4, slot.address / 4 + 16);
    });
    expect(out.result).toEqual(new Float32Array(16).fill(2));
    const untouched = new Call(runtime, 'test', 0);
    const [again, next] = [untouched.input('x', tracking.subarray(0, 16), 16), untouched.room(64)];
    const found: number[] = [];
    untouched.compute(() => {
      found.push(...runtime.floats(next.address, 16), runtime.floats(again.address, 1)[0]!);
    });
    expect(found).toEqual([...new Array<number>(16).fill(7), 2]);
  });

  it('a caller whose stack is full gets a RangeError, and nothing is lost (fault 69)', async () => {
    const engine = await small(64 * MIB);
    const [q, out] = [normal(64, 5), pattern(64)];
    const x = engine.tensor([1, 8, 1, 8], q);
    const watched = await watch(engine, q, x);
    const wanted = engine.attention(q, q, q, { seqQ: 8, headDim: 8 });
    let [refused, passed] = [0, 0];
    /** Calls at every depth on the way back from where the stack ends. */
    const dive = (): void => {
      try {
        dive();
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
      if (passed >= 3) return;
      try {
        const result = engine.attention(q, q, q, { seqQ: 8, headDim: 8, out });
        if (result.every((value, i) => value === wanted[i])) passed++;
      } catch (error) {
        // The JavaScript engine's own, not one of heed's.
        if (!(error instanceof RangeError) || 'isHeedError' in error) throw error;
        refused++;
      }
    };
    await losesNothing(dive, watched);
    expect(refused).toBeGreaterThan(0);
    expect(passed).toBe(3);
  });
});

it('whether there is too little, or what there is lies in pieces, is told at the byte (fault 22)', () => {
  const words = 'but in no piece that is large enough';
  expect(tooMuch('tensor', 6, 4, 10, undefined).message).toContain(words);
  expect(tooMuch('tensor', 7, 4, 10, undefined).message).not.toContain(words);
});
