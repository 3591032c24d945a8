/**
 * How a call is cut into items (src/items.ts): each row, column and token is in one of them, none is larger than a cache has room for, there
 * are enough for every thread, and the costliest come first. Whether each item is computed right is for others to say: items.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { BK, BQ, MC, SPLIT } from '../common/abi.ts';
import {
  appendItems,
  attentionItems,
  decodeItems,
  few,
  gemmItems,
  many,
  packItems,
  slabRows,
  tokenItems,
  type Items,
} from '../src/items.ts';

/** A table, written somewhere behind the beginning: as many rows as are counted, and nothing beside them. */
function rowsOf(items: Items, width: number): number[][] {
  const { count } = items;
  const AT = 3;
  const u32 = new Uint32Array(AT + count * width + 5).fill(7777);
  items.write(u32, AT);
  expect([...u32.subarray(0, AT), ...u32.subarray(AT + count * width)]).toEqual(Array(AT + 5).fill(7777));
  return Array.from({ length: count }, (_, i) => [...u32.subarray(AT + i * width, AT + (i + 1) * width)]);
}

describe('a matmul, { batch, m0, rows, n0, cols }', () => {
  const cut = (...args: Parameters<typeof gemmItems>): number[][] => rowsOf(gemmItems(...args), 5);
  const sizes = (...args: Parameters<typeof gemmItems>): number[] => {
    const [[, , rows, , cols] = []] = cut(...args);
    return [rows!, cols!];
  };
  it('is cut into blocks that stay in the second cache level, column by column', () => {
    expect(cut(2, 100, 520)).toEqual([
      [0, 0, 96, 0, 512],
      [0, 96, 4, 0, 512],
      [0, 0, 96, 512, 8],
      [0, 96, 4, 512, 8],
      [1, 0, 96, 0, 512],
      [1, 96, 4, 0, 512],
      [1, 0, 96, 512, 8],
      [1, 96, 4, 512, 8],
    ]);
    for (const [batch, M, N] of [
      [0, 3, 3],
      [2, 0, 3],
      [2, 3, 0],
    ] as const) {
      expect(cut(batch, M, N)).toEqual([]);
    }
  });
  it('of one row is one item, for several threads two each of whole lines, of 256 columns at least', () => {
    expect(cut(1, 1, 1100)).toEqual([[0, 0, 1, 0, 1100]]);
    expect(cut(1, 1, 1100, 3).map(([, , , n0, cols]) => [n0, cols])).toEqual([
      [0, 256],
      [256, 256],
      [512, 256],
      [768, 256],
      [1024, 76],
    ]);
    // 3200 columns are 533⅓ for each of six.
    expect(cut(1, 1, 3200, 3).map(([, , , , cols]) => cols)).toEqual([544, 544, 544, 544, 544, 480]);
  });
  it('for several threads has the largest blocks of which each gets six', () => {
    // 3 × 4 blocks of 96 × 512 are just enough for two, and 3 × 8 of 96 × 256 for four.
    const [M, N] = [3 * MC, 4 * 512];
    expect([2, 3, 4, 5, 8].map((threads) => sizes(1, M, N, threads))).toEqual([
      [96, 512],
      [96, 256],
      [96, 256],
      [96, 128],
      [96, 128],
    ]);
    expect(sizes(2, M, N, 4)).toEqual([96, 512]);
    expect([9, 16, 17, 32, 33, 64].map((threads) => sizes(1, M, N, threads))).toEqual([
      [48, 128],
      [48, 128],
      [24, 128],
      [24, 128],
      [24, 64],
      [24, 64],
    ]);
    // Where there are too few anyway, the smallest.
    expect(cut(1, 10, 70, 2)).toEqual([
      [0, 0, 10, 0, 64],
      [0, 0, 10, 64, 6],
    ]);
  });
  it('whose blocks would be of unlike heights has them as like as whole tiles are', () => {
    expect(cut(1, 128, 12 * 512, 2).map(([, m0, rows]) => [m0, rows])).toEqual(
      Array.from({ length: 12 }, () => [
        [0, 72],
        [72, 56],
      ]).flat(),
    );
  });
});

