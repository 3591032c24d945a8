/**
 * Launches attention, and its weights.
 *
 *   room: | items | sequences | scratch |
 */
import { ATTENTION_ITEM, SEQUENCE_BYTES, writeAttentionArgs, writeSequence } from '../descriptor.ts';
import type { AttentionArgs } from '../descriptor.ts';
import { attentionItems } from '../items.ts';
import { align } from '../memory/allocator.ts';
import type { AttentionProblem } from '../options/attention.ts';
import { TILES, type Runtime } from '../runtime.ts';
import type { Launch } from './launch.ts';

/** Largest float32. */
const MAX = 3.4028234663852886e38;

export interface AttentionAddresses {
  readonly q: number;
  readonly k: number;
  readonly v: number;
  readonly out: number;
  /** 0 where they are not wanted, or not given. */
  readonly logSumExp: number;
  readonly weights: number;
  readonly mask: number;
  readonly bias: number;
  readonly alibi: number;
  readonly sinks: number;
}

/** Attention, and its weights where their address is given. */
export function launchAttention(
  runtime: Runtime,
  op: string,
  problem: AttentionProblem,
): Launch<AttentionAddresses> {
  const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, packed, totalQ } = problem;
  const { softcap, before, after, sequence } = problem;
  const items = attentionItems(problem);
  const sequences = align(4 * ATTENTION_ITEM.length * items.count);
  const scratch = sequences + align(SEQUENCE_BYTES * batch);
  // Bytes from one head and from one token to the next.
  const bshd = problem.layout === 'bshd';
  const head = (seq: number, dim: number): number => 4 * (bshd ? dim : seq * dim);
  const token = (hs: number, dim: number): number => 4 * (bshd ? hs * dim : dim);
  const [maskBatch, maskHead, maskQuery, maskKey] = problem.mask?.steps ?? [0, 0, 0, 0];
  const [biasBatch, biasHead, biasQuery, biasKey] = problem.bias?.steps ?? [0, 0, 0, 0];
  const { query, score } = splitScale(problem.scale);
  const args: AttentionArgs = {
    q: 0,
    k: 0,
    v: 0,
    out: 0,
    logSumExp: 0,
    weights: 0,
    mask: 0,
    bias: 0,
    alibi: 0,
    sinks: 0,
    sequences: 0,
    items: 0,
    group: heads / kvHeads,
    seqQ,
    seqK,
    headDim,
    valueDim,
    scale: query,
    scoreScale: score,
    // Caps beyond float32 change nothing that float32 can tell; one below is its smallest number, as 0 is none.
    capHalf: Math.min(Math.LN2 / softcap, MAX),
    capTwice: Math.min(2 / softcap, MAX),
    cap: softcap > 0 ? Math.max(2 ** -149, Math.min(softcap * Math.LOG2E, MAX)) : 0,
    qFirst: 4 * heads * headDim,
    qHead: head(seqQ, headDim),
    qToken: token(heads, headDim),
    kFirst: 4 * kvHeads * headDim,
    kHead: head(seqK, headDim),
    kToken: token(kvHeads, headDim),
    vFirst: 4 * kvHeads * valueDim,
    vHead: head(seqK, valueDim),
    vToken: token(kvHeads, valueDim),
    outFirst: 4 * heads * valueDim,
    outHead: head(seqQ, valueDim),
    outToken: token(heads, valueDim),
    logSumExpFirst: packed ? 4 : 4 * heads,
    logSumExpHead: 4 * (packed ? totalQ : seqQ),
    weightsFirst: 4 * heads * seqK,
    weightsHead: 4 * seqQ * seqK,
    maskBatch,
    maskHead,
    maskQuery,
    maskKey,
    biasBatch: 4 * biasBatch,
    biasHead: 4 * biasHead,
    biasQuery: 4 * biasQuery,
    biasKey: 4 * biasKey,
    tile: TILES[runtime.tile],
  };
  writeAttentionArgs(runtime.words, runtime.descriptor, args);
  const scratchBytes = runtime.kernels.attentionScratch(runtime.descriptor);
  return {
    bytes: items.count > 0 ? scratch + align(scratchBytes) : 0,
    run(addresses, room) {
      if (items.count === 0) return;
      Object.assign(args, addresses);
      args.sequences = room + sequences;
      args.items = room;
      const { words, descriptor, kernels } = runtime;
      writeAttentionArgs(words, descriptor, args);
      items.write(words.u32, room / 4);
      for (let b = 0; b < batch; b++) {
        const each = sequence(b);
        const span = { start: each.offset - before, stop: each.offset + after + 1 };
        writeSequence(words, room + sequences + SEQUENCE_BYTES * b, { ...each, ...span });
      }
      runtime.run(op, kernels.attention, items.count, room + scratch);
      if (args.weights) runtime.run(op, kernels.weights, items.count, room + scratch);
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
