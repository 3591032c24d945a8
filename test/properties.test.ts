/** Metamorphic properties that hold to the bit, on random problems (numbers as in the list of properties, P1 … P23). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { normal } from './data.ts';
import { at, expectSameBits, make, problems, swapped, type Problem } from './problems.ts';

describe.each(builds)('%s', async (build) => {
  const engine: Engine = await engineOf(build);
  const run = ({ q, k, v, options }: Problem): Float32Array => engine.attention(q, k, v, options);
  const holds = (property: (problem: Problem) => void, numRuns = 60): void => {
    fc.assert(
      fc.property(problems, (given) => {
        property(make(given));
      }),
      { numRuns },
    );
  };

  it('the second call is the first, and inputs are left alone (P14)', () => {
    holds((problem) => {
      const copies = [problem.q.slice(), problem.k.slice(), problem.v.slice()];
      expectSameBits(run(problem), run(problem));
      expect([problem.q, problem.k, problem.v]).toEqual(copies);
    });
  });

  it('rows do not see later keys (P6)', () => {
    holds((problem) => {
      const { batch, kvHeads, heads, seqQ, headDim, valueDim } = problem.options;
      const options = { ...problem.options, causal: true, queryOffset: 0, seqK: seqQ };
      const k = normal(batch * kvHeads * seqQ * headDim, 11);
      const v = normal(batch * kvHeads * seqQ * valueDim, 12);
      const cut = Math.floor(seqQ / 2);
      const later = { k: k.slice(), v: v.slice() };
      for (let b = 0; b < batch; b++) {
        for (let h = 0; h < kvHeads; h++) {
          for (let j = cut + 1; j < seqQ; j++) {
            const x = at(options.layout, kvHeads, seqQ, headDim, b, h, j);
            const y = at(options.layout, kvHeads, seqQ, valueDim, b, h, j);
            later.k.fill(NaN, x, x + headDim);
            later.v.fill(NaN, y, y + valueDim);
          }
        }
      }
      const one = run({ q: problem.q, k, v, options });
      const two = run({ q: problem.q, ...later, options });
      for (let b = 0; b < batch; b++) {
        for (let h = 0; h < heads; h++) {
          for (let i = 0; i <= cut; i++) {
            const x = at(options.layout, heads, seqQ, valueDim, b, h, i);
            expectSameBits(one.subarray(x, x + valueDim), two.subarray(x, x + valueDim));
          }
        }
      }
    });
  });

  it('both layouts, to the bit', () => {
    holds((problem) => {
      const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, layout } = problem.options;
      const other = run({
        q: swapped(problem.q, batch, heads, seqQ, headDim, layout),
        k: swapped(problem.k, batch, kvHeads, seqK, headDim, layout),
        v: swapped(problem.v, batch, kvHeads, seqK, valueDim, layout),
        options: { ...problem.options, layout: layout === 'bhsd' ? 'bshd' : 'bhsd' },
      });
      const to = layout === 'bhsd' ? 'bshd' : 'bhsd';
      expectSameBits(swapped(other, batch, heads, seqQ, valueDim, to), run(problem));
    });
  });

  it('alone or in a batch (P7), key heads shared or repeated (P10)', () => {
    holds((problem) => {
      const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, layout } = problem.options;
      const together = run(problem);
      const pick = (
        x: Float32Array,
        hs: number,
        seq: number,
        dim: number,
        b: number,
        h: number,
      ): Float32Array => {
        const y = new Float32Array(seq * dim);
        for (let i = 0; i < seq; i++) {
          const start = at(layout, hs, seq, dim, b, h, i);
          y.set(x.subarray(start, start + dim), i * dim);
        }
        return y;
      };
      for (let b = 0; b < batch; b++) {
        for (let h = 0; h < heads; h++) {
          const kvHead = Math.floor(h / (heads / kvHeads));
          const alone = engine.attention(
            pick(problem.q, heads, seqQ, headDim, b, h),
            pick(problem.k, kvHeads, seqK, headDim, b, kvHead),
            pick(problem.v, kvHeads, seqK, valueDim, b, kvHead),
            { seqQ, seqK, headDim, valueDim, causal: problem.options.causal },
          );
          expectSameBits(alone, pick(together, heads, seqQ, valueDim, b, h));
        }
      }
    });
  });

  it('powers of two pass through V and scale (P11, P12)', () => {
    holds((problem) => {
      const out = run(problem);
      const scaled = run({ ...problem, v: problem.v.map((x) => x * 1024) });
      expectSameBits(
        scaled,
        out.map((x) => x * 1024),
      );
      const scale = 1 / Math.sqrt(problem.options.headDim);
      const folded = run({
        ...problem,
        q: problem.q.map((x) => x / 8),
        options: { ...problem.options, scale: 8 * scale },
      });
      expectSameBits(folded, out);
    });
  });

  it('what lies beyond the inputs is never used (P18)', () => {
    holds((problem) => {
      const within = (x: Float32Array): Float32Array => {
        const wide = new Float32Array(x.length + 16).fill(NaN);
        wide.set(x, 8);
        return wide.subarray(8, 8 + x.length);
      };
      const padded = { ...problem, q: within(problem.q), k: within(problem.k), v: within(problem.v) };
      expectSameBits(run(padded), run(problem));
    });
  });

  it('tensors give what arrays give', () => {
    holds((problem) => {
      const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, layout, causal } = problem.options;
      const shape = (hs: number, seq: number, dim: number): number[] =>
        layout === 'bhsd' ? [batch, hs, seq, dim] : [batch, seq, hs, dim];
      const scope = engine.scope();
      const out = scope.attention(
        scope.tensor(shape(heads, seqQ, headDim), problem.q),
        scope.tensor(shape(kvHeads, seqK, headDim), problem.k),
        scope.tensor(shape(kvHeads, seqK, valueDim), problem.v),
        { layout, causal },
      );
      expect(out.shape).toEqual(shape(heads, seqQ, valueDim));
      expectSameBits(out.data, run(problem));
      scope.dispose();
      expect(engine.memory.used).toBe(0);
    });
  });
});