describe('packing, { batch, k0, steps, n0, cols }', () => {
  it('takes rows of B as they lie, which are columns where it is transposed', () => {
    expect(rowsOf(packItems(2, 20, 30, false, 16), 5)).toEqual([
      [0, 0, 16, 0, 20],
      [0, 16, 14, 0, 20],
      [1, 0, 16, 0, 20],
      [1, 16, 14, 0, 20],
    ]);
    expect(rowsOf(packItems(1, 20, 30, true, 16), 5)).toEqual([
      [0, 0, 30, 0, 16],
      [0, 0, 30, 16, 4],
    ]);
  });
  it('takes whole panels, as many as are 32 KB', () => {
    expect([1, 64, 65, 2048, 2049, 4096, 1e6].map(slabRows)).toEqual([32768, 512, 504, 16, 8, 8, 8]);
  });
});

describe('tokens', () => {
  it('of rope and of a merge: 64 at most, { batch, token0, tokens }', () => {
    expect(rowsOf(tokenItems(2, 130), 3)).toEqual([
      [0, 0, 64],
      [0, 64, 64],
      [0, 128, 2],
      [1, 0, 64],
      [1, 64, 64],
      [1, 128, 2],
    ]);
    expect(rowsOf(tokenItems(2, 64), 3)).toEqual([
      [0, 0, 64],
      [1, 0, 64],
    ]);
    expect(rowsOf(tokenItems(2, 0), 3)).toEqual([]);
  });
  it('that are appended: those of each sequence that has any, { batch, start, count }', () => {
    expect(rowsOf(appendItems([5, 0, 7, 0], [3, 0, 2, 1]), 3)).toEqual([
      [0, 5, 3],
      [2, 7, 2],
      [3, 0, 1],
    ]);
  });
});

type Cut = Parameters<typeof attentionItems>[0];

/** Sequences of as many queries and keys, the last query at the last key. */
function sequences(all: readonly (readonly [queries: number, keys: number])[], more: Partial<Cut> = {}): Cut {
  const packed = all.some(([queries]) => queries !== all[0]![0]);
  return {
    batch: all.length,
    heads: 1,
    kvHeads: 1,
    seqQ: Math.max(...all.map(([queries]) => queries)),
    seqK: Math.max(...all.map(([, keys]) => keys)),
    packed,
    totalQ: all.reduce((sum, [queries]) => sum + queries, 0),
    before: Infinity,
    after: Infinity,
    sinks: undefined,
    sequence: (b) => {
      const [queries, keys] = all[b]!;
      return { queries, keys, firstQuery: 0, firstKey: 0, offset: keys - queries };
    },
    ...more,
  };
}

const WHOLE = 2 ** 32 - 1;

