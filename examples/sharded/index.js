/**
 * Attention over a long context whose keys are sharded over workers. Each worker holds one shard of K and V, is sent the
 * queries, and answers with the attention to its keys alone and their logSumExp. `mergeAttention` makes of these answers what
 * one call over all keys gives. Keys and values stay where they are: questions and answers take kilobytes, not megabytes.
 *
 *   npm run build && node examples/sharded
 *
 *   worker.js   a shard: one call of attention, causal by its own queryOffset
 *   shards.js   the main thread's side of the messages
 *   bound.js    how far the merged result may be from one call over all keys
 *   report.js   what is printed
 *
 * The exit code is 1 where the merged result is further off than it may be.
 */
import { attention, mergeAttention } from 'heed';
import * as reference from 'heed/reference';
import { noise } from '../noise.js';
import { progress } from '../progress.js';
import { bound } from './bound.js';
import { introduce, report } from './report.js';
import { ask, endShard, startShard } from './shards.js';

const shape = { heads: 8, kvHeads: 2, headDim: 64 };
// Three full shards, not all of one size; one that has just begun and holds the newest tokens; one that waits for its first.
const sizes = [7000, 7001, 6999, 10, 0];
const seqK = sizes.reduce((sum, keys) => sum + keys, 0);
// The queries are of the newest tokens: a chunk that begins before the fourth shard does, then the last token by itself.
const questions = [16, 1];

introduce(shape, sizes);
const bar = progress(sizes.length + questions.length * 4, 'making keys and values');
const { heads, kvHeads, headDim } = shape;
const q = noise(Math.max(...questions) * heads * headDim, 1); // [16, heads, headDim]
const k = noise(seqK * kvHeads * headDim, 2); //                 [seqK, kvHeads, headDim]
const v = noise(seqK * kvHeads * headDim, 3); //                 [seqK, kvHeads, headDim]

const shards = [];
const results = [];
try {
  for (const [i, keys] of sizes.entries()) {
    bar.next(`starting worker ${i} with ${keys} keys`);
    const first = sizes.slice(0, i).reduce((sum, each) => sum + each, 0);
    shards.push(await startShard(k, v, { first, keys, shape }));
  }
  for (const seqQ of questions) results.push(await compare(seqQ));
} finally {
  bar.stop();
  await Promise.all(shards.map(endShard));
}
if (!report(shape, shards, results)) process.exitCode = 1;

/** The last seqQ tokens ask all shards; then the same in one call here, and in float64. */
async function compare(seqQ) {
  const queries = q.subarray(q.length - seqQ * heads * headDim);
  const position = seqK - seqQ; // of the first query in the context

  bar.next(`${seqQ} queries: asking the shards`);
  const parts = await Promise.all(shards.map((shard) => ask(shard, queries, position)));
  const { out: merged } = mergeAttention(parts, { seqQ, heads, valueDim: headDim });

  // All keys at once, on this thread. The queries are the last of all tokens, and for these queryOffset is right by default.
  bar.next(`${seqQ} queries: one call over all keys`);
  const options = { ...shape, seqQ, seqK, causal: true };
  const whole = attention(queries, k, v, options);
  // Σ p·|v|, which the bound is a multiple of: attention to the magnitudes of the values.
  bar.next(`${seqQ} queries: the bound`);
  const magnitudes = attention(queries, k, v.map(Math.abs), options);
  const factor = bound(queries, k, shape, sizes);
  bar.next(`${seqQ} queries: the float64 reference`);
  const truth = reference.attention(queries, k, v, options);
  return { seqQ, position, parts, merged, whole, truth, bounds: magnitudes.map((x) => factor * x) };
}
