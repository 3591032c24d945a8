/**
 * The ladders: the same matmul and the same attention, rung by rung. Each rung adds one idea to the one before; its code is one
 * short file, which says what is new.
 */
import { attention, matmul, type FloatArray } from '../../src/reference.ts';
import { builds, type Build } from '../../test/builds.ts';
import { normal } from '../../test/data.ts';
import { attentionLaw, matmulLaw, type Order, type RowLaw } from '../../test/laws.ts';
import { plainAttention, plainMatmul } from '../plain-loops.ts';
import { loadShipped } from '../shipped.ts';
import { attention as blockedAttention } from './attention/4-blocked.ts';
import { attention as naiveAttention } from './attention/2-naive.ts';
import { matmul as blockedMatmul } from './matmul/4-blocked.ts';
import { matmul as naiveMatmul } from './matmul/2-naive.ts';
import type { AttentionShape, MatmulShape } from './shapes.ts';
import { load } from './wasm.ts';

/** A rung with its inputs in place. */
export interface Ready {
  readonly run: () => unknown;
  /** What a run writes. */
  readonly out: FloatArray;
}

export interface Rung {
  readonly name: string;
  /** Where its code is, from the root of the repository. */
  readonly file: string;
  /** Instructions that it uses; undefined in JavaScript. */
  readonly build: Build | undefined;
  readonly order: Order;
  readonly prepare: () => Promise<Ready>;
}

export interface Ladder {
  readonly name: string;
  readonly flops: number;
  /** Rows of the result. */
  readonly rows: number;
  readonly law: (rows: Iterable<number>) => Iterable<RowLaw>;
  /** Those that this JavaScript engine can run. */
  readonly rungs: readonly Rung[];
}

/** Filled with NaN, so that an element that is never written breaks the law. */
function unwritten(length: number): Float32Array {
  return new Float32Array(length).fill(NaN);
}

export function matmulLadder(shape: MatmulShape): Ladder {
  const { M, N, K } = shape;
  const [a, b] = [normal(M * K, 1), normal(K * N, 2)];
  const out = new Float64Array(M * N);
  const script = (name: string, file: string, run: (c: Float32Array) => unknown): Rung =>
    javascript(name, file, M * N, run);
  const wasm = (name: string, file: string, build: Build): Rung => ({
    ...{ name, file: `bench/ladder/matmul/${file}.as.ts`, build, order: 'chain' },
    prepare: () => load(`matmul/${file}`, build, 'matmul', [a, b], M * N, [M, N, K], K * (N + 8)),
  });
  const heed = (build: Build, threads: 1 | 'auto' = 1): Rung => ({
    ...{ ...ofHeed(build, threads, 'assembly/gemm.ts'), build, order: 'blocks' },
    prepare: async () => {
      const { createEngine } = await loadShipped();
      const engine = await createEngine({ threads, simd: build });
      const options = { ...shape, out: unwritten(M * N) };
      return { out: options.out, run: () => engine.matmul(a, b, options) };
    },
  });
  const rungs: readonly Rung[] = [
    {
      ...{ name: 'float64 reference', file: 'src/reference/matmul.ts', build: undefined, order: 'chain' },
      prepare: () => Promise.resolve({ out, run: () => matmul(a, b, { ...shape, out }) }),
    },
    script('naive JavaScript', 'bench/ladder/matmul/2-naive.ts', (c) => {
      naiveMatmul(a, b, c, shape);
    }),
    script('loops along memory', 'bench/plain-loops.ts', (c) => plainMatmul(a, b, shape, c)),
    script('blocked JavaScript', 'bench/ladder/matmul/4-blocked.ts', (c) => {
      blockedMatmul(a, b, c, shape);
    }),
    wasm('scalar wasm', '5-scalar', 'baseline'),
    wasm('SIMD', '6-simd', 'baseline'),
    wasm('packed panels', '7-packed', 'baseline'),
    wasm('register tile 4 × 8', '8-tile', 'baseline'),
    wasm('relaxed FMA', '8-tile', 'relaxed'),
    wasm('register tile 6 × 8', '10-wide-tile', 'relaxed'),
    heed('baseline'),
    heed('relaxed'),
    heed(builds[0]!, 'auto'),
  ];
  return {
    name: `matmul ${M} × ${N} × ${K}`,
    flops: 2 * M * N * K,
    rows: M,
    law: (rows) => matmulLaw(a, b, shape, rows),
    rungs: rungs.filter(runsHere),
  };
}

