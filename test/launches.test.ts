/**
 * What launches (src/launch) ask for and hand to the drivers, which are not run here: room for all that they write and for each thread's
 * scratch, no more and no less; which drivers, in which order, with how many items; and which launches may serve again.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CHECK, COPY, NARROW } from '../common/abi.ts';
import { PLAIN } from '../src/checks/index.ts';
import {
  APPEND_ARGS,
  APPEND_ITEM,
  ATTENTION_ARGS,
  ATTENTION_ITEM,
  COMBINE_ITEM,
  GEMM_ARGS,
  GEMM_ITEM,
  MERGE_ARGS,
  MERGE_ITEM,
  ROPE_ARGS,
  ROPE_ITEM,
  SEQUENCE_BYTES,
} from '../src/descriptor.ts';
import { launchAppend } from '../src/launch/append.ts';
import { launchAttention } from '../src/launch/attention.ts';
import { launchGemm, launchMatmul, launchPack } from '../src/launch/gemm.ts';
import { launchMerge } from '../src/launch/merge.ts';
import { launchRope, stridesOf } from '../src/launch/rope.ts';
import { align } from '../src/memory/allocator.ts';
import { resolveAttention, type AttentionProblem } from '../src/options/attention.ts';
import type { CacheState } from '../src/options/cache.ts';
import { resolveMatmul, type MatmulProblem } from '../src/options/matmul.ts';
import { resolveMerge } from '../src/options/merge.ts';
import { Runtime } from '../src/runtime.ts';
import type { Team } from '../src/threads/team.ts';
import { DRIVERS, driversOf } from '../src/wasm/exports.ts';
import { builds, type Build } from './builds.ts';
import { f32 } from './data.ts';

const FIELDS: Readonly<Record<(typeof DRIVERS)[number], readonly string[]>> = {
  ...{ attention: ATTENTION_ARGS, decode: ATTENTION_ARGS, combine: ATTENTION_ARGS, weights: ATTENTION_ARGS },
  ...{ gemm: GEMM_ARGS, pack: GEMM_ARGS, rope: ROPE_ARGS, merge: MERGE_ARGS, append: APPEND_ARGS },
};
/** Who says how much scratch a driver needs. */
const SCRATCH = {
  ...({ attention: 'attentionScratch', decode: 'attentionScratch', combine: 'attentionScratch' } as const),
  ...({ weights: 'attentionScratch', gemm: 'gemmScratch', pack: 'gemmScratch' } as const),
  ...({ rope: 'ropeScratch', merge: 'mergeScratch', append: undefined } as const),
};
const ITEMS: typeof FIELDS = {
  ...{ attention: ATTENTION_ITEM, decode: ATTENTION_ITEM, combine: COMBINE_ITEM, weights: ATTENTION_ITEM },
  ...{ gemm: GEMM_ITEM, pack: GEMM_ITEM, rope: ROPE_ITEM, merge: MERGE_ITEM, append: APPEND_ITEM },
};

/** What a driver is told. */
interface Step {
  readonly driver: (typeof DRIVERS)[number];
  readonly count: number;
  readonly scratch: number;
  readonly slab: number;
  /** What a thread needs for it, as wasm says of the descriptor when it is complete. */
  readonly needs: number;
  /** By one thread as a whole. */
  readonly whole: boolean;
  /** Of the descriptor. */
  readonly args: Readonly<Record<string, number>>;
}

/** A runtime that writes down what it is told to run. `finds`: what a driver says that it has found, each in turn. */
function recorder(build: Build): { runtime: Runtime; steps: Step[]; finds: number[] } {
  const runtime = new Runtime('test', build, 2 ** 26, 'auto');
  const steps: Step[] = [];
  const finds: number[] = [];
  vi.spyOn(runtime, 'run').mockImplementation((...given) => {
    const [, kernel, descriptor, count, scratch, slab = 0, , whole = false] = given;
    const driver = DRIVERS[driversOf(runtime.kernels).indexOf(kernel)]!;
    const { u32 } = runtime.words;
    const scratchOf = SCRATCH[driver];
    const needs = scratchOf === undefined ? 0 : align(runtime.kernels[scratchOf](descriptor));
    const args = FIELDS[driver].map((name, i) => [name, u32[(descriptor >>> 2) + i]!]);
    const told = Object.fromEntries(args) as Step['args'];
    steps.push({ driver, count, scratch, slab, needs, whole, args: told });
    if (driver === 'append') u32[(descriptor >>> 2) + APPEND_ARGS.indexOf('found')] = finds.shift() ?? 0;
    return steps.length - 1;
  });
  return { runtime, steps, finds };
}

