/** O = softmax(Q·Kᵀ / √headDim)·V, [seqQ, heads, headDim], causal: query i sees the keys j < i + 1. One item a head. */
import { constants, floats, kernels, put, take, write } from './memory.js';

export function attend(q, k, v, { seqQ, heads, headDim }) {
  const [head, token] = [4 * headDim, 4 * headDim * heads];
  const items = Array.from({ length: heads }, (_, head) => ({ head, rows: seqQ, k1: seqQ, part: -1 }));
  const out = take(token * seqQ);
  const args = write('AttentionArgs', {
    ...{ q: put(q), k: put(k), v: put(v), out, items: write('AttentionItem', ...items) },
    sequences: write('Sequence', { start: -(2 ** 31), stop: 1, keys: seqQ }),
    ...{ group: 1, seqQ, seqK: seqQ, headDim, valueDim: headDim, tile: constants.TILE_4X8 },
    ...{ scale: Math.LOG2E / Math.sqrt(headDim), scoreScale: 1 },
    ...{ qFirst: token, qHead: head, qToken: token, kFirst: token, kHead: head, kToken: token },
    ...{ vFirst: token, vHead: head, vToken: token, outFirst: token, outHead: head, outToken: token },
  });
  const scratch = take(kernels.attentionScratch(args));
  for (let item = 0; item < heads; item++) kernels.attention(args, item, item + 1, scratch);
  return floats(out, v.length);
}
