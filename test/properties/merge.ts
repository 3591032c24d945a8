/** Attention over parts of the keys, merged, is attention over all of them (P9). */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { AttentionPart } from '../../src/index.ts';
import { attentionLaw } from '../laws.ts';
import { mergeLaw } from '../merge-law.ts';
import { make, problems } from '../problems.ts';
import { someRows } from '../problems-options.ts';
import { holds, type Property } from './property.ts';

type Part = AttentionPart<Float32Array>;

/** Whose law is computed, of each problem. */
const ROWS = 8;

/** The laws of some rows. */
function lawsOf(...given: Parameters<typeof attentionLaw>) {
  return [...attentionLaw(...given)];
}

const cuts = fc.array(fc.nat(), { minLength: 1, maxLength: 6 });

const splits = holds(
  'splits of the keys give what one call gives, inside both laws (P9)',
  fc.tuple(problems, cuts),
  (engine, [dims, ends]) => {
    const { options, q, k, v } = make({ ...dims, batch: 1, layout: 'bshd' });
    const { heads, kvHeads, headDim, valueDim, seqQ, seqK, causal } = options;
    const bounds = [0, ...ends.map((end) => end % (seqK + 1)).sort((a, b) => a - b), seqK];
    const rows = someRows(options, ROWS);
    const laws: ReturnType<typeof lawsOf>[] = [];
    const parts = bounds.slice(1).map((to, i): Part => {
      const from = bounds[i]!;
      const keys = [
        k.subarray(from * kvHeads * headDim, to * kvHeads * headDim),
        v.subarray(from * kvHeads * valueDim, to * kvHeads * valueDim),
      ] as const;
      const one = {
        ...options,
        seqK: to - from,
        ...(causal === true ? { queryOffset: seqK - seqQ - from } : {}),
      };
      laws.push(lawsOf(q, ...keys, one, rows));
      const logSumExp = new Float32Array(heads * seqQ);
      return { out: engine.attention(q, ...keys, { ...one, logSumExp }), logSumExp };
    });
    const shape = { seqQ, heads, valueDim };
    const merged = engine.mergeAttention(parts, shape);
    const truth = lawsOf(q, k, v, options, rows);
    const all = [...mergeLaw(parts, shape)];
    for (const [n, row] of rows.entries()) {
      const { at, out, logSumExp, weights } = all[row]!;
      // What a logSumExp is off by multiplies its weight, and at most as much the sum of all weights.
      const lse = laws.map((law) => law[n]!.logSumExp('blocks').bounds[0]!);
      const off = Math.max(...lse.filter((_, p) => weights[p]! > 0), 0);
      const wanted = truth[n]!.out('blocks').values;
      for (const [d, value] of wanted.entries()) {
        let bound = out.bounds[d]!;
        for (const [p, weight] of weights.entries()) {
          if (weight === 0) continue;
          const own = laws[p]![n]!.out('blocks').bounds[d]!;
          const size = Math.abs(parts[p]!.out[at + d]!) + own;
          bound += weight * (own + Math.expm1(2 * off) * size);
        }
        const error = Math.abs(merged.out[at + d]! - value);
        if (!(error <= bound)) expect.fail(`row ${row}, element ${d}: off by ${error}, bound ${bound}`);
      }
      const sum = truth[n]!.logSumExp('blocks').values[0]!;
      const got = merged.logSumExp[row]!;
      if (got !== sum && !(Math.abs(got - sum) <= logSumExp.bounds[0]! + off)) {
        expect.fail(`row ${row}: logSumExp ${got}, wanted ${sum}`);
      }
    }
  },
);

export const merges: readonly Property[] = [splits];
