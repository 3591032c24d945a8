/**
 * The float64 reference against vectors computed by hand and against a formula written out independently here.
 * What the door refuses is in the door tests.
 */
import { describe, expect, it } from 'vitest';
import { attention, attentionWeights, matmul, mergeAttention, type FloatArray } from '../src/reference.ts';
import { uniform } from './data.ts';

/** Numbers of −1 … 1, the same in every run. */
function random(seed: number): (length: number) => Float32Array {
  const next = uniform(seed);
  return (length) => Float32Array.from({ length }, () => 2 * next() - 1);
}

function close(actual: ArrayLike<number>, expected: readonly number[], digits = 12): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, digits);
}

interface Case {
  batch: number;
  heads: number;
  kvHeads: number;
  seqQ: number;
  seqK: number;
  headDim: number;
  valueDim: number;
  layout: 'bshd' | 'bhsd';
  causal: boolean;
  queryOffset?: number | number[];
  scale?: number;
}

/** softmax(scale · Q Kᵀ + mask) V with every matrix materialised, element by element from the definition. */
function formula(c: Case, q: FloatArray, k: FloatArray, v: FloatArray) {
  const at = (
    x: FloatArray,
    b: number,
    s: number,
    h: number,
    d: number,
    [S, H, D]: [number, number, number],
  ) => x[c.layout === 'bshd' ? ((b * S + s) * H + h) * D + d : ((b * H + h) * S + s) * D + d]!;
  const out: number[] = new Array<number>(c.batch * c.seqQ * c.heads * c.valueDim).fill(0);
  const weights: number[] = [];
  const logSumExp: number[] = [];
  for (let b = 0; b < c.batch; b++) {
    for (let h = 0; h < c.heads; h++) {
      const g = Math.floor((h * c.kvHeads) / c.heads);
      for (let i = 0; i < c.seqQ; i++) {
        const given = typeof c.queryOffset === 'object' ? c.queryOffset[b] : c.queryOffset;
        const offset = given ?? c.seqK - c.seqQ;
        const scores = Array.from({ length: c.seqK }, (_, j) => {
          if (c.causal && j > i + offset) return -Infinity;
          let dot = 0;
          for (let d = 0; d < c.headDim; d++) {
            const qd = at(q, b, i, h, d, [c.seqQ, c.heads, c.headDim]);
            dot += qd * at(k, b, j, g, d, [c.seqK, c.kvHeads, c.headDim]);
          }
          return dot * (c.scale ?? c.headDim ** -0.5);
        });
        const sum = scores.reduce((l, s) => l + Math.exp(s), 0);
        logSumExp.push(Math.log(sum));
        const row = scores.map((s) => (sum === 0 ? 0 : Math.exp(s) / sum));
        weights.push(...row);
        for (let d = 0; d < c.valueDim; d++) {
          const o = row.reduce((a, p, j) => a + p * at(v, b, j, g, d, [c.seqK, c.kvHeads, c.valueDim]), 0);
          const { seqQ: S, heads: H, valueDim: D } = c;
          out[c.layout === 'bshd' ? ((b * S + i) * H + h) * D + d : ((b * H + h) * S + i) * D + d] = o;
        }
      }
    }
  }
  return { out, weights, logSumExp };
}

describe('the textbook example', () => {
  const x = new Float64Array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2]);
  const project = (w: number[]): Float64Array => matmul(x, new Float64Array(w), { M: 3, K: 4, N: 2 });
  const q = project([0, 0.2, 0.1, 0, 0, 0.2, 0.1, 0]);
  const k = project([0.1, 0, 0, 0.2, 0.1, 0, 0, 0.1]);
  const v = project([0.1, 0.1, 0.1, 0.1, 0, 0, 0, 0]);

  it('projects', () => {
    close(q, [0.06, 0.08, 0.14, 0.24, 0.22, 0.4]);
    close(k, [0.04, 0.08, 0.12, 0.2, 0.2, 0.32]);
    close(v, [0.03, 0.03, 0.11, 0.11, 0.19, 0.19]);
  });

  it('attends', () => {
    const out = attention(q, k, v, { seqQ: 3, headDim: 2 });
    close(out, [0.1105, 0.1105, 0.1115, 0.1115, 0.1125, 0.1125], 4);
    const float: Float32Array = attention(q, k, v, { seqQ: 3, headDim: 2, out: new Float32Array(6) });
    expect([...float]).toEqual([...Float32Array.from(out)]);
  });
});

