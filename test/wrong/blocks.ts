/**
 * heed's attention by hand, in float32: block of BK keys after block, a running maximum, sums that are rescaled. And its
 * faults: what someone who writes such a kernel gets wrong. Slow and plain; which key is seen is decided by test/problems-options.ts.
 */
import { BK } from '../../common/abi.ts';
import { at, type Problem } from '../problems.ts';
import { element, placeOf, rowsOf, sees } from '../problems-options.ts';

export type Wrong =
  | 'the last key is skipped'
  | 'the maximum is that of the first block'
  | 'l is not rescaled'
  | 'O is not rescaled'
  | 'the tail of headDim is dropped'
  | 'the tail of valueDim is dropped'
  | 'key heads are taken in turn'
  | 'batches are headDim apart'
  | 'softcap comes after the bias'
  | 'a sink gives the first value'
  | 'the exponential has three terms'
  | 'a masked key counts with weight 0'
  | 'logSumExp has base 2';

const { fround } = Math;

export function blocks(problem: Problem, wrong?: Wrong): { out: Float32Array; logSumExp: Float32Array } {
  const { q, k, v, options } = problem;
  const { heads, kvHeads, seqQ, seqK, headDim, valueDim, layout } = options;
  const scale = fround(options.scale ?? 1 / Math.sqrt(headDim));
  const softcap = options.softcap ?? 0;
  const dims = wrong === 'the tail of headDim is dropped' ? headDim - (headDim % 4) : headDim;
  const exp = wrong === 'the exponential has three terms' ? threeTerms : Math.exp;
  const out = new Float32Array(q.length === 0 ? 0 : (q.length / headDim) * valueDim);
  const logSumExp = new Float32Array(rowsOf(options));

  for (let row = 0; row < logSumExp.length; row++) {
    const [b, h, i] = placeOf(row, options);
    const g = wrong === 'key heads are taken in turn' ? h % kvHeads : Math.floor((h * kvHeads) / heads);
    const query = at(layout, heads, seqQ, headDim, b, h, i);
    const result = at(layout, heads, seqQ, valueDim, b, h, i);
    const keyOf = (j: number): number => {
      const start = at(layout, kvHeads, seqK, headDim, b, g, j);
      return wrong === 'batches are headDim apart' ? start - b * headDim : start;
    };
    const offset = offsetOf(options, b);
    const slope = options.alibi?.[h];

    const score = (j: number): number => {
      const key = keyOf(j);
      let s = 0;
      for (let d = 0; d < dims; d++) s = fround(s + fround(q[query + d]! * k[key + d]!));
      s = fround(s * scale);
      const cap = (): void => {
        if (softcap > 0) s = fround(softcap * Math.tanh(s / softcap));
      };
      if (wrong !== 'softcap comes after the bias') cap();
      if (slope !== undefined) s = fround(s - fround(slope * Math.abs(i + offset - j)));
      s = fround(s + (element(options.bias, options, [b, h, i, j]) ?? 0));
      if (wrong === 'softcap comes after the bias') cap();
      return s;
    };

    const sink = options.sinks?.[h] ?? -Infinity;
    let m = sink;
    let l = sink === -Infinity ? 0 : 1;
    const o = new Float32Array(valueDim);
    const value = (j: number): number => at(layout, kvHeads, seqK, valueDim, b, g, j);
    if (wrong === 'a sink gives the first value' && l === 1) o.set(v.subarray(value(0), value(0) + valueDim));
    const keys = wrong === 'the last key is skipped' ? seqK - 1 : seqK;
    for (let first = 0; first < keys; first += BK) {
      const block = Array.from({ length: Math.min(BK, keys - first) }, (_, n) => first + n);
      const seen = block.filter((j) => sees(options, b, h, i, j));
      if (seen.length === 0) continue;
      const s = seen.map(score);
      const stale = wrong === 'the maximum is that of the first block' && m > -Infinity;
      const after = stale ? m : s.reduce((x, y) => Math.max(x, y), m);
      const factor = m === -Infinity ? 0 : fround(exp(fround(m - after)));
      const p = s.map((x) => fround(exp(fround(x - after))));
      const sum = p.reduce((x, y) => fround(x + y), 0);
      l = fround(fround(wrong === 'l is not rescaled' ? l : l * factor) + sum);
      const tail = wrong === 'the tail of valueDim is dropped' ? valueDim % 4 : 0;
      for (let d = 0; d < valueDim - tail; d++) {
        let x = 0;
        for (const [n, j] of seen.entries()) x = fround(x + fround(p[n]! * v[value(j) + d]!));
        if (wrong === 'a masked key counts with weight 0') {
          for (const j of block) if (!seen.includes(j)) x += 0 * v[value(j) + d]!;
        }
        o[d] = fround(fround(wrong === 'O is not rescaled' ? o[d]! : o[d]! * factor) + x);
      }
      m = after;
    }
    const inverse = l === 0 ? 0 : fround(1 / l);
    for (let d = 0; d < valueDim; d++) out[result + d] = o[d]! * inverse;
    const ln = wrong === 'logSumExp has base 2' ? Math.log2 : Math.log;
    logSumExp[row] = l === 0 ? -Infinity : m + ln(l);
  }
  return { out, logSumExp };
}

/** Where a sequence's query 0 stands among its keys. */
export function offsetOf({ seqQ, seqK, keyLengths, queryOffset }: Problem['options'], b: number): number {
  const given = typeof queryOffset === 'object' ? queryOffset[b] : queryOffset;
  const length = keyLengths?.[b];
  return given ?? (length === undefined ? seqK - seqQ : Math.max(0, length - seqQ));
}

/** e^x by e^n and the first three terms of its series in between. */
function threeTerms(x: number): number {
  const n = Math.round(x);
  const r = x - n;
  return Math.exp(n) * (1 + r + (r * r) / 2);
}
