/**
 * The goldens: 64 results of all operations, whose bits are the same on every engine, with any number of threads, asked for at once
 * or later, alone or in a batch of seven (baseline builds; README, "Semantics that bite"). This file says which they are and what
 * their hashes are here; golden-calls.mjs how they are computed, goldens.json which hashes they had when they were recorded.
 */
import {
  attention,
  cache,
  having,
  layer,
  maskOf,
  matmul,
  merge,
  packed,
  rope,
  side,
  tensors,
  times,
  weights,
} from './golden-calls.mjs';

const [NAN, INF] = [NaN, Infinity];
const groups = { heads: 6, kvHeads: 2 };
/** Few queries, against keys enough to be cut into parts. */
const few = { ...groups, seqQ: 1, seqK: 1600 };
const all = {
  causal: true,
  window: [100, 0],
  bias: side('bias', 90 * 210),
  mask: { data: maskOf('mask', 3 * 210), shape: [1, 3, 1, 210] },
  alibi: side('alibi', 3),
  sinks: side('sinks', 3),
  softcap: 2,
};

export const GOLDENS = [
  matmul('plain'),
  matmul('bias', { bias: side('bias', 150) }),
  matmul('A transposed', { transposeA: true }),
  matmul('B transposed', { transposeB: true }),
  matmul('both transposed, bias', { transposeA: true, transposeB: true, bias: side('bias', 150) }),
  matmul('one B', { b: 'shared', M: 91 }),
  matmul('packed', { b: 'packed', N: 151 }),
  matmul('packed, transposed, bias', { b: 'packed', transposeB: true, bias: side('bias', 150) }),
  matmul('one row', { M: 1, N: 700 }),
  matmul('one row, B transposed', { M: 1, N: 700, transposeB: true }),
  matmul('one column', { M: 300, N: 1, K: 600 }),
  matmul('one step', { K: 1 }),
  matmul('subnormal', { M: 6, N: 50 }, times(2 ** -68)),
  matmul(
    'NaN and infinities',
    {},
    having({
      a: [
        [7, NAN],
        [5000, INF],
      ],
      b: [
        [1, -INF],
        [9000, NAN],
      ],
    }),
  ),
  tensors('matmul', { a: [1, 80, 60], b: [1, 60, 130] }, (scope, a, b) => scope.matmul(a, b)),

  attention('plain'),
  attention('headDim = valueDim', { valueDim: 36 }),
  attention('headDim 1, valueDim 7', { headDim: 1, valueDim: 7 }),
  attention('headDim 131', { headDim: 131, heads: 1 }),
  attention('groups', groups),
  attention('one head of keys', { heads: 5, kvHeads: 1 }),
  attention('bhsd', { layout: 'bhsd' }),
  attention('causal', { causal: true }),
  attention('causal, from the first key on', { causal: true, queryOffset: 0 }),
  attention('causal, from anywhere', { causal: true, queryOffset: (member) => 40 * member - 30 }),
  attention('window', { causal: true, window: [50, 0] }),
  attention('window to both sides', { window: [70, 11] }),
  attention('mask', { mask: maskOf('mask', 90 * 210) }),
  attention('mask of each head', { mask: { data: maskOf('mask', 3 * 210), shape: [1, 3, 1, 210] } }),
  attention('bias', { bias: side('bias', 90 * 210) }),
  attention('bias of −∞', {
    bias: having({
      bias: [
        [3, -INF],
        [700, -INF],
      ],
    })(side('bias', 90 * 210), 'bias'),
  }),
  attention('keyLengths', { keyLengths: (member) => 29 * ((member + 4) % 7) }),
  attention('scale 0', { scale: 0 }),
  attention('scale below 0', { scale: -0.7 }),
  attention('softcap', { softcap: 0.5 }),
  attention('alibi', { alibi: side('alibi', 3) }),
  attention('sinks', { sinks: side('sinks', 3) }),
  attention('all options', all),
  attention('sharp', {}, times(40)),
  attention('subnormal', { seqQ: 6 }, times(2 ** -130)),
  attention(
    'NaN and infinities',
    {},
    having({
      q: [[200, NAN]],
      k: [[999, -INF]],
      v: [
        [3, INF],
        [5000, NAN],
      ],
    }),
  ),
  attention('one query', few),
  attention('four queries, causal, softcap', { ...few, seqQ: 4, causal: true, softcap: 2 }),
  attention('one query, all options', {
    ...few,
    window: [1000, 0],
    alibi: side('alibi', 6),
    sinks: side('sinks', 6),
  }),
  packed('mixed', [90, 3, 0, 61, 1]),
  packed('mixed, causal, window', [90, 3, 0, 61, 1], { causal: true, window: [40, 0] }),
  tensors('attention', { q: [1, 70, 4, 12], k: [1, 90, 2, 12], v: [1, 90, 2, 10] }, (scope, q, k, v) =>
    scope.attention(q, k, v, { causal: true }),
  ),
  weights('plain', { seqQ: 89 }),
  weights('causal, softcap, sinks', { causal: true, softcap: 2, sinks: side('sinks', 3) }),
  weights('few queries', { seqQ: 3 }),

  rope('halves'),
  rope('interleaved, partial', { interleaved: true, rotaryDim: 34, scaling: 4 }),
  rope('positions, theta', {
    theta: 5e5,
    positions: (member) => Array.from({ length: 130 }, (_, i) => (i * 7919 + member) % 131072),
  }),
  merge('two parts', 2),
  merge(
    'five parts, bhsd, one of −∞',
    5,
    { layout: 'bhsd' },
    having({
      l3: [
        [0, -INF],
        [77, -INF],
      ],
    }),
  ),

  cache('f32', {}),
  cache('f16', { dtype: 'f16' }),
  cache('ring', { ring: true, capacity: 192 }, { window: [100, 0] }),
  cache('f16 ring, one query', { dtype: 'f16', ring: true, capacity: 192 }, { seqQ: 1, window: [150, 0] }),
  layer('plain', {}),
  layer('groups, rope, causal', { kvHeads: 2, rope: {} }, { causal: true }),
  layer('context', { contextDim: 50 }, { context: 130 }),
  layer('cache of f16', { kvHeads: 2, rope: {} }, { cached: { dtype: 'f16' } }),
  layer('inspected', {}, { inspects: true, causal: true }),
];

