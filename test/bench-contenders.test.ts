/**
 * What heed is compared with: the plain loops, the thread that they run in, and the check of every contender.
 *
 * @node the benchmark is a program of Node
 */
import { describe, expect, it, vi } from 'vitest';
import { plainAttention, plainMatmul, type PlainCall, type PlainMatmul } from '../bench/plain-loops.ts';
import { uses } from '../bench/rows.ts';
import { ScriptThread } from '../bench/script-thread.ts';
import { shipScripts } from '../bench/shipped.ts';
import { matmul } from '../src/reference.ts';
import { attentionInputs, matmulInputs } from './cases.ts';
import type { AttentionCase, MatmulCase } from './cases.ts';
import { attentionLaw, every, matmulLaw } from './laws.ts';

const scripts = await shipScripts();

const attentions: readonly AttentionCase<PlainCall>[] = [
  { name: 'one query, one key', options: { seqQ: 1, headDim: 1 } },
  { name: 'cross', options: { seqQ: 7, seqK: 101, heads: 3, headDim: 20, valueDim: 5, batch: 2 } },
  { name: 'groups, causal', options: { seqQ: 30, seqK: 33, heads: 4, kvHeads: 2, headDim: 8, causal: true } },
  { name: 'a query that sees no key', options: { seqQ: 9, seqK: 5, headDim: 8, causal: true } },
];

const matmuls: readonly MatmulCase<PlainMatmul>[] = [
  { name: '1 × 1 × 1', options: { M: 1, N: 1, K: 1 } },
  { name: 'tails', options: { M: 13, N: 29, K: 300 } },
];

describe('plain loops', () => {
  it.each(attentions)('attention, $name', (spec) => {
    const inputs = attentionInputs(spec);
    const { batch = 1, heads = 1, seqQ, headDim, valueDim = headDim } = spec.options;
    const out = new Float32Array(batch * seqQ * heads * valueDim).fill(NaN);
    expect(plainAttention(...inputs, spec.options, out)).toBe(out);
    const most = uses([{ name: 'plain', out, order: 'chain' }], attentionLaw(...inputs, spec.options));
    expect(most.get('plain')).toBeLessThanOrEqual(1);
  });

  it.each(matmuls)('matmul, $name', (spec) => {
    const [a, b] = matmulInputs(spec);
    const out = new Float32Array(spec.options.M * spec.options.N).fill(NaN);
    expect(plainMatmul(a, b, spec.options, out)).toBe(out);
    const most = uses([{ name: 'plain', out, order: 'chain' }], matmulLaw(a, b, spec.options));
    expect(most.get('plain')).toBeLessThanOrEqual(1);
  });
});

describe('plain JavaScript in its thread', () => {
  const [a, b] = [Float32Array.of(1, 2), Float32Array.of(3, 4)];

  it('computes, counts what it is asked to count, and gives what it wrote last', () => {
    const call = { M: 1, N: 1, K: 2 };
    const thread = new ScriptThread({ kind: 'matmul', inputs: [a, b], call }, scripts);
    expect(thread.result('plain')).toEqual(Float32Array.of(NaN));
    expect(thread.clock('plain')(100, 10)).toBeGreaterThan(0);
    thread.clock('reference')(1);
    expect(thread.result('plain')).toEqual(Float32Array.of(11));
    expect(thread.result('reference')).toEqual(Float64Array.of(11));
    thread.dispose();
  });

  it('says what was thrown there', () => {
    const call = { seqQ: 3, headDim: 1 };
    const thread = new ScriptThread({ kind: 'attention', inputs: [a, b, a], call }, scripts);
    expect(() => thread.clock('reference')(1)).toThrow(/HeedRangeError: .*"q"/);
    thread.dispose();
  });

  it('may die, and takes nobody with it', async () => {
    const call = { M: 1, N: 1, K: 2 };
    const dies = new URL('data:text/javascript,throw new Error("no module")');
    const thread = new ScriptThread({ kind: 'matmul', inputs: [a, b], call }, dies);
    await vi.waitFor(() => {
      expect(thread.death).toBe('no module');
    }, 10e3);
    expect(() => thread.clock('plain')(1)).toThrow('the thread of plain JavaScript has died: no module');
    thread.dispose();
  });
});

it('plain loops can be given no option that they do not know', () => {
  const { options } = { options: { seqQ: 1, headDim: 1, causal: true } };
  const known: PlainCall = options;
  // @ts-expect-error Computed without a window, it would be another result.
  const windowed: PlainCall = { ...options, window: [255, 0] };
  const cases: readonly AttentionCase[] = [{ name: '', options }];
  // @ts-expect-error Nor can a case of which that is not known.
  const unknown: PlainCall = cases[0]!.options;
  expect([known, windowed, unknown]).toHaveLength(3);
});

it('the check tells each contender its worst element', () => {
  const options = { M: 9, N: 4, K: 40 };
  const [a, b] = matmulInputs({ name: '', options });
  const right = matmul(a, b, options);
  const wrong = right.map((x, i) => (i === right.length - 1 ? x + 1e-3 : x));
  const missing = right.map((x, i) => (i === 0 ? NaN : x));
  const contenders = [
    { name: 'reference', out: right, order: 'chain' },
    { name: 'plain', out: wrong, order: 'chain' },
    { name: 'baseline', out: missing, order: 'blocks' },
  ] as const;
  const most = uses(contenders, matmulLaw(a, b, options, every(7, 9)));
  expect(most.get('reference')).toBe(0);
  expect(most.get('plain')).toBeGreaterThan(1);
  expect(most.get('baseline')).toBe(Infinity);
});
