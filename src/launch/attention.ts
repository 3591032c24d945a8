/**
 * Launches attention, and its weights.
 *
 *   room: | items | queryOffset | scratch |
 */
import { ATTENTION_ITEM, writeAttentionArgs, type AttentionArgs } from '../descriptor.ts';
import { attentionItems } from '../items.ts';
import { align } from '../memory/allocator.ts';
import type { AttentionProblem } from '../options/attention.ts';
import { TILES, type Runtime } from '../runtime.ts';
import type { Launch } from './launch.ts';

export interface AttentionAddresses {
  readonly q: number;
  readonly k: number;
  readonly v: number;
  readonly out: number;
  /** 0 where they are not wanted. */
  readonly logSumExp: number;
  readonly weights: number;
}

/** Attention, and its weights where their address is given. */
export function launchAttention(
  runtime: Runtime,
  op: string,
  problem: AttentionProblem,
): Launch<AttentionAddresses> {
  const { heads, kvHeads, seqQ, seqK, headDim, valueDim, queryOffset } = problem;
  const items = attentionItems(problem);
  const offsets = align(4 * ATTENTION_ITEM.length * items.count);
  const scratch = offsets + align(4 * queryOffset.length);
  // Bytes from one head and from one token to the next.
  const bshd = problem.layout === 'bshd';
  const head = (seq: number, dim: number): number => 4 * (bshd ? dim : seq * dim);
  const token = (hs: number, dim: number): number => 4 * (bshd ? hs * dim : dim);
  const { query, score } = splitScale(problem.scale);
  const args: AttentionArgs = {
    q: 0,
    k: 0,
    v: 0,
    out: 0,
    logSumExp: 0,
    weights: 0,
    queryOffset: 0,
    items: 0,
    group: heads / kvHeads,
    seqQ,
    seqK,
    headDim,
    valueDim,
    scale: query,
    scoreScale: score,
    qBatch: 4 * heads * seqQ * headDim,
    qHead: head(seqQ, headDim),
    qToken: token(heads, headDim),
    kBatch: 4 * kvHeads * seqK * headDim,
    kHead: head(seqK, headDim),
    kToken: token(kvHeads, headDim),
    vBatch: 4 * kvHeads * seqK * valueDim,
    vHead: head(seqK, valueDim),
    vToken: token(kvHeads, valueDim),
    outBatch: 4 * heads * seqQ * valueDim,
    outHead: head(seqQ, valueDim),
    outToken: token(heads, valueDim),
    heads,
    tile: TILES[runtime.tile],
  };
  writeAttentionArgs(runtime.words, runtime.descriptor, args);
  const scratchBytes = runtime.kernels.attentionScratch(runtime.descriptor);
  return {
    bytes: items.count > 0 ? scratch + align(scratchBytes) : 0,
    run({ q, k, v, out, logSumExp, weights }, room) {
      if (items.count === 0) return;
      args.q = q;
      args.k = k;
      args.v = v;
      args.out = out;
      args.logSumExp = logSumExp;
      args.weights = weights;
      args.queryOffset = room + offsets;
      args.items = room;
      const { words, descriptor, kernels } = runtime;
      writeAttentionArgs(words, descriptor, args);
      items.write(words.u32, room / 4);
      words.u32.set(queryOffset, (room + offsets) / 4);
      runtime.run(op, kernels.attention, items.count, room + scratch);
      if (weights) runtime.run(op, kernels.weights, items.count, room + scratch);
    },
  };
}

/**
 * scale · log₂e (in base 2 the exponential is 2^x) as the factor of the packed queries, and what of it goes to the scores
 * instead: a power of two that is 1 unless the queries' factor would leave 2⁻⁶⁴ … 2⁶⁴. Beyond 2¹⁹⁰ the factor stays what
 * it is there: a score that is not 0 is then infinite in any case.
 */
function splitScale(scale: number): { query: number; score: number } {
  const exponent = scale === 0 ? 0 : Math.floor(Math.log2(Math.abs(scale)));
  const excess = exponent - Math.max(-64, Math.min(64, exponent));
  const score = 2 ** Math.max(-126, Math.min(126, excess));
  const query = Math.min((Math.abs(scale) / score) * Math.LOG2E, 2 ** 66);
  return { query: Math.sign(scale) * query, score };
}
