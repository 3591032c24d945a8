/**
 * The checks that the project has for what it computes, each as one function of a program: what heed passes and what a
 * program with a fault must not. Inputs are random, and the same for all.
 *
 * A case whose truth is nine tenths zeros, or not finite, proves nothing and is not counted; a check without a case fails.
 */
import fc from 'fast-check';
import { normal, integers } from '../data.ts';
import { roundToHalf } from '../halves.ts';
import { attentionLaw, matmulLaw, use, type Law } from '../laws.ts';
import { mergeLaw } from '../merge-law.ts';
import { at, make, type Problem } from '../problems.ts';
import { optioned, sees, someRows } from '../problems-options.ts';
import { ropeLaw } from '../rope-law.ts';
import type { AttentionPart, MatmulOptions, MergeShape, RopeOptions } from '../../src/index.ts';

type Part = AttentionPart<Float32Array>;

/** Keys and values of one sequence in a cache, token by token, and a query that stands at the last. */
export interface Cached {
  readonly dtype: 'f32' | 'f16';
  /** A ring of this many tokens, and the window that it is exact for; or room for all. */
  readonly ring: number | undefined;
  readonly dims: { readonly heads: number; readonly kvHeads: number; readonly headDim: number };
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
}

/** All that is checked of heed, or of something that says it does the same. */
export interface Program {
  attention(problem: Problem): { readonly out: Float32Array; readonly logSumExp: Float32Array };
  matmul(a: Float32Array, b: Float32Array, options: MatmulOptions): Float32Array;
  rope(x: Float32Array, options: RopeOptions): Float32Array;
  merge(parts: readonly Part[], shape: MergeShape): Part;
  attend(cached: Cached): Float32Array;
}

/** Whether a truth can tell a right result from a wrong one. */
export function tells(values: Float64Array): boolean {
  const zeros = values.filter((x) => x === 0).length;
  return values.length > 0 && zeros <= 0.9 * values.length && values.every(Number.isFinite);
}

/** Cases that counted; what is wrong is thrown. */
class Tally {
  cases = 0;
  #most = 0;

  /** A computed result that the law is known of. */
  hold(computed: ArrayLike<number>, law: Law, at = 0): void {
    this.#most = Math.max(this.#most, use(computed, law, at));
    if (tells(law.values)) this.cases++;
  }