describe('attention equals the formula', () => {
  const base = {
    batch: 2,
    heads: 1,
    kvHeads: 1,
    seqQ: 3,
    seqK: 3,
    headDim: 2,
    valueDim: 2,
    causal: false,
  } as const;
  const shapes: readonly Omit<Case, 'layout'>[] = [
    base,
    { ...base, heads: 4, kvHeads: 4, headDim: 5, valueDim: 3 },
    { ...base, heads: 6, kvHeads: 2, seqQ: 4, seqK: 7 },
    { ...base, heads: 3, kvHeads: 1, seqQ: 5, seqK: 2, headDim: 1, valueDim: 1 },
    { ...base, seqQ: 3, seqK: 7, causal: true },
    { ...base, seqQ: 7, seqK: 3, causal: true },
    { ...base, seqQ: 4, seqK: 4, causal: true, queryOffset: 0 },
    { ...base, seqQ: 4, seqK: 6, causal: true, queryOffset: 1, heads: 2, kvHeads: 1 },
    { ...base, seqQ: 4, seqK: 6, causal: true, queryOffset: -2 },
    { ...base, seqQ: 4, seqK: 6, causal: true, queryOffset: [3, -1] },
    { ...base, seqQ: 4, seqK: 6, causal: true, queryOffset: [-100, 1e12] },
    { ...base, seqQ: 4, seqK: 6, queryOffset: -2 },
    { ...base, scale: 0 },
    { ...base, scale: -3 },
    { ...base, batch: 1, seqQ: 9, seqK: 1 },
    { ...base, batch: 1, seqQ: 2, seqK: 0 },
    { ...base, batch: 1, seqQ: 0, seqK: 4 },
    { ...base, batch: 0 },
  ];
  for (const [i, shape] of shapes.entries()) {
    for (const layout of ['bshd', 'bhsd'] as const) {
      it(`${JSON.stringify(shape)} ${layout}`, () => {
        const c: Case = { ...shape, layout };
        const make = random(i + 1);
        const q = make(c.batch * c.seqQ * c.heads * c.headDim);
        const k = make(c.batch * c.seqK * c.kvHeads * c.headDim);
        const v = make(c.batch * c.seqK * c.kvHeads * c.valueDim);
        const expected = formula(c, q, k, v);
        const logSumExp = new Float64Array(c.batch * c.heads * c.seqQ);
        const actual = attentionWeights(q, k, v, { ...c, logSumExp });
        close(actual.out, expected.out);
        close(actual.weights, expected.weights);
        expect(actual.logSumExp).toBe(logSumExp);
        for (const [r, lse] of expected.logSumExp.entries()) {
          if (lse === -Infinity) expect(logSumExp[r]).toBe(-Infinity);
          else expect(logSumExp[r]).toBeCloseTo(lse, 12);
        }
        expect(attention(q, k, v, c)).toEqual(actual.out);
        const exact = attention(Float64Array.from(q), Float64Array.from(k), Float64Array.from(v), c);
        expect(exact).toEqual(actual.out);
      });
    }
  }
});

