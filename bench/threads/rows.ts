/** What is measured with one thread and with more: calls through the public API, with plain arrays and `out`, and with tensors. */
import type { Engine } from '../../src/index.ts';
import { normal } from '../../test/data.ts';
import type { Heed } from '../rows.ts';
import type { PairRoof } from './report.ts';

/** A call on one engine. */
export interface PairCall {
  readonly run: () => void;
  /** What the last call has written. */
  readonly out: () => Float32Array;
}

export interface PairRow {
  readonly section: string;
  readonly name: string;
  /** Undefined where a call is too small for a roof: what matters is that it is no slower. */
  readonly roof: PairRoof | undefined;
  /** Bytes that are read once, where that is the limit. */
  readonly bytes: number;
  /** The one-minute table has it. */
  readonly quick: boolean;
  /** Numbers of threads. */
  readonly threads: readonly number[];
  /** What goes before each call, for calls whose time depends on it. */
  readonly before?: Before;
  /** A call on an engine of its own. */
  readonly prepare: (engine: Engine, heed: Heed) => PairCall;
}

/** Calls back to back need nothing; workers are awake behind a large call; a millisecond of idling parks them. */
export type Before = 'behind a large call' | 'after 1 ms';

/** Rows that are sampled in turn, beside the same loops. */
export type PairGroup = readonly PairRow[];

type Made = Pick<PairRow, 'name' | 'prepare'>;

/** NaN, so that an element that is never written differs. */
function unwritten(length: number): Float32Array {
  return new Float32Array(length).fill(NaN);
}

// ---- attention: heads × headDim, 'bshd' ----

function attention(heads: number, headDim: number, S: number, causal = false): Made {
  const modelDim = heads * headDim;
  return {
    name: `${heads} × ${headDim}, S = ${S}${causal ? ' causal' : ''}`,
    prepare: (engine) => {
      const [q, k, v] = [1, 2, 3].map((seed) => normal(S * modelDim, seed)) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      const out = unwritten(S * modelDim);
      const options = { seqQ: S, heads, headDim, causal, out };
      return { run: () => engine.attention(q, k, v, options), out: () => out };
    },
  };
}

function attentionTensors(heads: number, headDim: number, S: number, causal = false): Made {
  const shape = [1, S, heads, headDim] as const;
  return {
    name: `${attention(heads, headDim, S, causal).name} tensors`,
    prepare: (engine) => {
      const [q, k, v] = [1, 2, 3].map((seed) => engine.tensor(shape, normal(S * heads * headDim, seed)));
      const out = engine.tensor(shape);
      return { run: () => engine.attention(q!, k!, v!, { causal, out }), out: () => out.data };
    },
  };
}

// ---- matmul ----

function matmul(n: number, packed = false): Made {
  return {
    name: `${n}³${packed ? ' packed' : ''}`,
    prepare: (engine) => {
      const [a, b, out] = [normal(n * n, 1), normal(n * n, 2), unwritten(n * n)];
      const options = { M: n, N: n, K: n, out };
      const weights = packed ? engine.packMatrix(b, { K: n, N: n }) : undefined;
      return {
        run: weights ? () => engine.matmul(a, weights, options) : () => engine.matmul(a, b, options),
        out: () => out,
      };
    },
  };
}

function matmulTensors(n: number, packed = false): Made {
  return {
    name: `${matmul(n, packed).name} tensors`,
    prepare: (engine) => {
      const [a, b] = [engine.tensor([n, n], normal(n * n, 1)), normal(n * n, 2)];
      const out = engine.tensor([n, n]);
      const right = packed ? engine.packMatrix(b, { K: n, N: n }) : engine.tensor([n, n], b);
      return { run: () => engine.matmul(a, right, { out }), out: () => out.data };
    },
  };
}

// ---- decoding: heads / kvHeads × headDim, one token against a cache ----

