/**
 * Real input: two trained transformer blocks on a real image, compared with what the model itself computed (onnxruntime,
 * float32) and with float64. Two float32 programs differ by their roundings, so heed may be at most twice as far from
 * float64 as the model's own program is, plus 2u of the largest value: the pooled law of docs/reliability.md.
 */
import { describe, expect, it } from 'vitest';
import { MultiHeadAttention, type Engine } from '../src/index.ts';
import * as reference from '../src/reference.ts';
import { builds, engineOf } from './builds.ts';
import { manifest, tensor } from './fixture.ts';
import { u } from './laws.ts';

type Floats = Float32Array | Float64Array;

const [seqQ = 0, modelDim = 0] = manifest.tensors['block0.input']?.shape ?? [];
const [heads, headDim, hidden] = [8, 15, 240];

/** y = (x − mean) / √(variance + ε) · weight + bias, token by token. */
function layerNorm(given: Floats, name: string): Float64Array {
  const x = Float64Array.from(given);
  const [weight, bias] = [tensor(`${name}.weight`), tensor(`${name}.bias`)];
  const y = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += modelDim) {
    const token = x.subarray(start, start + modelDim);
    const mean = token.reduce((a, b) => a + b, 0) / modelDim;
    const variance = token.reduce((a, b) => a + (b - mean) ** 2, 0) / modelDim;
    const scale = 1 / Math.sqrt(variance + manifest.layerNormEpsilon);
    for (const [i, value] of token.entries()) y[start + i] = (value - mean) * scale * weight[i]! + bias[i]!;
  }
  return y;
}

const swish = (x: number): number => x / (1 + Math.exp(-x));

const sum = (a: Floats, b: Floats): Float64Array => Float64Array.from(a, (x, i) => x + b[i]!);

/** The attention of a block in float64. */
function attentionOf(block: string, x: Floats): { out: Float64Array; weights: Float64Array } {
  const width = heads * headDim;
  const bias = tensor(`${block}.qkv.bias`);
  const qkv = reference.matmul(x, tensor(`${block}.qkv.weight`), {
    M: seqQ,
    K: modelDim,
    N: 3 * width,
    bias,
  });
  const part = (at: number): Float64Array =>
    Float64Array.from({ length: seqQ * width }, (_, i) => {
      return qkv[Math.floor(i / width) * 3 * width + at * width + (i % width)]!;
    });
  const looks = reference.attentionWeights(part(0), part(1), part(2), { seqQ, heads, headDim });
  const [wo, bo] = [tensor(`${block}.proj.weight`), tensor(`${block}.proj.bias`)];
  return {
    out: reference.matmul(looks.out, wo, { M: seqQ, K: width, N: modelDim, bias: bo }),
    weights: looks.weights,
  };
}

/** What follows the attention of a block: residual, norm, MLP, residual. */
function rest(
  block: string,
  attended: Floats,
  matmul: (
    a: Floats,
    b: Float32Array,
    options: { M: number; N: number; K: number; bias: Float32Array },
  ) => Floats,
): Float64Array {
  const [w1, w2] = [tensor(`${block}.mlp.fc1.weight`), tensor(`${block}.mlp.fc2.weight`)];
  const [b1, b2] = [tensor(`${block}.mlp.fc1.bias`), tensor(`${block}.mlp.fc2.bias`)];
  const x = sum(tensor(`${block}.input`), attended);
  const h = matmul(layerNorm(x, `${block}.norm2`), w1, { M: seqQ, K: modelDim, N: hidden, bias: b1 }).map(
    swish,
  );
  return sum(x, matmul(h, w2, { M: seqQ, K: hidden, N: modelDim, bias: b2 }));
}

function largest(x: Floats): number {
  return Float64Array.from(x).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
}

/** Heed is at most twice as far from float64 as the model's own float32, plus 2u. */
function expectAsGood(computed: Floats, model: Float32Array, exact: Float64Array): void {
  const [own, models] = [computed, model].map((x) =>
    largest(Float64Array.from(x, (value, i) => value - exact[i]!)),
  );
  expect(computed).toHaveLength(exact.length);
  expect(own).toBeLessThanOrEqual(2 * models! + 2 * u * largest(exact));
}

describe.each(builds)('%s', async (build) => {
  const engine: Engine = await engineOf(build);

  it.each(['block0', 'block1'])('%s of PP-OCRv4', (block) => {
    const layer = new MultiHeadAttention({
      ...{ modelDim, heads, engine, weightLayout: 'in-out' },
      weights: {
        wqkv: tensor(`${block}.qkv.weight`),
        bqkv: tensor(`${block}.qkv.bias`),
        wo: tensor(`${block}.proj.weight`),
        bo: tensor(`${block}.proj.bias`),
      },
    });
    const x = tensor(`${block}.attention.input`);
    const truth = attentionOf(block, x);
    const { out, weights } = layer.inspect(x, { seqQ });
    expectAsGood(out, tensor(`${block}.attention.output`), truth.out);
    expectAsGood(weights, tensor(`${block}.attention.weights`), truth.weights);
    expect(layer.forward(x, { seqQ })).toEqual(out);

    // The whole block: heed's attention and matmuls, norms and activation in JavaScript.
    const matmul = (
      a: Floats,
      b: Float32Array,
      options: { M: number; N: number; K: number; bias: Float32Array },
    ) => engine.matmul(Float32Array.from(a), b, options);
    const normed = layerNorm(tensor(`${block}.input`), `${block}.norm1`);
    const attended = layer.forward(Float32Array.from(normed), { seqQ });
    const exact = rest(block, attentionOf(block, normed).out, reference.matmul);
    expectAsGood(rest(block, attended, matmul), tensor(`${block}.output`), exact);
    layer.dispose();
    expect(engine.memory.used).toBe(0);
  });
});
