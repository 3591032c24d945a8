/** What each option means (README, "Semantics that bite"): who is seen, what is never looked at, and equal calls. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../src/index.ts';
import { attentionWeights as reference } from '../src/reference.ts';
import { builds, engineOf } from './builds.ts';
import { normal, uniform } from './data.ts';
import { at, expectSameBits, make, type Problem } from './problems.ts';
import { expanded, sees, type Shape } from './problems-options.ts';

/** Bytes that are all seen but where `hidden` says. */
const bytes = (n: number, hidden: (at: number) => boolean): Uint8Array =>
  Uint8Array.from({ length: n }, (_, i) => (hidden(i) ? 0 : 1 + (i % 255)));

const [seqQ, seqK, batch, heads, kvHeads, headDim, valueDim] = [13, 205, 2, 4, 2, 9, 6];
const dims = { batch, seqQ, seqK, headDim, valueDim, causal: false } as const;

/** Two sequences, four heads on two, and options. */
function problemOf(more: object, layout: 'bshd' | 'bhsd' = 'bshd'): Problem {
  const problem = make({ ...dims, kvHeads, group: 2, layout, seed: 3 });
  return { ...problem, options: { ...problem.options, ...more } };
}

/** Zeros or −∞ by the element of a mask or bias of that shape. */
const hiding = (shape: Shape, hidden: (at: number) => boolean): readonly [object, object] => {
  const n = shape.reduce((a, b) => a * b);
  const bias = normal(n, 7).map((x, i) => (hidden(i) ? -Infinity : x));
  return [{ mask: { data: bytes(n, hidden), shape } }, { bias: { data: bias, shape } }];
};

const SHAPES = Array.from({ length: 16 }, (_, full): Shape => {
  return [full & 8 ? batch : 1, full & 4 ? heads : 1, full & 2 ? seqQ : 1, full & 1 ? seqK : 1];
});

