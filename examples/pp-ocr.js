/** The recorded model: two transformer blocks of a text recogniser while it reads an image (test/fixtures/pp-ocr). */
import { MultiHeadAttention } from 'heed';
import { imagePng, manifest, tensor } from '../test/fixtures/pp-ocr/read.js';

export { imagePng, manifest, tensor };
export const blocks = ['block0', 'block1'];

/** Columns of the image, features of each: [33, 120]. */
export const [seqQ, modelDim] = manifest.tensors['block0.input'].shape;

/** What the model reads, column by column, with a word of yours for those that it reads nothing in. */
export function letters(blank) {
  return [...manifest.recognised.columns].map((c) => (c === manifest.recognised.blank ? blank : c));
}

/** A block's attention, computed by heed: out [seqQ, modelDim], weights [heads, seqQ, seqQ]. */
export function attend(block) {
  const mha = new MultiHeadAttention({
    ...{ modelDim, heads: manifest.heads, weightLayout: 'in-out' },
    weights: {
      ...{ wqkv: tensor(`${block}.qkv.weight`), bqkv: tensor(`${block}.qkv.bias`) },
      ...{ wo: tensor(`${block}.proj.weight`), bo: tensor(`${block}.proj.bias`) },
    },
  });
  const { out, weights } = mha.inspect(tensor(`${block}.attention.input`), { seqQ });
  mha.dispose();
  return { out, weights };
}
