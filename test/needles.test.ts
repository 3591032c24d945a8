/**
 * Every key in turn wins by 50 (P17), with every option: who sees it gets its value to 2u, who does not gets the same bits
 * as without it. What no tolerance sees, a key left out or put at the wrong place, is seen here.
 */
import { describe, expect, it } from 'vitest';
import type { AttentionOptions, AttentionShape, Engine } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { normal, uniform } from './data.ts';
import { sees } from './problems-options.ts';

const [seqQ, seqK, heads, headDim, valueDim] = [3, 203, 2, 5, 7];
const dims = { seqQ, seqK, heads, kvHeads: 1, headDim, valueDim, scale: 1 } as const;

/** Bytes of which about half are ones, of any kind. */
const bytes = (n: number): Uint8Array => {
  const next = uniform(n);
  return Uint8Array.from({ length: n }, () => (next() < 0.5 ? 0 : 1 + Math.floor(255 * next())));
};
/** Small, so that a needle stays far ahead; every fourth masks. */
const biases = (n: number): Float32Array => normal(n, n, 0.5).map((x, i) => (i % 4 === 1 ? -Infinity : x));

const cases: readonly (readonly [name: string, options: AttentionOptions])[] = [
  ['nothing', {}],
  ['a window', { window: [70, 30], queryOffset: 90 }],
  ['a window of one key', { window: [0, 0], queryOffset: 95 }],
  ['a causal window', { causal: true, window: [99, 0], queryOffset: 120 }],
  ['a bare mask', { mask: bytes(seqQ * seqK) }],
  ['a mask of keys', { mask: { data: bytes(seqK), shape: [1, 1, 1, seqK] } }],
  ['a mask of heads and queries', { mask: { data: bytes(heads * seqQ), shape: [1, heads, seqQ, 1] } }],
  ['a full mask', { mask: { data: bytes(heads * seqQ * seqK), shape: [1, heads, seqQ, seqK] } }],
  ['a bare bias', { bias: biases(seqQ * seqK) }],
  ['a bias of heads and keys', { bias: { data: biases(heads * seqK), shape: [1, heads, 1, seqK] } }],
  ['keyLengths', { keyLengths: [194] }],
  ['keyLengths, causal', { keyLengths: [97], causal: true }],
  ['a softcap', { softcap: 60 }],
  ['alibi', { alibi: Float32Array.of(0.01, 0.002), queryOffset: 100 }],
  ['sinks', { sinks: Float32Array.of(5, -3) }],
  ['a negative scale', { scale: -1 }],
  [
    'all together',
    {
      ...{ window: [150, 40], queryOffset: 130, mask: bytes(seqQ * seqK), keyLengths: [190], softcap: 200 },
      bias: { data: biases(heads * seqK), shape: [1, heads, 1, seqK] },
      ...{ alibi: Float32Array.of(0.01, 0.002), sinks: Float32Array.of(2, -3) },
    },
  ],
];

describe.each(builds)('%s', async (build) => {
  const engine: Engine = await engineOf(build);
  const v = normal(seqK * valueDim, 9);
  const largest = v.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  // Beside a needle, softcap 60 leaves least: 60·tanh(50/60) = 40.9; the others have at most a bias of 2.5 or a sink of 5.
  const rest = (seqK + 1) * Math.exp(-30) * largest;

  /** Row by row what a needle does; gives how many rows saw one, and how many did not. */
  const sweep = (
    options: AttentionShape & AttentionOptions,
    call: (k: Float32Array) => Float32Array,
    keys: number,
    visible: (h: number, i: number, j: number) => boolean,
  ): [seen: number, hidden: number] => {
    const k = new Float32Array(keys * headDim);
    const before = call(k).slice();
    const needle = (50 * Math.sign(options.scale ?? 1)) / headDim;
    let [hits, misses] = [0, 0];
    for (let j = 0; j < keys; j++) {
      k.fill(needle, j * headDim, (j + 1) * headDim);
      const out = call(k);
      k.fill(0, j * headDim, (j + 1) * headDim);
      for (const [e, x] of out.entries()) {
        const [d, h, i] = [e % valueDim, Math.floor(e / valueDim) % heads, Math.floor(e / valueDim / heads)];
        const wins = visible(h, i, j);
        hits += Number(wins);
        misses += Number(!wins);
        const wanted = wins ? v[j * valueDim + d]! : before[e]!;
        // 2u for the normalisation, and the others' weight.
        const most = wins ? 2 ** -23 * Math.abs(x) + rest : 0;
        if (!(Math.abs(x - wanted) <= most))
          expect.fail(`key ${j}, query ${i}, head ${h}: ${x}, not ${wanted}`);
      }
    }
    return [hits, misses];
  };

  it.each(cases)('with %s', (name, more) => {
    const options = { ...dims, ...more };
    const q = new Float32Array(seqQ * heads * headDim).fill(1);
    const call = (k: Float32Array): Float32Array => engine.attention(q, k, v, options);
    const [hits, misses] = sweep(options, call, seqK, (h, i, j) => sees(options, 0, h, i, j));
    expect(hits).toBeGreaterThan(0);
    // These hide nobody.
    const open = ['nothing', 'a softcap', 'alibi', 'sinks', 'a negative scale'];
    expect(misses > 0).toBe(!open.includes(name));
  });

  it.each([
    ['packed sequences', {}],
    ['packed sequences, causal', { causal: true }],
    ['packed sequences in windows', { window: [40, 3], sinks: Float32Array.of(2, -3) }],
  ] as const)('with %s', (_, more) => {
    // 4, 0 and 3 queries; 101, 2 and 100 keys.
    const Q = [0, 4, 4, 7] as const;
    const K = [0, 101, 103, 203] as const;
    const q = new Float32Array(7 * heads * headDim).fill(1);
    const starts = { cuSeqlensQ: Int32Array.from(Q), cuSeqlensK: Int32Array.from(K) };
    const options = { ...starts, heads, kvHeads: 1, headDim, valueDim, scale: 1, ...more };
    const call = (k: Float32Array): Float32Array => engine.attention(q, k, v, options);
    const [hits, misses] = sweep(dims, call, seqK, (h, i, j) => {
      const b = i < 4 ? 0 : 2;
      const [queries, keys] = [Q[b + 1]! - Q[b], K[b + 1]! - K[b]];
      const [query, key] = [i - Q[b], j - K[b]];
      const inside = key >= 0 && key < keys;
      return inside && sees({ headDim, seqQ: queries, seqK: keys, ...more }, 0, h, query, key);
    });
    expect(hits).toBeGreaterThan(0);
    expect(misses).toBeGreaterThan(0);
  });
});