function decoding(heads: number, kvHeads: number, keys: number, dtype: 'f32' | 'f16' = 'f32'): Made {
  const headDim = 128;
  return {
    name: `${heads}/${kvHeads} × ${headDim}, ${keys} ${dtype === 'f32' ? 'keys' : dtype}`,
    prepare: (engine) => {
      const cache = engine.kvCache({ kvHeads, headDim, capacity: keys, dtype });
      const chunk = Math.min(keys, 1024);
      const [k, v] = [normal(chunk * kvHeads * headDim, 1), normal(chunk * kvHeads * headDim, 2)];
      for (let at = 0; at < keys; at += chunk) cache.append(k, v);
      const [q, out] = [normal(heads * headDim, 3), unwritten(heads * headDim)];
      const options = { heads, out };
      return { run: () => cache.attend(q, options), out: () => out };
    },
  };
}

// ---- the layer ----

function layer(seqQ: number): Made {
  const [modelDim, heads] = [768, 12];
  const square = (seed: number): Float32Array => normal(modelDim * modelDim, seed, 1 / Math.sqrt(modelDim));
  return {
    name: `${modelDim}/${heads}, S = ${seqQ}`,
    prepare: (engine, heed) => {
      const weights = { wq: square(2), wk: square(3), wv: square(4), wo: square(5) };
      const mha = new heed.MultiHeadAttention({ modelDim, heads, weights, engine });
      const data = normal(seqQ * modelDim, 1);
      const out = unwritten(data.length);
      const options = { seqQ, out };
      return { run: () => mha.forward(data, options), out: () => out };
    },
  };
}

function beside(section: string, quick: boolean, ...made: readonly Made[]): PairGroup {
  return made.map((each) => ({
    ...{ ...each, section, quick, bytes: 0, roof: 'peak' },
    threads: [1, 2],
  }));
}

function reading(keys: number, quick: boolean): PairGroup[] {
  return (['f32', 'f16'] as const).map((dtype) => [
    {
      ...{ ...decoding(32, 8, keys, dtype), section: 'decoding', roof: 'read', threads: [1, 2] },
      ...{ bytes: (dtype === 'f32' ? 4 : 2) * 2 * 8 * 128 * keys, quick: quick && dtype === 'f32' },
    },
  ]);
}

/** From 2¹⁹ to 2²⁶ multiply-adds: around what is worth sharing (src/threads/team.ts). */
const small: readonly Made[] = [
  ...[16, 28, 40, 64, 112, 160].map((S) => attention(12, 64, S)),
  ...[96, 128, 192, 256, 352].map((n) => matmul(n)),
  ...[128, 256, 512, 2048, 4096].map((keys) => decoding(32, 8, keys)),
];

function smallRows(section: string, before?: Before): PairGroup[] {
  return small.map((each) => [
    { ...each, section, roof: undefined, bytes: 0, quick: false, threads: [1, 2], ...(before && { before }) },
  ]);
}

/** More threads than cores: no more is asked than that they do not collapse. */
const crowds: readonly Made[] = [attention(12, 64, 512), matmul(512), decoding(32, 8, 16384), layer(512)];

export const groups: readonly PairGroup[] = [
  ...[512, 1024, 2048].flatMap((S) => [
    beside('attention', S < 2048, attention(12, 64, S), attentionTensors(12, 64, S)),
    beside('attention', S < 1024, attention(12, 64, S, true), attentionTensors(12, 64, S, true)),
  ]),
  ...[1024, 4096].map((S) =>
    beside('attention', S === 1024, attention(1, 64, S), attentionTensors(1, 64, S)),
  ),
  ...[1024, 4096].map((S) => beside('attention', false, attention(1, 128, S), attentionTensors(1, 128, S))),
  ...[512, 1024, 2048].flatMap((n) => [
    beside('matmul', n === 512, matmul(n), matmulTensors(n)),
    beside('matmul', n === 512, matmul(n, true), matmulTensors(n, true)),
  ]),
  ...[128, 512].map((S) => beside('layer', S === 512, layer(S))),
  ...reading(4096, false),
  ...reading(16384, true),
  ...smallRows('small, back to back'),
  ...smallRows('small, behind a large call', 'behind a large call'),
  ...smallRows('small, after 1 ms', 'after 1 ms'),
  crowds.map((each) => ({
    ...{ ...each, section: 'more threads than cores', roof: undefined, bytes: 0, quick: false },
    threads: [1, 2, 3, 4, 8],
  })),
];
