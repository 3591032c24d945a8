/**
 * ONNX `Attention` three ways: heed's kernels on every build, heed's reference, and onnxruntime-web. One judge, float64 on
 * the same floats, and two laws: that of heed's kernels, and that of plain loops with onnxruntime's own exponential.
 * Where onnxruntime does otherwise than the specification: differs.test.ts.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/index.ts';
import { attentionWeights } from '../../src/reference.ts';
import { builds, engineOf } from '../builds.ts';
import { attentionLaw, use, type Law } from '../laws.ts';
import { toHeed, type Call, type HeedCall } from './call.ts';
import { make, recipes, table, type Recipe } from './calls.ts';
import { ortLaw, scoreLaw, type Stage } from './laws.ts';
import { onnxruntime, version } from './ort.ts';

const RANDOM = 1000;

const engines: readonly (readonly [string, Engine])[] = await Promise.all(
  builds.map(async (build) => [build, await engineOf(build)] as const),
);

/** float64 meets the same law with 2⁻⁵³ for 2⁻²⁴; the truth that it is compared with is float64 as well. */
const FLOAT64 = 2 * 2 ** -29;

function judgeReference({ q, k, v, options }: HeedCall): void {
  const { out, weights } = attentionWeights(q, k, v, options);
  for (const row of attentionLaw(q, k, v, options)) {
    expect(use(out, row.out('chain'), row.at)).toBeLessThanOrEqual(FLOAT64);
    expect(use(weights, row.weights('chain'), row.row * options.seqK)).toBeLessThanOrEqual(FLOAT64);
  }
}

function judgeHeed(engine: Engine, { q, k, v, options }: HeedCall): void {
  const { out, weights } = engine.attentionWeights(q, k, v, options);
  expect(engine.attention(q, k, v, options)).toEqual(out);
  for (const row of attentionLaw(q, k, v, options)) {
    expect(use(out, row.out('blocks'), row.at)).toBeLessThanOrEqual(1);
    expect(use(weights, row.weights('blocks'), row.row * options.seqK)).toBeLessThanOrEqual(1);
  }
}

/** Y and, where there is a past, the present; qk_matmul_output by its mode. */
async function judgeOrt(call: Call, heed: HeedCall): Promise<void> {
  const { seqK } = heed.options;
  const present = call.past_key ? (['present_key', 'present_value'] as const) : [];
  const result = await onnxruntime(call, ['Y', ...present, 'qk_matmul_output']);
  const Y = fromY(heed, result.Y.data);
  for (const row of ortLaw(heed)) {
    expect(use(Y, row.out, row.at)).toBeLessThanOrEqual(1);
    if (call.attributes.qk_matmul_output_mode !== 3) continue;
    expect(use(result.qk_matmul_output.data, row.weights, row.row * seqK)).toBeLessThanOrEqual(1);
  }
  const mode = call.attributes.qk_matmul_output_mode ?? 0;
  if (mode !== 3)
    expect(use(scores(result.qk_matmul_output.data), scoreLaw(heed, mode as Stage))).toBeLessThanOrEqual(1);
  for (const name of present) expect(result[name]).toMatchObject({ data: heed[name] });
}

/** Y in the order of heed's result: `toY` only ever swaps two axes, so that the indices of Y, sent through it, undo it. */
function fromY({ toY }: HeedCall, Y: Float32Array): Float32Array {
  const places = toY(Float32Array.from(Y, (_, i) => i)); // exact: far fewer than 2²⁴
  const out = new Float32Array(Y.length);
  for (const [i, place] of places.entries()) out[place] = Y[i]!;
  return out;
}

/** onnxruntime has the lowest finite float where the specification has −∞ (differs.test.ts). */
function scores(x: Float32Array): Float32Array {
  return x.map((s) => (s < -3e38 ? -Infinity : s));
}

/** A case proves nothing if all that it compares is zero. */
function substance({ q, k, v, options }: HeedCall): number {
  return attentionWeights(q, k, v, options).out.filter((x) => x !== 0).length;
}

it('onnxruntime-web is the one that docs/onnx.md is about', () => {
  expect(version).toBe('1.30.0');
});

const cases = table.map(([name, recipe]) => [name, make(recipe)] as const);

describe.each(engines)('%s', (_, engine) => {
  it.each(cases)('%s', (_name, call) => {
    judgeHeed(engine, toHeed(call));
  });

  it(`${RANDOM} random calls`, () => {
    const property = fc.property(recipes, (recipe) => {
      judgeHeed(engine, toHeed(make(recipe)));
    });
    fc.assert(property, { numRuns: RANDOM });
  });
});