  end(): number {
    if (!(this.#most <= 1)) throw new Error(`${this.#most} of the bound`);
    return this.cases;
  }
}

function require(right: boolean, what: string): void {
  if (!right) throw new Error(what);
}

/** Random problems with random options, and every level of scores: 8 and 100 have a winner. */
const problems = fc.sample(optioned, { seed: 20240817, numRuns: 40 }).map((problem, n): Problem => {
  const sigma = [1, 8, 100][n % 3]!;
  return { ...problem, q: problem.q.map((x) => x * sigma) };
});

/** Every row of attention, and its logSumExp, inside the law. */
export function lawOf(program: Program, given: readonly Problem[] = problems): number {
  const tally = new Tally();
  for (const problem of given) {
    const { q, k, v, options } = problem;
    const { out, logSumExp } = program.attention(problem);
    for (const row of attentionLaw(q, k, v, options, someRows(options))) {
      tally.hold(out, row.out('blocks'), row.at);
      tally.hold(logSumExp, row.logSumExp('blocks'), row.row);
    }
    tally.end();
  }
  return tally.end();
}

const dims = { batch: 1, kvHeads: 1, group: 2, seqQ: 5, headDim: 6, valueDim: 5, layout: 'bshd' } as const;

/** Each key in turn wins by 50: who sees it has its value, who does not has the same bits as before. */
export function needles(program: Program): number {
  let cases = 0;
  for (const more of [{}, { causal: true }, { window: [30, 4], queryOffset: 60 }, { keyLengths: [97] }]) {
    const base = make({ ...dims, seqK: 101, causal: false, seed: 7 });
    const options = { ...base.options, scale: 1, ...more } as Problem['options'];
    const q = base.q.fill(1);
    const k = new Float32Array(base.k.length);
    const { heads, headDim, valueDim, seqK } = options;
    const before = program.attention({ ...base, q, k, options }).out;
    for (let j = 0; j < seqK; j++) {
      const key = k.slice().fill(50 / headDim, j * headDim, (j + 1) * headDim);
      const { out } = program.attention({ ...base, q, k: key, options });
      for (const [e, x] of out.entries()) {
        const [d, h, i] = [e % valueDim, Math.floor(e / valueDim) % heads, Math.floor(e / valueDim / heads)];
        const wanted = base.v[j * valueDim + d]!;
        // 2u for the normalisation; the others' weight is e^−50 each.
        const right = sees(options, 0, h, i, j)
          ? Math.abs(x - wanted) <= 2 ** -23 * Math.abs(wanted) + 1e-18
          : x === before[e];
        require(right, `key ${j}, query ${i}: ${x}`);
        cases++;
      }
    }
  }
  return cases;
}

/** 2ⁿ equal scores and whole numbers: the mean, to the bit. */
export function means(program: Program): number {
  let cases = 0;
  for (const seqK of [1, 64, 128, 256]) {
    const problem = make({ ...dims, seqK, causal: false, seed: seqK });
    const v = integers(problem.v.length, seqK, 1000);
    const { out } = program.attention({ ...problem, q: problem.q.fill(0), v });
    const { valueDim } = problem.options;
    for (const [e, x] of out.entries()) {
      let sum = 0;
      for (let j = 0; j < seqK; j++) sum += v[j * valueDim + (e % valueDim)]!;
      require(x === sum / seqK, `${seqK} keys: ${x}, not ${sum / seqK}`);
      if (sum !== 0) cases++;
    }
  }
  return cases;
}

/** NaN in keys and values that nobody sees changes no bit. */
export function hidden(program: Program): number {
  let cases = 0;
  for (const problem of problems.slice(0, 15)) {
    const { options } = problem;
    const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, layout } = options;
    const [k, v] = [problem.k.slice(), problem.v.slice()];
    const group = heads / kvHeads;
    const isSeen = (b: number, g: number, j: number): boolean =>
      Array.from({ length: group * seqQ }, (_, n) => n).some((n) => {
        return sees(options, b, g * group + (n % group), Math.floor(n / group), j);
      });
    for (let n = 0; n < batch * kvHeads * seqK; n++) {
      const [b, g, j] = [Math.floor(n / seqK / kvHeads), Math.floor(n / seqK) % kvHeads, n % seqK];
      if (isSeen(b, g, j)) continue;
      const [key, value] = [headDim, valueDim].map((dim) => at(layout, kvHeads, seqK, dim, b, g, j));
      k.fill(NaN, key, key! + headDim);
      v.fill(NaN, value, value! + valueDim);
      cases++;
    }
    const [one, two] = [program.attention(problem).out, program.attention({ ...problem, k, v }).out];
    require(one.every((x, e) => Object.is(x, two[e])), 'what nobody sees has changed something');
  }
  return cases;
}

/** Products inside their law; of whole numbers, to the bit. */
export function products(program: Program): number {
  const tally = new Tally();
  for (const [M, N, K, batch] of [
    [1, 9, 33, 1],
    [7, 13, 5, 2],
    [17, 10, 300, 1],
  ] as const) {
    for (const transposeB of [false, true]) {
      const options = { M, N, K, batch, transposeB, bias: normal(N, 3) };
      const [a, b] = [normal(batch * M * K, 1), normal(batch * K * N, 2)];
      const c = program.matmul(a, b, options);
      for (const row of matmulLaw(a, b, options)) tally.hold(c, row.out('blocks'), row.at);
      const [x, y] = [integers(a.length, 4, 9), integers(b.length, 5, 9)];
      const whole = { M, N, K, batch, transposeB };
      const exact = program.matmul(x, y, whole);
      for (const row of matmulLaw(x, y, whole)) {
        const { values } = row.out('blocks');
        require(values.every((z, n) => exact[row.at + n] === z), 'a product of whole numbers');
      }
    }
  }
  return tally.end();
}

export function turns(program: Program): number {
  const tally = new Tally();
  for (const [headDim, more] of [
    [8, {}],
    [10, { interleaved: true, offset: 1000 }],
    [12, { rotaryDim: 6, layout: 'bhsd' }],
  ] as const) {
    const options: RopeOptions = { batch: 2, seq: 5, heads: 3, headDim, ...more };
    const x = normal(30 * headDim, headDim);
    tally.hold(program.rope(x, options), ropeLaw(x, options));
  }
  return tally.end();
}

export function merges(program: Program): number {
  const tally = new Tally();
  for (const sigma of [1, 30]) {
    const shape = { seqQ: 6, heads: 2, valueDim: 5 };
    const parts = [1, 2, 3].map((seed) => {
      return { out: normal(60, seed), logSumExp: normal(12, seed + 9, sigma) };
    });
    const { out, logSumExp } = program.merge(parts, shape);
    for (const row of mergeLaw(parts, shape)) {
      tally.hold(out, row.out, row.at);
      tally.hold(logSumExp, row.logSumExp, row.row);
    }
  }
  return tally.end();
}

/** A query at the end of a cache, against the tokens as the cache holds them. */
export function caches(program: Program): number {
  const tally = new Tally();
  const sizes = { heads: 4, kvHeads: 2, headDim: 6 };
  for (const dtype of ['f32', 'f16'] as const) {
    for (const [ring, tokens] of [
      [undefined, 70],
      [96, 250],
    ] as const) {
      const q = normal(sizes.heads * sizes.headDim, 1);
      const [k, v] = [2, 3].map((seed) => normal(tokens * sizes.kvHeads * sizes.headDim, seed)) as [
        Float32Array,
        Float32Array,
      ];
      const out = program.attend({ dtype, ring, dims: sizes, q, k, v });
      const held = (x: Float32Array): Float32Array => (dtype === 'f16' ? x.map(roundToHalf) : x);
      const options = { ...sizes, seqQ: 1, seqK: tokens, ...(ring && { window: [ring - 1, 0] as const }) };
      for (const row of attentionLaw(q, held(k), held(v), options))
        tally.hold(out, row.out('blocks'), row.at);
    }
  }
  return tally.end();
}

export type Check = 'lawOf' | 'needles' | 'means' | 'hidden' | 'products' | 'turns' | 'merges' | 'caches';
/** Each gives the number of its cases that counted. */
export const CHECKS: Readonly<Record<Check, (program: Program) => number>> = {
  ...{ lawOf, needles, means, hidden, products, turns, merges, caches },
};

/** The checks that a program fails. */
export function caughtBy(program: Program): Check[] {
  return (Object.keys(CHECKS) as Check[]).filter((check) => {
    try {
      return CHECKS[check](program) === 0;
    } catch {
      return true;
    }
  });
}
