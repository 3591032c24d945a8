/** What PP-OCRv4's text recogniser had in its two transformer blocks as it read one line (test/fixtures/pp-ocr), and what heed makes of it. */
import { attentionWeights, matmul, type AttentionOptions } from 'heed';
import * as reference from 'heed/reference';
import binary from '../../test/fixtures/pp-ocr/fixture.bin?url';
import manifest from '../../test/fixtures/pp-ocr/fixture.json';

export const heads: number = manifest.heads;
export const headDim: number = manifest.headDim;
export const steps: number = manifest.steps;

/** The character that each column was read as; '' where there is none. */
export const letters: readonly string[] = Array.from(manifest.recognised.columns, (letter) =>
  letter === manifest.recognised.blank ? '' : letter,
);

export const BLOCKS = ['block0', 'block1'] as const;
export type Block = (typeof BLOCKS)[number];

export type Choice = Pick<AttentionOptions, 'causal' | 'window' | 'softcap'>;

/** One block: its queries, keys and values, [steps, heads, headDim] each, and the weights as the model had them. */
interface Layer {
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly recorded: Float32Array;
}

export class Recording {
  readonly #layers: Readonly<Record<Block, Layer>>;

  private constructor(floats: Float32Array) {
    this.#layers = { block0: layer(floats, 'block0'), block1: layer(floats, 'block1') };
  }

  static async load(): Promise<Recording> {
    const response = await fetch(binary);
    if (!response.ok) throw new Error(`${binary}: ${response.status} ${response.statusText}`);
    return new Recording(new Float32Array(await response.arrayBuffer()));
  }

  /** Where each column looks, [heads, steps, steps], with these options. */
  weights(block: Block, choice: Choice): Float32Array {
    const { q, k, v } = this.#layers[block];
    return attentionWeights(q, k, v, { seqQ: steps, heads, headDim, ...choice }).weights;
  }

  /** How far these weights are, at most, from those of heed/reference, in float64. */
  fromReference(block: Block, choice: Choice, weights: Float32Array): number {
    const { q, k, v } = this.#layers[block];
    const truth = reference.attentionWeights(q, k, v, { seqQ: steps, heads, headDim, ...choice });
    return largestDifference(weights, truth.weights);
  }

  /** How far they are from those that the model itself computed. */
  fromRecorded(block: Block, weights: Float32Array): number {
    return largestDifference(weights, this.#layers[block].recorded);
  }
}

function largestDifference(a: Float32Array, b: ArrayLike<number>): number {
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
}

function layer(floats: Float32Array, block: Block): Layer {
  const tensor = (name: keyof typeof manifest.tensors): Float32Array => {
    const { offset, shape } = manifest.tensors[name];
    return floats.subarray(offset, offset + shape.reduce((product, dim) => product * dim, 1));
  };
  const width = heads * headDim;
  const bias = tensor(`${block}.qkv.bias`);
  const options = { M: steps, K: manifest.width, N: 3 * width, bias };
  const qkv = matmul(tensor(`${block}.attention.input`), tensor(`${block}.qkv.weight`), options);
  const [q, k, v] = [0, 1, 2].map((part) =>
    qkv.filter((_, i) => Math.floor((i % (3 * width)) / width) === part),
  ) as [Float32Array, Float32Array, Float32Array];
  return { q, k, v, recorded: tensor(`${block}.attention.weights`) };
}