describe('what the words mean', () => {
  const ones = (n: number): Float32Array => new Float32Array(n).fill(1);

  it('zeros and −∞ where a query sees no key, exactly 0 for a masked weight', () => {
    const options = { seqQ: 2, seqK: 1, headDim: 1, causal: true };
    const { out, weights, logSumExp } = attentionWeights(ones(2), ones(1), ones(1), options);
    expect([...out]).toEqual([0, 1]);
    expect([...weights]).toEqual([0, 1]);
    expect([...logSumExp]).toEqual([-Infinity, 1]);
  });

  it('never sees what is masked', () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      const k = new Float32Array([1, 1, bad]);
      const v = new Float32Array([1, 3, bad]);
      const out = attention(ones(3), k, v, { seqQ: 3, headDim: 1, causal: true });
      expect([...out.slice(0, 2)]).toEqual([1, 2]);
      expect(out[2]).toBe(bad === -Infinity ? 2 : NaN); // a score of −∞ is a masked key
    }
  });

  it('a score of −∞ is a masked key: its value is never read', () => {
    const k = new Float32Array([0, -Infinity]);
    const options = { seqQ: 1, seqK: 2, headDim: 1 };
    const { out, weights, logSumExp } = attentionWeights(ones(1), k, new Float32Array([7, NaN]), options);
    expect([out[0], ...weights, logSumExp[0]]).toEqual([7, 1, 0, 0]);
    const none = attentionWeights(ones(1), k.fill(-Infinity), new Float32Array([NaN, NaN]), options);
    expect([none.out[0], ...none.weights, none.logSumExp[0]]).toEqual([0, 0, 0, -Infinity]);
  });

  it('a score of +∞ or NaN makes its row NaN, and no other', () => {
    for (const bad of [NaN, Infinity]) {
      const q = new Float32Array([1, bad, 1]);
      const { out, weights } = attentionWeights(q, ones(2), new Float32Array([2, 4]), {
        seqQ: 3,
        seqK: 2,
        headDim: 1,
      });
      expect([...out]).toEqual([3, NaN, 3]);
      expect([...weights]).toEqual([0.5, 0.5, NaN, NaN, 0.5, 0.5]);
    }
    const k = new Float32Array([NaN, -Infinity, 0]);
    const { weights } = attentionWeights(ones(1), k, ones(3), { seqQ: 1, seqK: 3, headDim: 1 });
    expect([...weights]).toEqual([NaN, 0, NaN]);
  });

  it('a NaN or infinite value is seen in its column only, even at weight 0', () => {
    const k = new Float32Array([0, -1e4]);
    const v = new Float32Array([1, 2, NaN, 4]);
    const out = attention(ones(1), k, v, { seqQ: 1, seqK: 2, headDim: 1, valueDim: 2 });
    expect([...out]).toEqual([NaN, 2]);
    expect([
      ...attention(ones(1), k, v.fill(Infinity, 2, 3), { seqQ: 1, seqK: 2, headDim: 1, valueDim: 2 }),
    ]).toEqual([NaN, 2]);
  });

  it('a score beyond ±2.3e38 counts as ±∞, one just below wins exactly', () => {
    const run = (score: number): number[] => {
      const options = { seqQ: 1, seqK: 2, headDim: 1, scale: 1 };
      return [...attention(ones(1), new Float64Array([score, 1e4]), new Float32Array([5, 6]), options)];
    };
    expect(run(2.29e38)).toEqual([5]);
    expect(run(2.3e38)).toEqual([5]);
    expect(run(2.31e38)).toEqual([NaN]);
    expect(run(-2.29e38)).toEqual([6]);
    expect(run(-2.31e38)).toEqual([6]);
    // A value of a key that counts is read, at weight 0 too; of one that is masked it is not.
    const read = (score: number): number[] => {
      const options = { seqQ: 1, seqK: 2, headDim: 1, scale: 1 };
      return [...attention(ones(1), new Float64Array([score, 0]), new Float32Array([NaN, 6]), options)];
    };
    expect(read(-2.3e38)).toEqual([NaN]);
    expect(read(-2.31e38)).toEqual([6]);
  });

  it('packed sequences are each as it is alone, out and logSumExp', () => {
    const [starts, keys] = [Int32Array.of(0, 2, 2, 6), Int32Array.of(0, 5, 6, 9)];
    const [heads, headDim, valueDim] = [4, 3, 2];
    const [q, k, v] = [
      random(1)(6 * heads * headDim),
      random(2)(9 * 2 * headDim),
      random(3)(9 * 2 * valueDim),
    ];
    const logSumExp = new Float64Array(heads * 6);
    const shape = { heads, kvHeads: 2, headDim, valueDim, causal: true };
    const packed = { cuSeqlensQ: starts, cuSeqlensK: keys, logSumExp };
    const out = attention(q, k, v, { ...shape, ...packed });
    for (let b = 0; b < 3; b++) {
      const [q0, q1, k0, k1] = [starts[b]!, starts[b + 1]!, keys[b]!, keys[b + 1]!];
      const queries = (x: FloatArray, width: number): FloatArray => x.subarray(q0 * width, q1 * width);
      const tokens = (x: FloatArray, width: number): FloatArray => x.subarray(k0 * width, k1 * width);
      const seqQ = q1 - q0;
      const sums = new Float64Array(heads * seqQ);
      const alone = attention(queries(q, heads * headDim), tokens(k, 2 * headDim), tokens(v, 2 * valueDim), {
        ...shape,
        ...{ seqQ, seqK: k1 - k0, logSumExp: sums },
      });
      expect(queries(out, heads * valueDim)).toEqual(alone);
      // [heads, totalQ] of all, [heads, seqQ] of one
      for (let h = 0; h < heads; h++) {
        const own = sums.subarray(seqQ * h, seqQ * (h + 1));
        expect(logSumExp.subarray(6 * h + q0, 6 * h + q1)).toEqual(own);
      }
    }
    expect(logSumExp.every((each) => each !== 0)).toBe(true);
  });

  it('one key gives its value bit for bit, equal scores the mean', () => {
    const v = random(3)(4);
    const one = attention(random(1)(4), random(2)(4), v, { seqQ: 1, headDim: 4 });
    expect([...one]).toEqual([...v]);
    const mean = attention(ones(1), ones(4), new Float32Array([1, 2, 3, 10]), {
      seqQ: 1,
      seqK: 4,
      headDim: 1,
    });
    expect([...mean]).toEqual([4]);
  });

  it('out may be an input: all is computed before it is written', () => {
    const [q, k, v] = [random(1)(6), random(2)(6), random(3)(6)];
    const expected = Float32Array.from(attention(q, k, v, { seqQ: 3, headDim: 2 }));
    for (const which of [0, 1, 2]) {
      const inputs = [q.slice(), k.slice(), v.slice()] as const;
      const out = attention(...inputs, { seqQ: 3, headDim: 2, out: inputs[which]! });
      expect(out).toBe(inputs[which]);
      expect([...out]).toEqual([...expected]);
    }
    const memory = new Float32Array(8);
    memory.set(q, 1);
    const out = memory.subarray(2);
    attention(memory.subarray(1, 7), k, v, { seqQ: 3, headDim: 2, out, logSumExp: new Float32Array(3) });
    expect([...out]).toEqual([...expected]);
  });

  it('calls no method of out', () => {
    class Hostile extends Float32Array {
      override set(): never {
        throw new Error('called');
      }
    }
    expect([...attention(ones(1), ones(1), ones(1), { seqQ: 1, headDim: 1, out: new Hostile(1) })]).toEqual([
      1,
    ]);
  });
});