interface AnyLaunch {
  readonly bytes: number;
}

/** A launch of any kind: made for so many threads, and run with its room at an address. */
type Make = (
  runtime: Runtime,
  threads: number,
) => { readonly launch: AnyLaunch; readonly run: (room: number) => void };

const matmulOf = (options: object, a: number, b: number): MatmulProblem =>
  resolveMatmul('test', PLAIN, f32(a), f32(b), options).problem;
const attentionOf = (options: object, q: number, k: number, v = k): AttentionProblem =>
  resolveAttention('test', PLAIN, f32(q), f32(k), f32(v), options).problem;

/** Addresses that nobody reads here. */
const AT = { a: 1 << 20, b: 1 << 21, packed: 1 << 22, c: 1 << 23, bias: 0 };
const OPERANDS = {
  ...{ q: 64, k: 64, v: 64, out: 64, logSumExp: 0, weights: 64, mask: 0, bias: 0, alibi: 0, sinks: 0 },
  special: false,
};

const matmul = (problem: MatmulProblem): Make => {
  return (runtime, threads) => {
    const launch = launchMatmul(runtime, 'test', problem, threads);
    return {
      launch,
      run: (room) => {
        launch.run(AT, room);
      },
    };
  };
};
const attention = (problem: AttentionProblem, inspect = false): Make => {
  return (runtime, threads) => {
    const launch = launchAttention(runtime, 'test', problem, threads, inspect);
    return {
      launch,
      run: (room) => {
        launch.run(OPERANDS, room);
      },
    };
  };
};
const rope = (batch: number, seq: number, heads: number, headDim: number, rotaryDim: number): Make => {
  const positions = new Int32Array(batch * seq);
  const problem = { batch, seq, heads, headDim, rotaryDim, positions };
  const strides = stridesOf('bshd', seq, heads, headDim);
  return (runtime, threads) => {
    const shape = { ...problem, theta: 10000, scaling: 1, interleaved: false };
    const launch = launchRope(runtime, 'test', shape, strides, strides, threads);
    return {
      launch,
      run: (room) => {
        launch.run({ x: 64, out: 64 }, room);
      },
    };
  };
};
const merge = (count: number, batch: number, seqQ: number, heads: number, valueDim: number): Make => {
  const part = { out: f32(batch * seqQ * heads * valueDim), logSumExp: f32(batch * seqQ * heads) };
  const problem = resolveMerge('test', PLAIN, Array(count).fill(part), { batch, seqQ, heads, valueDim });
  const each = { out: 64, logSumExp: 64 };
  return (runtime, threads) => {
    const launch = launchMerge(runtime, 'test', problem, threads);
    return {
      launch,
      run: (room) => {
        launch.run({ ...each, parts: Array<typeof each>(count).fill(each) }, room);
      },
    };
  };
};
const cacheOf = (more: Partial<CacheState>): CacheState => ({
  ...{ batch: 3, kvHeads: 2, headDim: 4, valueDim: 6, capacity: 8, dtype: 'f32', ring: false },
  ...{ special: false, lengths: [0, 1, 2], oldest: [0, 0, 0] },
  ...more,
});
const append = (dtype: 'f32' | 'f16', counts: readonly number[]): Make => {
  return (runtime) => {
    const launch = launchAppend(runtime, 'test', cacheOf({ dtype }), { tokens: 3, counts, layout: 'bshd' });
    const addresses = { k: 64, v: 64, keys: 64, values: 64 };
    return {
      launch,
      run: (room) => {
        launch.check(addresses, room);
        launch.run(addresses, room);
      },
    };
  };
};
const packed = {
  ...{ headDim: 8, cuSeqlensQ: Int32Array.of(0, 1, 9, 12), cuSeqlensK: Int32Array.of(0, 2000, 2010, 4000) },
};