export function attentionLadder(shape: AttentionShape): Ladder {
  const { seq, heads, headDim } = shape;
  const length = seq * heads * headDim;
  const [q, k, v] = [normal(length, 1), normal(length, 2), normal(length, 3)];
  const call = { seqQ: seq, heads, headDim };
  const out = new Float64Array(length);
  const script = (name: string, file: string, run: (o: Float32Array) => unknown): Rung =>
    javascript(name, file, length, run);
  // Scores of eight queries, or of four; and eight panels of Q and O, eight queries each, with their sums.
  const scratch = 8 * (seq + 4) + 64 * (2 * headDim + 16) + 8 * 96;
  const wasm = (name: string, file: string, build: Build, order: Order): Rung => ({
    ...{ name, file: `bench/ladder/attention/${file}.as.ts`, build, order },
    prepare: () =>
      load(`attention/${file}`, build, 'attention', [q, k, v], length, [seq, heads, headDim], scratch),
  });
  const heed = (build: Build, threads: 1 | 'auto' = 1): Rung => ({
    ...{ ...ofHeed(build, threads, 'assembly/attention.ts'), build, order: 'blocks' },
    prepare: async () => {
      const { createEngine } = await loadShipped();
      const engine = await createEngine({ threads, simd: build });
      const options = { ...call, out: unwritten(length) };
      return { out: options.out, run: () => engine.attention(q, k, v, options) };
    },
  });
  const rungs: readonly Rung[] = [
    {
      ...{ name: 'float64 reference', file: 'src/reference/attention.ts', build: undefined, order: 'chain' },
      prepare: () => Promise.resolve({ out, run: () => attention(q, k, v, { ...call, out }) }),
    },
    script('naive JavaScript', 'bench/ladder/attention/2-naive.ts', (o) => {
      naiveAttention(q, k, v, o, shape);
    }),
    script('loops along memory', 'bench/plain-loops.ts', (o) => plainAttention(q, k, v, call, o)),
    script('blocked JavaScript', 'bench/ladder/attention/4-blocked.ts', (o) => {
      blockedAttention(q, k, v, o, shape);
    }),
    wasm('scalar wasm', '5-scalar', 'baseline', 'chain'),
    wasm('SIMD', '6-simd', 'baseline', 'chain'),
    wasm('exponential on four lanes', '7-exp', 'baseline', 'chain'),
    wasm('packed panels', '8-packed', 'baseline', 'chain'),
    wasm('register tile 4 × 8', '9-tile', 'baseline', 'chain'),
    wasm('fused softmax', '10-fused', 'baseline', 'blocks'),
    wasm('relaxed FMA, tile 6 × 8', '10-fused', 'relaxed', 'blocks'),
    heed('baseline'),
    heed('relaxed'),
    heed(builds[0]!, 'auto'),
  ];
  return {
    name: `attention ${heads} × ${headDim}, S = ${seq}`,
    flops: 4 * heads * seq * seq * headDim,
    rows: heads * seq,
    law: (rows) => attentionLaw(q, k, v, call, rows),
    rungs: rungs.filter(runsHere),
  };
}

/** Of all cores it is the protocol that is new. */
function ofHeed(build: Build, threads: 1 | 'auto', file: string): Pick<Rung, 'name' | 'file'> {
  if (threads === 1) return { name: `heed ${build}`, file };
  return { name: 'heed, all cores', file: 'src/threads/protocol.ts' };
}

function runsHere({ build }: Rung): boolean {
  return build === undefined || builds.includes(build);
}

function javascript(name: string, file: string, length: number, run: (out: Float32Array) => unknown): Rung {
  return {
    ...{ name, file, build: undefined, order: 'chain' },
    prepare: () => {
      const out = unwritten(length);
      return Promise.resolve({ out, run: () => run(out) });
    },
  };
}
