/**
 * A decoder-only transformer, as Llama's: embedding → layers × (attention, MLP; each RMS-normed before, added after) →
 * norm → the embedding once more, transposed, which gives logits.
 *
 *   tokens [seq] → x [seq, modelDim] → logits [seq, vocabulary]
 */
import { addTo, embed, rmsNorm, swiGLU } from './layers.js';

/** A model in one arithmetic (arithmetic.js): its sizes, and its weights where and as that arithmetic wants them. */
export function makeModel(sizes, weights, arithmetic) {
  const { modelDim, heads, kvHeads, headDim, hiddenDim, vocabulary } = sizes;
  const { linear } = arithmetic;
  const layers = weights.layers.map((layer) => ({
    attentionNorm: layer.attentionNorm,
    wq: linear(layer.wq, { K: modelDim, N: heads * headDim }),
    wk: linear(layer.wk, { K: modelDim, N: kvHeads * headDim }),
    wv: linear(layer.wv, { K: modelDim, N: kvHeads * headDim }),
    wo: linear(layer.wo, { K: heads * headDim, N: modelDim }),
    mlpNorm: layer.mlpNorm,
    wGate: linear(layer.wGate, { K: modelDim, N: hiddenDim }),
    wUp: linear(layer.wUp, { K: modelDim, N: hiddenDim }),
    wDown: linear(layer.wDown, { K: hiddenDim, N: modelDim }),
  }));
  const { embedding, norm } = weights;
  const unembedding = linear(embedding, { K: modelDim, N: vocabulary, transposeB: true });
  return { sizes, arithmetic, embedding, norm, layers, unembedding };
}

/**
 * Logits of every token given.
 *
 * @param tokens those at the positions offset, offset + 1, …
 * @param attend (layer, q, k, v, seq) → [seq, heads, headDim]: attention of these tokens to themselves and to all before
 *   them. Where the earlier keys come from is all that decoding and recomputing do not share: see `cached` and `whole`
 * @returns [seq, vocabulary]
 */
export function forward(model, tokens, offset, attend) {
  const { sizes, arithmetic, embedding, norm, layers, unembedding } = model;
  const { modelDim, heads, kvHeads, headDim, theta } = sizes;
  const { array, multiply, rope } = arithmetic;
  const seq = tokens.length;
  const x = embed(embedding, tokens, modelDim, array); // [seq, modelDim]

  for (const [index, layer] of layers.entries()) {
    // Attention. What a projection writes is [seq, heads, headDim] as it is: no head is split off or copied.
    const a = rmsNorm(x, layer.attentionNorm);
    const [q, k, v] = [layer.wq, layer.wk, layer.wv].map((w) => multiply(a, w, seq));
    rope(q, { seq, heads, headDim, offset, theta, out: q });
    rope(k, { seq, heads: kvHeads, headDim, offset, theta, out: k }); // before it is cached: a key turns once
    addTo(x, multiply(attend(index, q, k, v, seq), layer.wo, seq));

    // MLP. (silu(b·Wgate) ∘ b·Wup)·Wdown
    const b = rmsNorm(x, layer.mlpNorm);
    addTo(x, multiply(swiGLU(multiply(b, layer.wGate, seq), multiply(b, layer.wUp, seq)), layer.wDown, seq));
  }
  return multiply(rmsNorm(x, norm), unembedding, seq);
}

/** Attention for decoding: new keys and values go to the layer's cache, and the queries see all that is in it. */
export function cached(caches, { heads }) {
  return (layer, q, k, v, seqQ) => {
    caches[layer].append(k, v);
    return caches[layer].attend(q, { heads, seqQ }); // causal by construction
  };
}

/** Attention for recomputing: all positions are in this pass. */
export function whole({ sizes, arithmetic }) {
  const { heads, kvHeads, headDim } = sizes;
  return (_layer, q, k, v, seqQ) =>
    arithmetic.attention(q, k, v, { seqQ, heads, kvHeads, headDim, causal: true });
}