const launches: Readonly<Record<string, Make>> = {
  'matmul, packed on the way': matmul(matmulOf({ M: 100, N: 40, K: 600 }, 60000, 24000)),
  'matmul of Aᵀ and Bᵀ': matmul(
    matmulOf({ M: 9, N: 40, K: 30, transposeA: true, transposeB: true }, 270, 1200),
  ),
  'matmul of one row': matmul(matmulOf({ M: 1, N: 1000, K: 30 }, 30, 30000)),
  'matmul of a batch': matmul(matmulOf({ batch: 3, M: 5, N: 6, K: 7 }, 105, 126)),
  prefill: attention(attentionOf({ batch: 2, seqQ: 600, seqK: 9, heads: 2, headDim: 8 }, 19200, 288)),
  weights: attention(attentionOf({ batch: 2, seqQ: 9, heads: 2, headDim: 8 }, 288, 288), true),
  'decoding in parts': attention(
    attentionOf({ seqQ: 2, seqK: 4000, heads: 6, kvHeads: 2, headDim: 8 }, 96, 64000),
  ),
  'packed sequences of both families': attention(attentionOf(packed, 96, 32000)),
  rope: rope(2, 700, 3, 10, 10),
  'rope of a few pairs': rope(1, 5, 3, 10, 2),
  merge: merge(3, 2, 700, 3, 5),
  'append to float32': append('f32', [3, 0, 1]),
  'append to float16': append('f16', [3, 0, 1]),
};

/** A launch of nothing. */
const nothing: Readonly<Record<string, Make>> = {
  'matmul of no row': matmul(matmulOf({ M: 0, N: 4, K: 5 }, 0, 20)),
  'matmul of no column': matmul(matmulOf({ M: 4, N: 0, K: 5 }, 20, 0)),
  'attention of no query': attention(attentionOf({ seqQ: 0, seqK: 3, headDim: 4 }, 0, 12)),
  'attention of no batch': attention(attentionOf({ batch: 0, seqQ: 3, headDim: 4 }, 0, 0)),
  'rope of no token': rope(1, 0, 3, 10, 10),
  'rope of no batch': rope(0, 4, 3, 10, 10),
  'merge of no query': merge(2, 1, 0, 3, 5),
  'append of no token': append('f16', [0, 0, 0]),
};