describe.each(builds)('%s', async (build) => {
  const engine: Engine = await engineOf(build);
  const look = ({ q, k, v, options }: Problem) => engine.attentionWeights(q, k, v, options);
  const run = ({ q, k, v, options }: Problem) => {
    const logSumExp = new Float32Array(options.batch * options.heads * options.seqQ);
    const out = engine.attention(q, k, v, { ...options, logSumExp });
    return { out, logSumExp };
  };
  const expectEqual = (a: Problem, b: Problem): void => {
    const [one, two] = [run(a), run(b)];
    expectSameBits(one.out, two.out);
    expectSameBits(one.logSumExp, two.logSumExp);
  };

  describe('a query that sees no key: zeros and −∞, whatever is in q, k, v and the bias', () => {
    const all = (): boolean => true;
    const early = hiding([1, 1, 1, seqK], (i) => i < 100);
    const late = hiding([batch, 1, 1, seqK], (i) => i % seqK >= 100);
    it.each([
      ...SHAPES.flatMap((shape) => {
        return hiding(shape, all).map((each): [string, object] => [
          `${Object.keys(each)[0]} ${shape.join()}`,
          each,
        ]);
      }),
      ['a bare mask', { mask: new Uint8Array(seqQ * seqK) }],
      ['a window that ends before the keys', { window: [20, 3], queryOffset: -16 }],
      ['a window behind them', { window: [3, 20], queryOffset: [seqK + 3, 1e300] }],
      ['causal before them', { causal: true, queryOffset: [-13, -(2 ** 40)] }],
      ['keyLengths', { keyLengths: [0, 0] }],
      ['mask and keyLengths', { ...early[0], keyLengths: [100, 50] }],
      ['bias and window', { ...early[1], window: [80, 0], queryOffset: [87, 20] }],
      ['mask and bias', { ...early[0], ...late[1] }],
      ['bias and mask', { ...late[0], ...early[1] }],
    ])('%s', (_, more) => {
      const problem = problemOf({ ...more, softcap: 3, alibi: Float32Array.of(1, 0, -1, NaN) });
      for (const x of [problem.q, problem.k, problem.v]) x.fill(NaN);
      const { out, weights, logSumExp } = look(problem);
      expect(out.every((x) => x === 0)).toBe(true);
      expect(weights.every((x) => x === 0)).toBe(true);
      expect(logSumExp.every((x) => x === -Infinity)).toBe(true);
      expect(run(problem)).toEqual({ out, logSumExp });
      const truth = reference(problem.q, problem.k, problem.v, problem.options);
      expect([...truth.out, ...truth.weights].every((x) => x === 0)).toBe(true);
      expect(truth.logSumExp.every((x) => x === -Infinity)).toBe(true);
    });

    it('and a row that alone sees keys sees all of them', () => {
      const open = run(problemOf({}));
      const shape = [1, heads, seqQ, 1] as const;
      for (let only = 0; only < heads * seqQ; only++) {
        const [mask] = hiding(shape, (i) => i !== only);
        const { out, logSumExp } = run(problemOf(mask));
        for (let row = 0; row < batch * heads * seqQ; row++) {
          const [b, h, i] = [Math.floor(row / seqQ / heads), Math.floor(row / seqQ) % heads, row % seqQ];
          const start = at('bshd', heads, seqQ, valueDim, b, h, i);
          const mine = out.subarray(start, start + valueDim);
          const seesAll = h * seqQ + i === only;
          expect(logSumExp[row]).toBe(seesAll ? open.logSumExp[row] : -Infinity);
          if (seesAll) expectSameBits(mine, open.out.subarray(start, start + valueDim));
          else expect(mine.every((x) => x === 0)).toBe(true);
        }
      }
    });

    it('and the others see what they see', () => {
      const hidden = (i: number): boolean => i % 3 === 0;
      for (const each of hiding([1, 1, seqQ, 1], hidden)) {
        const { out, logSumExp } = run(problemOf(each));
        // A bias that is the same for all keys changes no output.
        const open = run(problemOf({ ...each, mask: undefined, ...('bias' in each && flat(each)) }));
        for (let row = 0; row < batch * heads * seqQ; row++) {
          const [b, h, i] = [Math.floor(row / seqQ / heads), Math.floor(row / seqQ) % heads, row % seqQ];
          const start = at('bshd', heads, seqQ, valueDim, b, h, i);
          const mine = out.subarray(start, start + valueDim);
          expect(logSumExp[row] === -Infinity).toBe(hidden(i));
          if (hidden(i)) expect(mine.every((x) => x === 0)).toBe(true);
          else expectSameBits(mine, open.out.subarray(start, start + valueDim));
        }
      }
    });
    const flat = (each: object): object => {
      const { data, shape } = (each as { bias: { data: Float32Array; shape: Shape } }).bias;
      return { bias: { data: data.map((x) => (x === -Infinity ? 0 : x)), shape } };
    };
  });

  it('a window never shifts the grid of keys: a mask of the same keys gives the same', () => {
    const problem = problemOf({});
    for (let before = 0; before < 12; before++) {
      const place = (i: number): number => i + seqK - seqQ;
      const outside = (i: number, j: number): boolean => j > place(i) || j < place(i) - before;
      const [mask] = hiding([1, 1, seqQ, seqK], (at) => outside(Math.floor(at / seqK), at % seqK));
      const windowed = { ...problem, options: { ...problem.options, window: [before, 0] as const } };
      expectEqual(windowed, { ...problem, options: { ...problem.options, ...mask } });
    }
  });

  describe('what hides a key from all hides what is in it', () => {
    const some = (i: number): boolean => i % 7 === 3 || (i > 96 && i < 130) || i === 204;
    it.each([
      ['mask of keys', hiding([1, 1, 1, seqK], some)[0]],
      ['mask of batch and keys', hiding([batch, 1, 1, seqK], (i) => some(i % seqK) || i === 300)[0]],
      ['mask, full', hiding([batch, heads, seqQ, seqK], (i) => some(i % seqK) || i % 5 === 0)[0]],
      ['mask, bare', { mask: bytes(seqQ * seqK, (i) => some(i % seqK)) }],
      ['bias of keys', hiding([1, 1, 1, seqK], some)[1]],
      ['bias, full', hiding([batch, heads, seqQ, seqK], (i) => some(i % seqK) || i % 5 === 0)[1]],
      ['keyLengths', { keyLengths: [205, 101] }],
      ['window', { window: [90, 3], queryOffset: [98, 20] }],
      ['causal', { causal: true, queryOffset: [50, 100] }],
    ])('%s', (_, more) => {
      const { options } = problemOf(more);
      const rows = Array.from(
        { length: heads * seqQ },
        (_, r) => [r % heads, Math.floor(r / heads)] as const,
      );
      const hidden = Array.from({ length: batch * seqK }, (_, token) => token).filter((token) => {
        const [b, j] = [Math.floor(token / seqK), token % seqK];
        return !rows.some(([h, i]) => sees(options, b, h, i, j));
      });
      expect(hidden.length).toBeGreaterThan(20);
      for (const value of [NaN, Infinity, -Infinity]) {
        const [bad, clean] = [problemOf(more), problemOf(more)];
        for (const token of hidden) {
          for (const [{ k, v }, x] of [
            [bad, value],
            [clean, 0],
          ] as const) {
            k.fill(x, token * kvHeads * headDim, (token + 1) * kvHeads * headDim);
            v.fill(x, token * kvHeads * valueDim, (token + 1) * kvHeads * valueDim);
          }
        }
        expectEqual(bad, clean);
        expectSameBits(look(bad).weights, look(clean).weights);
        expect(run(bad).out.every(Number.isFinite)).toBe(true);
      }
    });

    it.each([
      ['mask', hiding([batch, heads, seqQ, seqK], (i) => i % 3 !== 0)[0]],
      ['bias', hiding([1, heads, seqQ, seqK], (i) => i % 3 !== 0)[1]],
      ['window', { window: [5, 2], queryOffset: 95 }],
    ])('%s: a NaN in a key or value reaches exactly the rows that see it', (_, more) => {
      const [problem, j] = [problemOf(more), 97];
      const before = run(problem).out;
      for (const [name, dim] of [
        ['k', headDim],
        ['v', valueDim],
      ] as const) {
        const x = problem[name].slice();
        const start = at('bshd', kvHeads, seqK, dim, 1, 1, j);
        x.fill(NaN, start, start + dim);
        const { out } = run({ ...problem, [name]: x });
        let hits = 0;
        for (const [e, y] of out.entries()) {
          const [b, i] = [Math.floor(e / valueDim / heads / seqQ), Math.floor(e / valueDim / heads) % seqQ];
          const h = Math.floor(e / valueDim) % heads;
          const hit = b === 1 && h >= 2 && sees(problem.options, b, h, i, j);
          hits += Number(hit);
          if (hit ? !Number.isNaN(y) : y !== before[e]) expect.fail(`${name}: [${e}] is ${y}`);
        }
        expect(hits).toBeGreaterThan(0);
        expect(hits).toBeLessThan(out.length / 4);
      }
    });

    it('a NaN query whose row is hidden', () => {
      for (const each of hiding([1, 1, seqQ, 1], (i) => i === 5)) {
        const [bad, clean] = [problemOf(each), problemOf(each)];
        for (let b = 0; b < batch; b++) {
          const start = at('bshd', heads, seqQ, headDim, b, 0, 5);
          bad.q.fill(NaN, start, start + heads * headDim);
        }
        expectEqual(bad, clean);
      }
    });

    it('a NaN or infinite bias behind mask, window and keyLengths', () => {
      const n = seqQ * seqK;
      const hidden = (i: number): boolean => i % 4 === 1;
      const shape = { shape: [1, 1, seqQ, seqK] };
      const window = { window: [30, 0], queryOffset: 100 };
      const narrow = problemOf(window).options;
      for (const value of [NaN, Infinity]) {
        const bias = (where: (i: number) => boolean, x: number): object => {
          return { bias: { data: normal(n, 5).map((y, i) => (where(i) ? x : y)), ...shape } };
        };
        const mask = { mask: bytes(n, hidden) };
        const beyond = (i: number): boolean => i % seqK >= 90;
        const outside = (i: number): boolean => !sees(narrow, 0, 0, Math.floor(i / seqK), i % seqK);
        for (const [more, where] of [
          [mask, hidden],
          [{ keyLengths: [90, 33] }, beyond],
          [window, outside],
        ] as const) {
          expectEqual(
            problemOf({ ...more, ...bias(where, value) }),
            problemOf({ ...more, ...bias(where, 0) }),
          );
        }
      }
    });
  });

  describe('calls that are equal, to the bit', () => {
    it.each(SHAPES.map((shape) => [shape]))('a mask and a bias of shape %o, and expanded', (shape) => {
      const next = uniform(9);
      const n = shape.reduce((a, b) => a * b);
      const mask = { data: bytes(n, () => n > 1 && next() < 0.3), shape };
      const bias = { data: normal(n, 4).map((x) => (n > 1 && x > 1 ? -Infinity : x)), shape };
      for (const layout of ['bshd', 'bhsd'] as const) {
        const problem = problemOf({ mask, bias }, layout);
        const wide = {
          mask: expanded(mask, problem.options, new Uint8Array(batch * heads * seqQ * seqK)),
          bias: expanded(bias, problem.options, new Float32Array(batch * heads * seqQ * seqK)),
        };
        expectEqual(problem, problemOf(wide, layout));
        expectSameBits(look(problem).weights, look(problemOf(wide, layout)).weights);
        expect(run(problem).out.some((x) => x !== 0)).toBe(true);
      }
    });

    it.each([0, 1, 4, 95, 96, 97, 192, 205])(
      '%i keys: mask of padding, bias, keyLengths, a shorter call',
      (length) => {
        const pad = hiding([1, 1, 1, seqK], (i) => i >= length);
        const zeros = {
          bias: { data: new Float32Array(seqK).fill(-Infinity, length), shape: [1, 1, 1, seqK] },
        };
        const other = problemOf({ keyLengths: [length, seqK - 3] });
        for (const more of [{}, { causal: true, queryOffset: length - 5 }, { softcap: 2 }]) {
          const short = problemOf({ ...more, keyLengths: [length, length] });
          expectEqual(problemOf({ ...more, ...pad[0] }), short);
          // With a bias, be it 0, scores go another way to the same sums.
          expectEqual(problemOf({ ...more, ...zeros }), short);
          const one = { ...short.options, ...more, keyLengths: undefined, batch: 1, seqK: length };
          const alone = run({
            q: short.q.slice(0, short.q.length / 2),
            k: short.k.slice(0, length * kvHeads * headDim),
            v: short.v.slice(0, length * kvHeads * valueDim),
            options: one,
          });
          const together = run(short);
          expectSameBits(alone.out, together.out.subarray(0, alone.out.length));
          expectSameBits(alone.logSumExp, together.logSumExp.subarray(0, heads * seqQ));
        }
        expectSameBits(
          run(other).out.subarray(0, 10),
          run(problemOf({ keyLengths: [length, 7] })).out.subarray(0, 10),
        );
      },
    );

    it('keyLengths place the queries at the end of what there is', () => {
      const keyLengths = [205, 7];
      const stated = problemOf({ keyLengths, causal: true, queryOffset: [205 - 13, 0] });
      expectEqual(problemOf({ keyLengths, causal: true }), stated);
      expect(run(problemOf({ keyLengths, causal: true, queryOffset: 205 - 13 })).out).not.toEqual(
        run(stated).out,
      );
    });

    it('options that say nothing', () => {
      const open = { window: [Infinity, Infinity], mask: new Uint8Array(seqQ * seqK).fill(0x80) } as const;
      const off = { softcap: 0, keyLengths: [seqK, seqK], sinks: new Float32Array(heads).fill(-Infinity) };
      const none = { bias: new Float32Array(seqQ * seqK), alibi: new Float32Array(heads) };
      expectEqual(problemOf({ ...open, ...off, ...none }), problemOf({}));
      expectEqual(problemOf({ window: [Infinity, 0] }), problemOf({ causal: true }));
    });
  });

  describe('a window, by the weights of equal scores', () => {
    const offsets = [-220, -9, 0, 40, 95, 192, 200, 400, 2 ** 40, -(2 ** 40), 1e300, -1e300];
    it.each(offsets)('around queryOffset %d', (queryOffset) => {
      const x = problemOf({ scale: 0 });
      for (const causal of [false, true]) {
        for (const window of [
          [0, 0],
          [3, 1],
          [95, 96],
          [Infinity, 2],
          [7, Infinity],
          [Infinity, Infinity],
        ] as const) {
          const options = { ...x.options, causal, window, queryOffset };
          const { weights } = look({ ...x, options });
          const wrong: number[] = [];
          for (let i = 0; i < seqQ; i++) {
            const expected = Array.from({ length: seqK }, (_, j) => sees(options, 0, 0, i, j));
            const count = expected.filter(Boolean).length;
            for (const [j, seen] of expected.entries()) {
              // Every weight is 1 / l and nothing else.
              if (weights[i * seqK + j] !== (seen ? Math.fround(1 / count) : 0)) wrong.push(i, j);
            }
          }
          expect(wrong, `window ${window.join()}, causal ${causal}`).toEqual([]);
        }
      }
    });
  });
});