describe('attention, { batch, head, q0, rows, k0, k1, part }', () => {
  const cut = (...args: Parameters<typeof attentionItems>): number[][] => rowsOf(attentionItems(...args), 7);
  it('of 600 queries by two heads of a group: the block that sees most is first', () => {
    const shape = sequences([[600, 600]], { heads: 2, after: 0 });
    expect(cut(shape)).toEqual([
      [0, 0, 1024, 176, 0, 600, WHOLE],
      [0, 0, 512, 512, 0, 512, WHOLE],
      [0, 0, 0, 512, 0, 256, WHOLE],
    ]);
    // A window of 100 before: from 512 − 100, and on the grid of 96.
    expect(cut({ ...shape, before: 100 }).map(([, , , , k0, k1]) => [k0, k1])).toEqual([
      [4 * BK, 600],
      [BK, 512],
      [0, 256],
    ]);
    expect(cut({ ...shape, after: 20 }).map(([, , , , , k1]) => k1)).toEqual([600, 532, 276]);
  });
  it('of several key heads and sequences: each has the same', () => {
    const shape = sequences(
      [
        [5, 7],
        [5, 7],
      ],
      { heads: 4, kvHeads: 2 },
    );
    const one = (batch: number, head: number): number[] => [batch, head, 0, 10, 0, 7, WHOLE];
    expect(cut(shape)).toEqual([one(0, 0), one(0, 1), one(1, 0), one(1, 1)]);
    const tall = sequences([[BQ + 1, 7]], { heads: 2, kvHeads: 2 });
    expect(cut(tall).map(([, head, q0, rows]) => [head, q0, rows])).toEqual([
      [0, BQ, 1],
      [0, 0, BQ],
      [1, BQ, 1],
      [1, 0, BQ],
    ]);
  });
  it('of queries that see no key: their rows are zeros, and somebody has to write them', () => {
    expect(cut(sequences([[5, 0]]))).toEqual([[0, 0, 0, 5, 0, 0, WHOLE]]);
    // 9 queries of 4 keys: the first five come before all of them.
    expect(cut(sequences([[9, 4]], { after: 0 }))).toEqual([[0, 0, 0, 9, 0, 4, WHOLE]]);
    expect(cut(sequences([[600, 40]], { after: 0 })).map(([, , q0, , k0, k1]) => [q0, k0, k1])).toEqual([
      [512, 0, 40],
      [0, 0, 0],
    ]);
  });
  it('of packed sequences: each driver has its own, and those of no query are nobody’s', () => {
    const shape = sequences(
      [
        [4, 9],
        [0, 9],
        [5, 9],
        [1, 9],
      ],
      { heads: 2, kvHeads: 2 },
    );
    const who = (rows: number[][]): number[][] =>
      rows.map(([batch, head, , count]) => [batch!, head!, count!]);
    const both = (batch: number, rows: number): number[][] => [0, 1].map((head) => [batch, head, rows]);
    expect(who(cut(shape, many))).toEqual(both(2, 5));
    expect(who(cut(shape, few))).toEqual([...both(0, 4), ...both(3, 1)]);
    expect(who(cut(shape))).toEqual([...both(0, 4), ...both(2, 5), ...both(3, 1)]);
  });
  it('for several threads has the tallest blocks of which each gets six', () => {
    const heights = (shape: Cut): number[] =>
      [1, 2, 3, 5, 9, 64].map((threads) =>
        Math.max(...cut(shape, many, threads).map(([, , , rows]) => rows!)),
      );
    // Of each of four heads 1536 rows: three of 512, four of 384, eight of 192, 16 of 96, 32 of 48.
    const pair = [768, 10] as const;
    expect(heights(sequences([pair, pair], { heads: 4, kvHeads: 2 }))).toEqual([512, 512, 192, 192, 96, 48]);
    // Packed sequences are counted by their rows: half as many here.
    const packed = sequences(
      [
        [700, 10],
        [68, 10],
      ],
      { heads: 4, kvHeads: 2 },
    );
    expect(heights(packed)).toEqual([512, 192, 96, 96, 48, 48]);
  });
  it('of several sequences for several threads: the costliest first, and those alike in their order', () => {
    const shape = sequences([
      [20, 100],
      [30, 50],
      [50, 300],
      [20, 100],
    ]);
    const costs = (threads: number): number[][] =>
      cut(shape, many, threads).map(([batch, , q0, rows, k0, k1]) => [batch!, q0!, rows! * (k1! - k0!)]);
    expect(costs(1).map(([batch]) => batch)).toEqual([0, 1, 2, 3]);
    expect(costs(2)).toEqual([
      [2, 0, 14400],
      [0, 0, 2000],
      [3, 0, 2000],
      [1, 0, 1500],
      [2, 48, 600],
    ]);
    // Keys before a window cost nothing.
    const windowed = cut({ ...shape, before: 10 }, many, 2).map(([batch, , , rows, k0, k1]) => [
      batch,
      rows! * (k1! - k0!),
    ]);
    expect(windowed).toEqual(
      [
        [0, 2000],
        [3, 2000],
        [2, 48 * 108],
        [1, 1500],
        [2, 24],
      ].sort(([, a], [, b]) => b! - a!),
    );
    // The first has thirty times the keys, but its queries see eleven of them each, as those of the second do.
    const late = sequences([
      [20, 3000],
      [50, 100],
    ]);
    expect(cut({ ...late, before: 10 }, many, 2).map(([batch]) => batch)).toEqual([1, 0, 1]);
    // Of one sequence heads stay together, whose keys are then in a cache.
    const heads = cut(sequences([[600, 600]], { heads: 2, kvHeads: 2, after: 0 }), many, 2);
    expect(heads.map(([, head]) => head)).toEqual([...Array<number>(7).fill(0), ...Array<number>(7).fill(1)]);
    // More than 4096 are as they come.
    const thousands = Array.from({ length: 4097 }, (_, i) => [5, 1 + (i % 2)] as const);
    expect(cut(sequences(thousands), many, 2).map(([batch]) => batch)).toEqual(thousands.map((_, i) => i));
    const sorted = cut(sequences(thousands.slice(1)), many, 2).map(([, , , , , k1]) => k1);
    expect(sorted).toEqual([...Array<number>(2048).fill(2), ...Array<number>(2048).fill(1)]);
  });
});

