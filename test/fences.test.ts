/**
 * Nothing is written beside a result, and nothing is read beside an operand: every buffer of a call between canaries, each in turn at the
 * end of the memory (test/fences.ts). test/slow/fences.test.ts has all small shapes. Last, what is wrong is seen.
 */
import { describe, expect, it } from 'vitest';
import { BK, SPLIT } from '../common/abi.ts';
import { ATTENTION_ITEM, GEMM_ITEM } from '../src/descriptor.ts';
import { KernelTrapError } from '../src/index.ts';
import { TILES_OF } from '../src/tile.ts';
import { builds } from './builds.ts';
import { awkwardAttention, awkwardMatmul, mergeCases, optionAttention, ropeCases } from './cases.ts';
import { normal } from './data.ts';
import { attentionCall, cacheCall, matmulCall, mergeCall, ropeCall, stagedCall } from './fenced-calls.ts';
import { fence, Fenced, fencesOf, type FencedCall, type Tampering } from './fences.ts';
import { drawn, SHAPES, sweep } from './fenced-sweep.ts';

describe.each(builds)('%s', (build) => {
  const named = <T extends { readonly name: string }>(cases: readonly T[]): (readonly [string, T])[] =>
    cases.map((each) => [each.name, each]);
  const [tile] = TILES_OF[build];
  const fences = fencesOf(build, tile!);

  it('a thousandth of all small shapes', () => {
    expect([...sweep(build, 1000)].at(-1)).toBeGreaterThanOrEqual(Math.floor(SHAPES / 1000));
  });

  it.each(drawn)('drawn: $name', ({ fence }) => {
    fence(fences, 10);
  });

  it.each(named([...awkwardAttention, ...optionAttention]))('attention, %s', (_, each) => {
    fences(attentionCall(each));
  });

  it.each(named(awkwardAttention))('attention of arrays, %s', (_, each) => {
    fences(stagedCall(each));
  });

  it.each(named(awkwardMatmul))('matmul, %s', (_, each) => {
    fences(matmulCall(each));
  });

  // Rows for tiles of 6, 4, 2 and 1.
  it.each([
    [8, false],
    [11, false],
    [8, true],
    [11, true],
  ])('matmul of %i rows and no depth, A transposed %s, no bias', (M, transposeA) => {
    fences(matmulCall({ name: '', options: { M, N: 9, K: 0, transposeA } }));
  });

  it.each(named(ropeCases))('rope, %s', (_, each) => {
    fences(ropeCall(each));
  });

  it.each(named(mergeCases))('merge, %s', (_, each) => {
    fences(mergeCall(each));
  });

  it.each(
    [1, 4, 6].flatMap((seqQ) => [
      [seqQ, 'f32'],
      [seqQ, 'f16'],
    ]) as (readonly [number, 'f32' | 'f16'])[],
  )('%i queries and a cache of %s', (seqQ, dtype) => {
    const cache = { batch: 2, kvHeads: 2, headDim: 7, valueDim: 5, capacity: 98, dtype };
    fences(cacheCall({ cache, heads: 4, appends: [9, 1, 88], seqQ }));
    fences(cacheCall({ cache: { ...cache, ring: true, capacity: 96 }, heads: 4, appends: [90, 9, 1], seqQ }));
  });

  it.each([
    [1, 1, 8, 32],
    [1, 1, 20, 32],
    [1, 2, 6, 3],
    [9, 1, 1000, 4],
    [2, 1, 1000, 4],
  ])(
    '%i queries, %i heads and a full cache of float16, %i and %i elements',
    (...[seqQ, heads, headDim, valueDim]) => {
      const cache = { kvHeads: 1, headDim, valueDim, capacity: BK, dtype: 'f16' } as const;
      fences(cacheCall({ cache, heads, appends: [BK], seqQ }));
    },
  );

  describe('scratch that is used up', () => {
    it('by a row of many columns', () => {
      fences(matmulCall({ name: '', options: { M: 1, N: 1030, K: 3 } }));
    });

    it.each([
      [128, 4, BK],
      [4, 128, BK],
      [128, 128, 2 * BK],
    ])('by a panel before blocks of float16 keys of %i, values of %i elements: %i keys', (...sizes) => {
      const [headDim, valueDim, capacity] = sizes;
      const cache = { kvHeads: 1, headDim, valueDim, capacity, dtype: 'f16' } as const;
      fences(cacheCall({ cache, heads: 1, appends: [capacity], seqQ: 8 }));
    });

    const one = { seqK: BK, heads: 2 } as const;
    it.each([
      // Values that lie two kilobytes apart are copied side by side for an item of 128 rows.
      ['128 rows, queries longer than values', { ...one, seqQ: 128, headDim: 257, valueDim: 256 }],
      // Longer ones have no room there.
      ['128 rows, long values', { ...one, seqQ: 128, headDim: 4, valueDim: 257 }],
      // Heads of values that lie far apart are no such values.
      [
        'values that lie side by side',
        { seqQ: 32, seqK: BK, heads: 8, kvHeads: 2, headDim: 4, valueDim: 64, layout: 'bhsd' },
      ],
      // Brought into the cache before they are copied: a second block of four keys.
      ['256 rows', { seqQ: 32, seqK: BK + 4, heads: 72, kvHeads: 9, headDim: 28, valueDim: 60 }],
    ] as const)('by %s', (_, options) => {
      fences(attentionCall({ options }, false));
    });

    const many = { seqQ: 1, seqK: SPLIT + 4, kvHeads: 1 } as const;
    it.each([
      ['values longer than queries', { ...many, heads: 8, headDim: 4, valueDim: 100 }],
      ['queries longer than values', { ...many, heads: 9, headDim: 24, valueDim: 4 }],
      ['more rows than an item has', { ...many, heads: 520, headDim: 4 }],
    ])('by parts of keys, %s', (_, options) => {
      fences(attentionCall({ options }, false));
    });
  });

  it.each([1, 2, 3, 6, 7])('one query and %i keys', (seqK) => {
    fences(attentionCall({ options: { seqQ: 1, seqK, headDim: 4 } }, false));
  });

  it.each([2, 3, 15, 31])(
    'one query, values of %i elements: less than its kernels take at once',
    (valueDim) => {
      fences(attentionCall({ options: { seqQ: 1, seqK: 2, headDim: 4, valueDim } }, false));
    },
  );

  it('a mask of five rows, alike for all keys', () => {
    const mask = { data: Uint8Array.of(1, 0, 1, 1, 1), shape: [1, 1, 5, 1] } as const;
    fences(attentionCall({ options: { seqQ: 5, seqK: 9, headDim: 4, mask } }));
  });

  it('a bias of five rows, alike for all keys', () => {
    const bias = { data: normal(5, 1), shape: [1, 1, 5, 1] } as const;
    fences(attentionCall({ options: { seqQ: 5, seqK: 9, headDim: 4, bias } }, false));
  });

  it.each([16, 17, 33, BK])('a mask of %i keys', (seqK) => {
    const mask = Uint8Array.from({ length: 5 * seqK }, (_, at) => at % 3);
    fences(attentionCall({ options: { seqQ: 5, seqK, headDim: 4, mask } }));
  });

  // Eight elements are whole vectors, five have room for three more: behind the last panel then is less than another's head.
  it.each([
    [8, 1, 4, 4],
    [8, 1, 5, 5],
    [8, 1, 5, 61],
    [1, 8, 4, 4],
    [1, 8, 5, 5],
  ])('one whole panel: %i queries of %i heads, %i and %i elements', (...[seqQ, heads, headDim, valueDim]) => {
    fences(attentionCall({ options: { seqQ, seqK: 9, heads, kvHeads: 1, headDim, valueDim } }, false));
  });

  // Rows that are whole panels, so that the next is one that is none. These see every key, wherever they are asked.
  const fenced = new Fenced(build, tile!);
  it.each([8, 16, 24, 32, 40])('whatever %i rows find in scratch changes nothing', (seqQ) => {
    const call = attentionCall({ options: { seqQ, seqK: BK + 4, headDim: 4 } }, false);
    const results = [[], [0], [-1, 2 ** 31 - 1]].flatMap((found) => {
      fenced.found = found;
      return ['', 'scratch'].map((last) => {
        fenced.begin(last);
        return call(fenced);
      });
    });
    for (const result of results) expect(result).toEqual(results[0]);
  });

  describe('see', () => {
    const small = attentionCall({ options: { seqQ: 5, seqK: 9, headDim: 6, valueDim: 5 } }, false);
    const few = attentionCall({ options: { seqQ: 2, seqK: 9, headDim: 6, valueDim: 5 } }, false);
    const fresh = (tamper: (fenced: Fenced) => Tampering): Fenced => {
      const fenced = new Fenced(build, tile!);
      fenced.tamper = tamper(fenced);
      return fenced;
    };

    /** A kernel that writes a float beside a buffer. */
    const writesBeside = (name: string, side: 'before' | 'behind'): Fenced =>
      fresh((fenced) => (driver) => (...call) => {
        driver(...call);
        const { address, bytes } = fenced.buffers.find((each) => each.name === name)!;
        fenced.words.f32[(side === 'before' ? address - 4 : address + bytes) >>> 2] = 1;
      });

    it.each(['q', 'k', 'v', 'out', 'logSumExp', 'scratch'])('a float that is written beside %s', (name) => {
      expect(() => {
        small(writesBeside(name, 'behind'));
      }).toThrow(`attention, attention: wrote 0 bytes behind "${name}"`);
      expect(() => {
        small(writesBeside(name, 'before'));
      }).toThrow(`attention, attention: wrote 4 bytes before "${name}"`);
    });

    it('a float that is written into an operand', () => {
      const fenced = fresh(({ words }) => (driver, at) => (...call) => {
        driver(...call);
        words.f32[words.u32[at('k')]! >>> 2] = 1;
      });
      expect(() => small(fenced)).toThrow('attention, attention: wrote into "k"');
    });

    /** The kernels themselves, told that there is one more of something: in the descriptor, or in an item. */
    const oneMore = (field: string, item: readonly string[] = []): Fenced =>
      fresh(({ words }) => (driver, at) => (args, begin, end, scratch) => {
        const items = (words.u32[at('items')]! >>> 2) + begin * item.length;
        const word = item.length > 0 ? items + item.indexOf(field) : at(field);
        words.u32[word]!++;
        try {
          driver(args, begin, end, scratch);
        } finally {
          words.u32[word]!--;
        }
      });

    const cache = { kvHeads: 1, headDim: 3, capacity: 2 };
    const rowByRow = matmulCall({ name: '', options: { M: 1, N: 8, K: 4 } });
    const matrices = matmulCall({ name: '', options: { M: 5, N: 8, K: 4 }, packed: true });
    const damages: readonly [string, FencedCall, string, (readonly string[])?][] = [
      ['valueDim', small, 'behind "out"'],
      ['valueDim', few, 'behind "out"'],
      ['headDim', small, 'has a NaN'],
      ['headDim', few, 'has a NaN'],
      ['rows', small, 'behind "out"', ATTENTION_ITEM],
      ['cols', matrices, 'behind "packMatrix"', GEMM_ITEM],
      ['cols', rowByRow, 'behind "c"', GEMM_ITEM],
      ['rows', matrices, 'behind "packMatrix"', GEMM_ITEM],
      ['K', rowByRow, 'has a NaN'],
      ['dim', cacheCall({ cache, heads: 1, appends: [2], seqQ: 1 }), 'behind "kvCache"'],
      [
        'valueDim',
        mergeCall({ name: '', options: { seqQ: 2, valueDim: 4 }, parts: 2 }),
        'behind "mergeAttention"',
      ],
      ['headDim', ropeCall({ name: '', options: { seq: 3, heads: 1, headDim: 4 } }), 'behind "out"'],
    ];
    it.each(damages)('kernels that think %s is larger', (...[field, call, problem, item]) => {
      expect(() => {
        fence(oneMore(field, item), call);
      }).toThrow(problem);
    });

    it.each([
      ['q', small],
      ['k', small],
      ['q', few],
      ['k', few],
    ] as const)('a float that is read behind %s, where the memory ends', (last, call) => {
      const fenced = oneMore('headDim');
      fenced.begin(last);
      expect(() => call(fenced)).toThrow(KernelTrapError);
    });
  });
});