describe('merged parts', () => {
  it('of several sequences, in both layouts, are each as it is alone', () => {
    const [batch, heads, seqQ, valueDim] = [3, 2, 4, 5];
    const rows = heads * seqQ;
    for (const layout of ['bshd', 'bhsd'] as const) {
      const parts = [1, 2, 3].map((seed) => ({
        out: random(seed)(batch * rows * valueDim),
        logSumExp: random(10 * seed)(batch * rows),
      }));
      const merged = mergeAttention(parts, { batch, heads, seqQ, valueDim, layout });
      for (let b = 0; b < batch; b++) {
        const one = (x: FloatArray, width: number): FloatArray => x.subarray(b * width, (b + 1) * width);
        const part = ({ out, logSumExp }: { out: FloatArray; logSumExp: FloatArray }) => ({
          out: one(out, rows * valueDim),
          logSumExp: one(logSumExp, rows),
        });
        expect(part(merged)).toEqual(mergeAttention(parts.map(part), { heads, seqQ, valueDim, layout }));
      }
    }
  });
  it('without a key in any of them are zeros and −∞', () => {
    const none = { out: new Float32Array(2).fill(NaN), logSumExp: new Float32Array(1).fill(-Infinity) };
    const { out, logSumExp } = mergeAttention([none, none], { seqQ: 1, valueDim: 2 });
    expect([...out, ...logSumExp]).toEqual([0, 0, -Infinity]);
  });
});

