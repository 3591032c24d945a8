/**
 * Which way a call copies its arrays to memory and back: up to 64 numbers one by one, which for the smallest call takes less than a view;
 * more of them by what is fast for its memory. The numbers are the same, but for the bits of a NaN.
 *
 * @node fresh copies of the library are those of Node's module runner
 */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { runtimeOf } from '../src/engine.ts';
import { Feed } from '../src/feed.ts';
import type * as Copy from '../src/memory/copy.ts';
import { createEngine } from '../src/index.ts';
import { normal } from './data.ts';
import { forget, fresh } from './fresh-copies.ts';
import type { Library } from './plain-calls.ts';

let library: Library;
let copy: typeof Copy;

beforeAll(async () => {
  vi.doMock('../src/memory/copy.ts', { spy: true });
  library = await fresh();
  copy = await import('../src/memory/copy.ts');
  return forget;
});

/** Bytes of each copy of a few numbers, and of each between shared and plain memory. */
function copies(): { few: number[]; shared: number[] } {
  return {
    few: vi.mocked(copy.copyFew).mock.calls.map(([, , , , count]) => 4 * count),
    shared: vi.mocked(copy.copyShared).mock.calls.map(([, , , , bytes]) => bytes),
  };
}

describe.each([1, 2])('%i threads', (threads) => {
  it.each([
    { M: 8, K: 8, N: 8, few: [256, 256, 256], many: [] },
    { M: 5, K: 13, N: 3, few: [156, 60], many: [260] },
    { M: 3, K: 13, N: 5, few: [156, 60], many: [260] },
    { M: 13, K: 3, N: 5, few: [156, 60], many: [260] },
  ])('$M x $K by $K x $N: few are $few bytes', async ({ few, many, ...shape }) => {
    const { M, K, N } = shape;
    const engine = await library.createEngine({ threads, maxMemory: 2 ** 24 });
    const [a, b] = [normal(M * K, 1), normal(K * N, 2)];
    const wanted = engine.matmul(a, b, shape);
    // What an engine tests of itself is behind it now.
    vi.clearAllMocks();
    expect(engine.matmul(a, b, shape)).toEqual(wanted);
    // Of an engine of threads too: so small a call is computed in plain memory.
    expect(copies()).toEqual({ few, shared: [] });
    vi.clearAllMocks();
    expect(await engine.matmulAsync(a, b, shape)).toEqual(wanted);
    expect(copies()).toEqual({ few, shared: threads === 1 ? [] : many });
    engine.dispose();
  });
  it.each([64, 65])('a tensor of %i numbers', async (count) => {
    const engine = await library.createEngine({ threads, maxMemory: 2 ** 24 });
    vi.clearAllMocks();
    engine.tensor([count], normal(count, 1));
    const bytes = 4 * count;
    const shared = threads === 1 ? [] : [bytes];
    expect(copies()).toEqual(count === 64 ? { few: [bytes], shared: [] } : { few: [], shared });
    engine.dispose();
  });
});

it.each([
  [64, 0],
  [65, 1],
])('a piece of %i numbers of an array that is fed: `set` is called %i times', async (count, views) => {
  const engine = await createEngine({ threads: 1 });
  const runtime = runtimeOf('feed', engine);
  const room = engine.tensor([count]).data;
  const from = normal(80, 1);
  const set = vi.spyOn(runtime.words.f32, 'set');
  new Feed(runtime, from, { address: room.byteOffset }).load(8, 4 * count);
  expect(room).toEqual(from.subarray(2, 2 + count));
  expect(set).toHaveBeenCalledTimes(views);
  engine.dispose();
});