describe('the reference', () => {
  it.each(cases)('%s', (_name, call) => {
    expect(substance(toHeed(call))).toBeGreaterThan(0);
    judgeReference(toHeed(call));
  });

  it(`${RANDOM} random calls`, () => {
    let counted = 0;
    const property = fc.property(recipes, (recipe) => {
      const heed = toHeed(make(recipe));
      judgeReference(heed);
      if (substance(heed) > 0) counted++;
    });
    fc.assert(property, { numRuns: RANDOM });
    expect(counted).toBeGreaterThan(0.9 * RANDOM);
  });
});

describe('onnxruntime', () => {
  it.each(cases)('%s', async (_name, call) => {
    await judgeOrt(call, toHeed(call));
  });

  it(`${RANDOM} random calls`, async () => {
    const property = fc.asyncProperty(recipes, async (recipe) => {
      const call = make(recipe);
      await judgeOrt(call, toHeed(call));
    });
    await fc.assert(property, { numRuns: RANDOM });
  }, 300_000);
});

describe('qk_matmul_output', () => {
  const recipe: Recipe = {
    ...{ batch: 2, kvHeads: 2, seqQ: 6, seqK: 9, headDim: 10 },
    mask: { kind: 'float with −∞', rank: 2 },
    attributes: { softcap: 3, is_causal: 1 },
    sigma: 3,
  };
  const heed = toHeed(make(recipe));
  const { q, k, v, options } = heed;
  const { batch, heads, seqQ, seqK, headDim } = options;

  it.each([0, 1, 2, 3])('mode %i beside softcap, mask and causal', async (mode) => {
    await judgeOrt(
      make({ ...recipe, attributes: { ...recipe.attributes, qk_matmul_output_mode: mode } }),
      heed,
    );
  });

  it.each(engines)('mode 0 is a matmul and the scale, %s', (_, engine) => {
    const shape = { batch: batch * heads, M: seqQ, N: seqK, K: headDim, transposeB: true };
    const raw = engine.matmul(q, k, shape).map((x) => x / Math.sqrt(headDim));
    expect(use(raw, scoreLaw(heed, 0))).toBeLessThanOrEqual(1);
  });

  it.each(engines)('mode 2 is ln weight + logSumExp, %s', (_, engine) => {
    const { weights, logSumExp } = engine.attentionWeights(q, k, v, options);
    const { values } = scoreLaw(heed, 2);
    let seen = 0;
    for (const row of attentionLaw(q, k, v, options)) {
      const [weight, sum] = [row.weights('blocks'), row.logSumExp('blocks')];
      for (const [j, w] of weight.values.entries()) {
        const at = row.row * seqK + j;
        if (w === 0) {
          expect(values[at]).toBe(-Infinity);
          expect(Math.log(weights[at]!)).toBe(-Infinity);
          continue;
        }
        // ln(w + e) is off by at most e / (w − |e|), beside the error of logSumExp.
        const bound = weight.bounds[j]! / (w - weight.bounds[j]!) + sum.bounds[0]!;
        expect(Math.abs(Math.log(weights[at]!) + logSumExp[row.row]! - values[at]!)).toBeLessThanOrEqual(
          bound,
        );
        seen++;
      }
    }
    expect(seen).toBeGreaterThan(0.1 * values.length);
  });
});

describe('the laws themselves', () => {
  const law = (values: number[], share: number): Law => ({
    values: Float64Array.from(values),
    bounds: Float64Array.from(values, (x) => Math.abs(x) * share),
  });

  it('would see a mask on the wrong side, a frontier moved by one, another group', async () => {
    const seen = async (call: Call, wrong: Call): Promise<boolean> => {
      const heed = toHeed(wrong);
      const Y = fromY(heed, (await onnxruntime(call, ['Y'])).Y.data);
      return [...ortLaw(heed)].some((row) => use(Y, row.out, row.at) > 1);
    };
    const masked = make({ seqQ: 6, mask: { kind: 'bool', rank: 2 } });
    const other = { ...masked.attn_mask!, data: (masked.attn_mask!.data as Uint8Array).map((x) => 1 - x) };
    expect(await seen(masked, { ...masked, attn_mask: other })).toBe(true);
    const causal = make({ seqQ: 6, seqK: 7, attributes: { is_causal: 1 } });
    expect(await seen(causal, { ...causal, nonpad_kv_seqlen: [7] })).toBe(true);
    const scaled = make({ seqQ: 6, attributes: { scale: 0.5 } });
    expect(await seen(scaled, { ...scaled, attributes: { scale: 0.50001 } })).toBe(true);
    expect(use([1.01], law([1], 0.001))).toBeGreaterThan(1);
  });
});