describe('decoding', () => {
  const cut = (shape: Cut): { items: number[][]; parts: number; combine: number[][] } => {
    const { items, parts, combine } = decodeItems(shape);
    return { items: rowsOf(items, 7), parts, combine: rowsOf(combine, 6) };
  };
  it('of few keys leaves no parts', () => {
    const shape = sequences([[2, SPLIT]], { heads: 6, kvHeads: 2 });
    expect(cut(shape)).toEqual({
      items: [0, 1].map((head) => [0, head, 0, 6, 0, SPLIT, WHOLE]),
      parts: 0,
      combine: [],
    });
  });
  it('of many is split on the grid of 1536, a part for each eight rows', () => {
    const shape = sequences([[3, 4000]], { heads: 6, kvHeads: 2 });
    expect(cut(shape)).toEqual({
      items: [0, 1].flatMap((head) =>
        [0, 1, 2].map((i) => [0, head, 0, 9, i * SPLIT, Math.min(4000, (i + 1) * SPLIT), 2 * (3 * head + i)]),
      ),
      parts: 12,
      combine: [
        [0, 0, 0, 9, 0, 3],
        [0, 1, 0, 9, 6, 3],
      ],
    });
    // A window from 2000 on begins on the grid of 96, in the second part.
    expect(cut(sequences([[1, 4000]], { before: 1999 })).items).toEqual([
      [0, 0, 0, 1, 1920, 2 * SPLIT, 0],
      [0, 0, 0, 1, 2 * SPLIT, 4000, 1],
    ]);
  });
  it('of sequences that differ: who has one part has none, but for sinks, which are added to it', () => {
    const shape = sequences([
      [1, 10],
      [1, SPLIT + 1],
      [1, 0],
    ]);
    expect(cut(shape)).toEqual({
      items: [
        [0, 0, 0, 1, 0, 10, WHOLE],
        [1, 0, 0, 1, 0, SPLIT, 0],
        [1, 0, 0, 1, SPLIT, SPLIT + 1, 1],
        [2, 0, 0, 1, 0, 0, WHOLE],
      ],
      parts: 2,
      combine: [[1, 0, 0, 1, 0, 2]],
    });
    const sinks = { arg: 'sinks', value: Float32Array.of(1), shape: undefined };
    expect(cut({ ...shape, sinks })).toEqual({
      items: [
        [0, 0, 0, 1, 0, 10, 0],
        [1, 0, 0, 1, 0, SPLIT, 1],
        [1, 0, 0, 1, SPLIT, SPLIT + 1, 2],
        [2, 0, 0, 1, 0, 0, 3],
      ],
      parts: 4,
      combine: [
        [0, 0, 0, 1, 0, 1],
        [1, 0, 0, 1, 1, 2],
        [2, 0, 0, 1, 3, 1],
      ],
    });
    expect(cut(sequences([[1, 10]], { sinks })).combine).toEqual([[0, 0, 0, 1, 0, 1]]);
  });
});
