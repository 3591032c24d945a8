/**
 * The cases of differences.ts, one by one: heed gives what it is said to give, and onnxruntime-web still does otherwise, in
 * the way that docs/onnx.md describes. When one of these fails, onnxruntime has changed: take the row out.
 */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/index.ts';
import { attention } from '../../src/reference.ts';
import { builds, engineOf } from '../builds.ts';
import { use } from '../laws.ts';
import { toHeed, type Call, type HeedCall } from './call.ts';
import { make } from './calls.ts';
import { differences, type Difference } from './differences.ts';
import { ortLaw } from './laws.ts';
import { onnxruntime } from './ort.ts';

const engines: readonly (readonly [string, Engine])[] = await Promise.all(
  builds.map(async (build) => [build, await engineOf(build)] as const),
);

/** Y, or the scores of mode 2. */
function heedGives(engine: Engine, call: Call, output = 'Y'): number[] {
  const { q, k, v, options, toY } = toHeed(call);
  if (output === 'Y') return [...toY(engine.attention(q, k, v, options))];
  const { weights, logSumExp } = engine.attentionWeights(q, k, v, options);
  return Array.from(weights, (w, n) => Math.log(w) + logSumExp[Math.floor(n / options.seqK)]!);
}

async function ortGives({ call, output = 'Y', present = true }: Difference): Promise<number[] | string> {
  const past = call.past_key && present ? (['present_key', 'present_value'] as const) : [];
  try {
    const result = await onnxruntime(call, ['Y', ...past, ...(output === 'Y' ? [] : [output])]);
    return [...result[output].data];
  } catch (error) {
    return (error as Error).message;
  }
}

/** Largest distance; a NaN or a refusal is infinitely far. */
function distance(x: readonly number[] | string, truth: readonly number[]): number {
  if (typeof x === 'string') return Infinity;
  return truth.reduce((most, t, i) => {
    const error = x[i] === t ? 0 : Math.abs(x[i]! - t);
    return Number.isNaN(error) ? Infinity : Math.max(most, error);
  }, 0);
}

describe('onnxruntime', () => {
  it.each(differences.map((each) => [each.name, each] as const))('%s', async (_, each) => {
    const gives = await ortGives(each);
    if (typeof each.onnxruntime === 'string') expect(gives).toContain(each.onnxruntime);
    else expect(gives).toEqual(each.onnxruntime);
  });
});

describe.each(engines)('%s', (_, engine) => {
  it.each(differences.map((each) => [each.name, each] as const))('%s', (_name, each) => {
    const { call, output, specification, heed = specification } = each;
    const gives = heedGives(engine, call, output);
    // −0 is 0 here, and the reference says the same.
    expect(gives.map((x) => x + 0)).toEqual(heed);
    if (output !== undefined) return;
    const { q, k, v, options } = toHeed(call);
    expect([...attention(q, k, v, options)]).toEqual(heed);
  });

  it('is nearer to float64 than onnxruntime, but where both are as near', async () => {
    const nearer: string[] = [];
    const other: string[] = [];
    for (const each of differences) {
      const { name, call, output, specification, truth = specification } = each;
      const ours = distance(heedGives(engine, call, output), truth);
      (ours < distance(await ortGives(each), truth) ? nearer : other).push(name);
    }
    expect(nearer).toHaveLength(differences.length - 3);
    expect(other).toEqual([
      'a row whose mask is the lowest float throughout', // both give zeros
      'a row whose mask is −3e38 throughout', // onnxruntime is right
      'NaN in a key beyond the length', // both are right
    ]);
  });

  it('has defaults that are not ONNX’s: causal beside another number of keys', () => {
    const call = make({ seqQ: 2, seqK: 4, attributes: { is_causal: 1 } });
    const { q, k, v, options } = toHeed(call);
    const sees = (given: HeedCall['options']): boolean[] =>
      Array.from(engine.attentionWeights(q, k, v, given).weights, (w) => w > 0);
    expect(sees(options)).toEqual([true, false, false, false, true, true, false, false]);
    expect(sees({ ...options, queryOffset: undefined })).toEqual([
      true,
      true,
      true,
      false,
      true,
      true,
      true,
      true,
    ]);
  });

  it('has defaults that are not ONNX’s: causal, and a length below the number of queries', () => {
    const call = make({ seqQ: 3, seqK: 3, nonpad: [1], attributes: { is_causal: 1 } });
    const { q, k, v, options } = toHeed(call);
    const rows = (given: HeedCall['options']): number[] => {
      const { weights } = engine.attentionWeights(q, k, v, given);
      return [0, 1, 2].map((i) => weights.subarray(3 * i, 3 * i + 3).filter((w) => w > 0).length);
    };
    expect(rows(options)).toEqual([0, 0, 1]);
    expect(rows({ ...options, queryOffset: undefined })).toEqual([1, 1, 1]);
  });

  it('the windows of opset 25, with no cache, a past and lengths', () => {
    const seen = (attributes: Call['attributes'], rest: Partial<Call> = {}, seqQ = 4): string[] => {
      const call = make({ opset: 25, seqQ, seqK: rest.past_key ? 4 : 6, attributes });
      const { q, k, v, options } = toHeed({ ...call, ...rest });
      const { weights } = engine.attentionWeights(q, k, v, options);
      return Array.from({ length: seqQ }, (_row, i) =>
        Array.from(weights.subarray(6 * i, 6 * i + 6), (w) => Number(w > 0)).join(''),
      );
    };
    const both = { left_window_size: 2, right_window_size: 1 };
    expect(seen(both)).toEqual(['110000', '111000', '111100', '011110']); // the specification's own figure
    expect(seen({ ...both, is_causal: 1 })).toEqual(['100000', '110000', '111000', '011100']);
    expect(seen({ left_window_size: 1 })).toEqual(['111111', '111111', '011111', '001111']);
    const two = { dims: [1, 1, 2, 8], data: new Float32Array(16) };
    expect(seen(both, { past_key: two, past_value: two })).toEqual(['111100', '011110', '001111', '000111']);
    expect(seen(both, { nonpad_kv_seqlen: [5] })).toEqual(['111000', '111100', '011110', '001110']);
  });
});

it('numbers of one byte are added to the scores, not a mask', async () => {
  const attn_mask = { dims: [1, 4], data: Uint8ClampedArray.of(0, 3, 1, 0) };
  const heed = toHeed({ ...make({ seqQ: 1, seqK: 4 }), attn_mask });
  const { Y } = await onnxruntime({ ...make({ seqQ: 1, seqK: 4 }), attn_mask }, ['Y']);
  for (const row of ortLaw(heed)) expect(use(Y.data, row.out, row.at)).toBeLessThanOrEqual(1);
});

it('softmax_precision DOUBLE changes nothing, a negative softcap neither', async () => {
  const plain = make({ seqQ: 9, seqK: 40 });
  const { Y } = await onnxruntime(plain, ['Y']);
  for (const attributes of [{ softmax_precision: 11 }, { softmax_precision: 10 }, { softcap: -1 }]) {
    expect((await onnxruntime({ ...plain, attributes }, ['Y'])).Y.data).toEqual(Y.data);
  }
});