describe('matmul', () => {
  const shapes = [
    { batch: 1, M: 2, N: 3, K: 4 },
    { batch: 3, M: 1, N: 1, K: 1 },
    { batch: 2, M: 5, N: 4, K: 3 },
    { batch: 2, M: 3, N: 2, K: 0 },
    { batch: 2, M: 0, N: 2, K: 3 },
    { batch: 2, M: 3, N: 0, K: 3 },
    { batch: 0, M: 3, N: 2, K: 3 },
  ];
  for (const shape of shapes) {
    for (const code of [0, 1, 2, 3, 4, 5, 6, 7]) {
      const [transposeA, transposeB, shared] = [!!(code & 1), !!(code & 2), !!(code & 4)];
      it(`${JSON.stringify(shape)} transposeA ${transposeA} transposeB ${transposeB} shared ${shared}`, () => {
        const { batch, M, N, K } = shape;
        const make = random(7 + code);
        const a = make(batch * M * K);
        const b = make((shared ? 1 : batch) * K * N);
        const bias = make(N);
        const expected: number[] = [];
        const plain: number[] = [];
        for (let i = 0; i < batch; i++) {
          for (let m = 0; m < M; m++) {
            for (let n = 0; n < N; n++) {
              let [sum, product] = [bias[n]!, 0];
              for (let k = 0; k < K; k++) {
                const x = a[i * M * K + (transposeA ? k * M + m : m * K + k)]!;
                const y = b[(shared ? 0 : i * K * N) + (transposeB ? n * K + k : k * N + n)]!;
                sum += x * y;
                product += x * y;
              }
              expected.push(sum);
              plain.push(product);
            }
          }
        }
        const actual: Float64Array = matmul(a, b, { ...shape, transposeA, transposeB, bias });
        expect([...actual]).toEqual(expected);
        expect([...matmul(a, b, { ...shape, transposeA, transposeB })]).toEqual(plain);
        const out = new Float32Array(expected.length);
        expect(matmul(a, b, { ...shape, transposeA, transposeB, bias, out })).toBe(out);
        expect([...out]).toEqual([...Float32Array.from(expected)]);
      });
    }
  }

  it('by hand, and with K = 0 zeros', () => {
    const a = new Float32Array([1, 2, 3, 4]);
    const b = new Float32Array([5, 6, 7, 8]);
    expect([...matmul(a, b, { M: 2, N: 2, K: 2 })]).toEqual([19, 22, 43, 50]);
    expect([...matmul(new Float32Array(0), new Float32Array(0), { M: 2, N: 2, K: 0 })]).toEqual([0, 0, 0, 0]);
  });

  it('out may be an input or the bias', () => {
    const a = new Float32Array([1, 2, 3, 4]);
    const b = new Float32Array([5, 6, 7, 8]);
    expect([...matmul(a, b, { M: 2, N: 2, K: 2, out: a })]).toEqual([19, 22, 43, 50]);
    const bias = new Float32Array([1, 2]);
    expect([...matmul(b.subarray(0, 1), b.subarray(2), { M: 1, N: 2, K: 1, bias, out: bias })]).toEqual([
      36, 42,
    ]);
  });
});