describe.each(builds)('%s', (build) => {
  // One for all: a page has room for a hundred memories. What a launch leaves in a descriptor the next must not take for its own.
  const { runtime, steps, finds } = recorder(build);
  afterEach(() => {
    steps.length = 0;
    finds.length = 0;
    runtime.team = undefined;
  });

  /** Runs it in a room with words on both sides, which must stay as they are. */
  const runIn = (make: Make, threads: number): { room: number; bytes: number; steps: readonly Step[] } => {
    steps.length = 0;
    const { launch, run } = make(runtime, threads);
    const BESIDE = 4096;
    const start = runtime.allocate('test', 2 * BESIDE + launch.bytes);
    const room = start + BESIDE;
    const end = room + launch.bytes;
    runtime.words.u8.fill(0x5a, start, end + BESIDE);
    run(room);
    const beside = [...runtime.words.u8.slice(start, room), ...runtime.words.u8.slice(end, end + BESIDE)];
    expect(beside.every((byte) => byte === 0x5a)).toBe(true);
    runtime.free(start);
    return { room, bytes: launch.bytes, steps: [...steps] };
  };

  it.each(Object.entries(launches))(
    '%s: room for its items and for the scratch of each thread',
    (_, make) => {
      for (const threads of [1, 3]) {
        const { room, bytes, steps } = runIn(make, threads);
        expect(steps.length).toBeGreaterThan(0);
        const ends = steps.map(({ driver, count, scratch, slab, needs, args }) => {
          expect(slab).toBe(needs);
          const items = driver === 'combine' ? args.combines! : args.items!;
          expect(items).toBeGreaterThanOrEqual(room);
          const end = items + 4 * ITEMS[driver].length * count;
          // An append's rows need no scratch.
          if (driver === 'append') return end;
          expect(end).toBeLessThanOrEqual(scratch);
          return scratch + threads * slab;
        });
        expect(Math.max(...ends)).toBe(room + bytes);
      }
    },
  );

  it.each(Object.entries(nothing))('%s takes no room, and nobody is told of it', (_, make) => {
    const { bytes, steps } = runIn(make, 2);
    expect([bytes, steps]).toEqual([0, []]);
  });

  it('what a room holds lies side by side: the tables of rope, of a merge, of decoding', () => {
    const [turn] = runIn(launches.rope!, 3).steps as [Step];
    const { items, positions, frequencies, tokens } = turn.args;
    expect(positions! - items!).toBe(align(4 * 3 * turn.count));
    expect(frequencies! - positions!).toBe(align(4 * 2 * 700));
    expect(turn.scratch - frequencies!).toBe(32 * 2);
    expect(tokens).toBe(64);
    expect(runIn(launches['rope of a few pairs']!, 1).steps[0]!.args.tokens).toBe(5);
    const [joined] = runIn(launches.merge!, 3).steps as [Step];
    expect(joined.args.parts! - joined.args.items!).toBe(align(4 * 3 * joined.count));
    expect(joined.scratch - joined.args.parts!).toBe(align(8 * 3));
    const { room, steps } = runIn(launches['packed sequences of both families']!, 2);
    expect(steps.map(({ driver }) => driver)).toEqual(['attention', 'decode', 'combine']);
    const [many, few, combine] = steps as [Step, Step, Step];
    expect(many.args.items).toBe(room);
    expect(few.args.items).toBe(room + 28 * many.count);
    expect(few.args.sequences! - few.args.items!).toBeGreaterThanOrEqual(28 * few.count);
    expect(combine.args.combines! - few.args.sequences!).toBe(align(SEQUENCE_BYTES * 3));
    expect(combine.args.parts! - combine.args.combines!).toBe(align(24 * combine.count));
  });

  describe('matmul', () => {
    /** Drivers: packing by the row of B from which it is, multiplying by its steps of K. */
    const told = (problem: MatmulProblem, threads = 1): string[] =>
      runIn(matmul(problem), threads).steps.map(({ driver, args }) =>
        driver === 'pack'
          ? `pack ${(args.b! - AT.b) / (4 * problem.N)}`
          : `${driver} ${args.k0!}–${args.k1!}`,
      );
    const product = (M: number, K: number, more: object = {}): MatmulProblem =>
      matmulOf({ M, N: 8, K, ...more }, M * K * ('batch' in more ? 2 : 1), 8 * K);
    const blocks = ['pack 0', 'gemm 0–256', 'pack 256', 'gemm 256–512', 'pack 512', 'gemm 512–600'];
    const whole = ['pack 0', 'gemm 0–600'];
    it('packs B depth block by depth block, where C is not tall; for several threads as a whole', () => {
      expect(told(product(2, 600))).toEqual(blocks);
      expect(told(product(1024, 600))).toEqual(blocks);
      expect(told(product(1025, 600))).toEqual(whole);
      expect(told(product(512, 600, { batch: 2 }))).toEqual(blocks);
      expect(told(product(513, 600, { batch: 2 }))).toEqual(whole);
      expect(told(product(2, 600, { transposeB: true }))).toEqual(whole);
      expect(told(product(2, 600), 2)).toEqual(whole);
      expect(told(product(2, 0))).toEqual(['gemm 0–0']);
    });
    it('packs no B that is read once', () => {
      expect(told(product(1, 600))).toEqual(['gemm 0–600']);
      expect(told(product(1, 600, { transposeB: true }))).toEqual(['gemm 0–600']);
      expect(told(product(1, 10, { batch: 2 }))).toEqual(['pack 0', 'gemm 0–10']);
      // Each row has a B of its own.
      expect(told(matmulOf({ batch: 2, M: 1, N: 8, K: 10 }, 20, 160))).toEqual(['gemm 0–10']);
      const shape = { batch: 1, M: 5, N: 8, K: 10, transposeA: false, transposeB: false, sharedB: true };
      steps.length = 0;
      const room = runtime.allocate('test', 2 ** 16);
      launchGemm(runtime, 'test', shape).run(AT, room);
      launchPack(runtime, 'test', shape).run(AT, room);
      expect(steps.map(({ driver }) => driver)).toEqual(['gemm', 'pack']);
    });
    it('says where each matrix of a batch is, and where steps of B begin', () => {
      const { steps } = runIn(matmul(matmulOf({ batch: 3, M: 5, N: 9, K: 600 }, 9000, 16200)), 1);
      for (const { args } of steps) {
        expect(args).toMatchObject({ aBatch: 4 * 5 * 600, bBatch: 4 * 600 * 9, cBatch: 4 * 5 * 9 });
        expect(args).toMatchObject({ M: 5, packedBatch: 4 * 256 * 16, panel: 4 * 8 * 256 });
      }
      const packs = steps.filter(({ driver }) => driver === 'pack');
      expect(packs.map(({ args }) => args.b)).toEqual([0, 256, 512].map((k0) => AT.b + 4 * 9 * k0));
    });
    it('of a batch that shares B is one tall matrix; one row of Aᵀ is a row of A', () => {
      const gemm = (problem: MatmulProblem): Step['args'] => runIn(matmul(problem), 1).steps.at(-1)!.args;
      const batch = { batch: 3, N: 9, K: 10 };
      expect(gemm(matmulOf({ ...batch, M: 5 }, 150, 90))).toMatchObject({ M: 15, bBatch: 0 });
      expect(gemm(matmulOf({ ...batch, M: 5, transposeA: true }, 150, 90))).toMatchObject({
        ...{ M: 5, transposeA: 1, lda: 20, aBatch: 200, cBatch: 180, bBatch: 0 },
      });
      expect(gemm(matmulOf({ ...batch, M: 1, transposeA: true }, 30, 90))).toMatchObject({
        ...{ M: 3, transposeA: 0, lda: 40 },
      });
      expect(gemm(matmulOf({ ...batch, M: 5 }, 150, 270))).toMatchObject({ M: 5, bBatch: 360 });
    });
  });

  it('append looks through float16 as a whole, finds what either has, and copies in pieces', () => {
    for (const dtype of ['f32', 'f16'] as const) {
      const problem = { tokens: 3, counts: [3, 0, 1], layout: 'bshd' } as const;
      const launch = launchAppend(runtime, 'test', cacheOf({ dtype }), problem);
      const room = runtime.allocate('test', launch.bytes);
      const addresses = { k: 64, v: 128, keys: 256, values: 512 };
      expect(launch.found()).toBe(0);
      for (const found of [[1, 2], [], [2, 0]]) {
        steps.length = 0;
        finds.push(...(dtype === 'f16' ? found : []));
        launch.check(addresses, room);
        expect(launch.found()).toBe(dtype === 'f16' ? found.reduce((bits, bit) => bits | bit, 0) : 0);
        const looks = steps.map(({ whole, args }) => [whole, args.mode, args.from]);
        expect(looks).toEqual(
          dtype === 'f16'
            ? [
                [true, CHECK, 64],
                [true, CHECK, 128],
              ]
            : [],
        );
      }
      steps.length = 0;
      finds.push(1, 1);
      launch.run(addresses, room);
      // What a copy leaves there is nothing that was looked for.
      expect(launch.found()).toBe(dtype === 'f16' ? 2 : 0);
      const mode = dtype === 'f16' ? NARROW : COPY;
      expect(steps.map(({ whole, args }) => [whole, args.mode, args.to])).toEqual([
        [false, mode, 256],
        [false, mode, 512],
      ]);
    }
  });

  it('append that is written down for several threads finds what its steps have, when they have run', () => {
    const launch = launchAppend(runtime, 'test', cacheOf({ dtype: 'f16' }), {
      ...{ tokens: 3, counts: [3, 0, 1], layout: 'bshd' },
    });
    const room = runtime.allocate('test', launch.bytes);
    const field = vi.fn((step: number) => [0, 2][step]!);
    runtime.team = { program: { field } } as unknown as Team;
    finds.push(1, 1);
    launch.check({ k: 64, v: 64, keys: 64, values: 64 }, room);
    expect(field).not.toHaveBeenCalled();
    expect(launch.found()).toBe(2);
    expect(field.mock.calls).toEqual([
      [0, APPEND_ARGS.indexOf('found')],
      [1, APPEND_ARGS.indexOf('found')],
    ]);
  });

  it('a launch serves again for the very same problem, name and threads, where it may', () => {
    const product = matmulOf({ M: 3, N: 4, K: 5 }, 15, 20);
    const scores = attentionOf({ seqQ: 3, headDim: 4 }, 12, 12);
    type Makes = (op: string, again?: boolean, threads?: number, other?: boolean) => unknown;
    const matmuls: Makes = (op, again, threads = 1, other = false) =>
      launchMatmul(runtime, op, other ? { ...product } : product, threads, again);
    const attentions: Makes = (op, again, threads = 1, other = false) =>
      launchAttention(runtime, op, other ? { ...scores } : scores, threads, false, again);
    for (const made of [matmuls, attentions]) {
      const first = made('one', true);
      // Those that may not are not kept: eight of them push out nothing.
      for (let i = 0; i < 9; i++) {
        expect(made('one', false)).not.toBe(first);
        expect(made('one')).not.toBe(first);
      }
      expect(made('one', true)).toBe(first);
      const others = [made('two', true), made('one', true, 2), made('one', true, 1, true)];
      expect(new Set([first, ...others]).size).toBe(4);
      expect(made('one', true)).toBe(first);
      expect(made('two', true)).toBe(others[0]);
      expect(made('one', true, 2)).toBe(others[1]);
      for (let i = 0; i < 9; i++) made(`more ${i}`, true);
      expect(made('one', true)).not.toBe(first);
    }
  });
});