/** Where a member stands among the six others of a batch of seven. */
const [OTHERS, PLACE] = [[1, 2, 3, 4, 5, 6], 3];

/** A golden's hash: of member 0 alone, or as it is told. */
export async function hashOf(heed, engine, golden, { members = [0], place = 0, how = '' } = {}) {
  const outputs = await golden.run({ heed, engine, members, how });
  const parts = outputs.map((output) => {
    const count = output.length / members.length;
    return output.slice(place * count, (place + 1) * count);
  });
  return sha256(parts);
}

/** All hashes by name. Where they depend on how a result was asked for, instead of the hash what it was by each way. */
export async function hashes(heed, engine) {
  const found = {};
  for (const golden of GOLDENS) {
    const ways = { alone: await hashOf(heed, engine, golden) };
    if (golden.later) ways.later = await hashOf(heed, engine, golden, { how: 'Async' });
    const members = OTHERS.toSpliced(PLACE, 0, 0);
    ways['in a batch'] = await hashOf(heed, engine, golden, { members, place: PLACE });
    const agree = new Set(Object.values(ways)).size === 1;
    found[golden.name] = agree
      ? ways.alone
      : Object.entries(ways)
          .map((way) => way.join(': '))
          .join(', ');
  }
  return found;
}

/** Of the bits of floats, but that every NaN is one: WebAssembly leaves open which bits it has. */
async function sha256(arrays) {
  const all = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const each of arrays) {
    all.set(each, end);
    end += each.length;
  }
  const words = new Uint32Array(all.buffer);
  for (let i = 0; i < all.length; i++) if (Number.isNaN(all[i])) words[i] = 0x7fc00000;
  const digest = await crypto.subtle.digest('SHA-256', words);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
