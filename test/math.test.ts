/** docs/math.md: every number of its example is computed anew, by the reference. Constants are those of common/abi.ts. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BK, BQ, PANEL, SPLIT } from '../common/abi.ts';
import { attention, attentionWeights, matmul, mergeAttention, type FloatArray } from '../src/reference.ts';

const page = readFileSync(new URL('../docs/math.md', import.meta.url), 'utf8');
/** Section 1 is `sections[1]`. */
const sections = page.split(/^## \d+\. /m);

const X = Float64Array.of(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2);
const wq = Float64Array.of(0, 0.2, 0.1, 0, 0, 0.2, 0.1, 0);
const wk = Float64Array.of(0.1, 0, 0, 0.2, 0.1, 0, 0, 0.1);
const wv = Float64Array.of(0.1, 0.1, 0.1, 0.1, 0, 0, 0, 0);
const project = (w: FloatArray) => matmul(X, w, { M: 3, K: 4, N: 2 });
const [Q, K, V] = [project(wq), project(wk), project(wv)];
const products = matmul(Q, K, { M: 3, K: 2, N: 3, transposeB: true });
const S = products.map((s) => s / Math.SQRT2);
const { out: O, weights: P, logSumExp } = attentionWeights(Q, K, V, { seqQ: 3, headDim: 2 });
const words = ['You', 'found', 'me'];

/** As the page writes numbers: no zero before the point. */
const number = (x: number, digits = 4) => x.toFixed(digits).replace(/^0\./, '.');
const row = (x: FloatArray, at: number, columns: number) => [...x.subarray(at * columns, (at + 1) * columns)];
const numbers = (x: readonly number[], digits?: number) => x.map((each) => number(each, digits)).join(' ');
/** The row of a matrix between its bars. */
const bars = (x: FloatArray, at: number, columns: number, digits?: number, width = 0) =>
  `| ${row(x, at, columns)
    .map((each) => number(each, digits).padStart(width))
    .join(' ')} |`;
const sum = (x: readonly number[]) => x.reduce((a, b) => a + b, 0);
/** A row of a table whose words are `from`. */
const line = (from: string, ...parts: readonly string[]) => [from, ...parts].join(' ');
const ofYou = row(S, 0, 3);
const top = Math.max(...ofYou);
const shifted = ofYou.map((s) => Math.exp(s - top));

/** What each section has to contain, white space apart. */
const told: Readonly<Record<number, readonly string[]>> = {
  1: [
    ...words.map((word, i) => line(word, bars(X, i, 4, 1, 3), ...[wq, wk, wv].map((w) => bars(w, i, 2, 1)))),
    [wq, wk, wv].map((w) => bars(w, 3, 2, 1)).join(' '),
    `${row(X, 0, 4)
      .map((x, i) => `${number(x, 1)}·${number(wq[2 * i]!, 1)}`)
      .join(' + ')} = ${number(Q[0]!, 2)}`,
    `Q = X·W^Q = ${bars(Q, 0, 2, 2)} K = X·W^K = ${bars(K, 0, 2, 2)} V = X·W^V = ${bars(V, 0, 2, 2)}`,
    ...[1, 2].map((i) => [Q, K, V].map((x) => bars(x, i, 2, 2)).join(' ')),
  ],
  2: [
    `${[0, 1].map((d) => `${number(Q[d]!, 2)}·${number(K[2 + d]!, 2)}`).join(' + ')} = ${number(products[1]!)}`,
    `the score ${number(S[1]!)}`,
    `S = Q·Kᵀ / √2 = ${[0, 1, 2].map((i) => bars(S, i, 3)).join(' ')}`,
    `e^S is ${number(Math.exp(ofYou[0]!))}, ${number(Math.exp(ofYou[1]!))} and ${number(Math.exp(ofYou[2]!))}`,
    `together ${number(sum(ofYou.map(Math.exp)))}`,
    `${number(Math.exp(ofYou[1]!))} / ${number(sum(ofYou.map(Math.exp)))} = ${number(P[1]!)}`,
    `${[0, 1, 2].map((j) => `${number(P[j]!)}·${number(V[2 * j]!, 2)}`).join(' + ')} = ${number(O[0]!)}`,
    `P = ${bars(P, 0, 3)} O = P·V = ${bars(O, 0, 2)}`,
    ...[1, 2].map((i) => `${bars(P, i, 3)} ${bars(O, i, 2)}`),
  ],
  3: [
    `the largest is e^${number(Math.log(2 ** 128), 1)}`,
    `e^(S − ${number(top)}) is ${number(shifted[0]!)}, ${number(shifted[1]!)} and 1, together ${number(sum(shifted))}`,
    `${number(shifted[1]!)} / ${number(sum(shifted))} = ${number(P[1]!)}`,
  ],
  4: [
    `at 8192 tokens ${((8192 ** 2 * 4) / 1e6).toFixed(0)} MB`,
    ...online(),
    `O / l = ${numbers(row(O, 0, 2))}`,
    `e^(S − ${number(top)}) / ${number(sum(shifted))} would be the weights, ${row(P, 0, 3)
      .map((p) => number(p))
      .join(', ')}`,
    `here ${number(logSumExp[0]!)}`,
  ],
  5: [
    `log₂e = ${number(Math.LOG2E)}`,
    `the score ${number(S[1]!)} is then ${number(S[1]! * Math.LOG2E)}`,
    `2^${number(S[1]! * Math.LOG2E)} = ${number(Math.exp(S[1]!))}`,
  ],
  6: [
    ...words.map((word, j) => line(word, numbers([0, 1, 2].map((i) => S[3 * i + j]!)))),
    line('m', numbers([0, 1, 2].map((i) => Math.max(...row(S, i, 3))))),
    line('l', numbers([0, 1, 2].map((i) => Math.exp(logSumExp[i]! - Math.max(...row(S, i, 3)))))),
    line('O / l', numbers([0, 1, 2].map((i) => O[2 * i]!))),
  ],
  8: parts(),
};

/** Section 4's table: one key a block. */
function online(): string[] {
  let [m, l, o] = [-Infinity, 0, [0, 0]];
  return words.map((word, j) => {
    const factor = Math.exp(m - Math.max(m, ofYou[j]!));
    m = Math.max(m, ofYou[j]!);
    const weight = Math.exp(ofYou[j]! - m);
    l = l * factor + weight;
    o = o.map((x, d) => x * factor + weight * V[2 * j + d]!);
    return line(word, number(ofYou[j]!), number(m), j === 0 ? '–' : number(factor), number(l), numbers(o));
  });
}

/** Section 8: the keys "You" and "found", then "me". */
function parts(): string[] {
  const [a, b] = [
    [0, 2],
    [2, 3],
  ].map(([first, end]) => {
    const lse = new Float32Array(1);
    const [k, v] = [K.subarray(2 * first!, 2 * end!), V.subarray(2 * first!, 2 * end!)];
    const shape = { seqQ: 1, seqK: end! - first!, headDim: 2, logSumExp: lse };
    return { out: attention(Q.subarray(0, 2), k, v, shape), logSumExp: lse };
  });
  const [lse, other] = [a!.logSumExp[0]!, b!.logSumExp[0]!];
  const weight = Math.exp(other - lse);
  const { out } = mergeAttention([a!, b!], { seqQ: 1, valueDim: 2 });
  const [one, two] = [number(a!.out[0]!), number(b!.out[0]!)];
  return [
    `give o = ${one} and lse = ${number(lse)}, "me" alone ${two} and ${number(other)}`,
    `m = ${number(lse)}, the second part weighs e^(${number(other)} − ${number(lse)}) = ${number(weight)}`,
    `(${one} + ${number(weight)}·${two}) / ${number(1 + weight)} = ${number(out[0]!)}`,
  ];
}

/** White space is the page's own affair. */
const plain = (text: string) => text.replace(/\s+/g, ' ');

describe('docs/math.md', () => {
  it.each(Object.entries(told))('section %s has the numbers of the example', (section, expected) => {
    const text = plain(sections[Number(section)]!);
    for (const each of expected) expect(text).toContain(plain(each));
  });

  it.each(Object.entries(told))('section %s has no others', (section, expected) => {
    let text = plain(sections[Number(section)]!);
    for (const each of [...expected].sort((a, b) => b.length - a.length))
      text = text.replaceAll(plain(each), ' ');
    const left = text.match(/\d*\.\d{2,}/g) ?? [];
    // What the exponential is off by is held by test/slow.
    expect(left.filter((each) => each !== '0.91')).toEqual([]);
  });

  it.each([
    [/split at multiples of (\d+)/, SPLIT],
    [/up to (\d+) keys × \d+ rows/, BK],
    [/up to \d+ keys × (\d+) rows/, PANEL],
    [/unpacked once for up to (\d+) rows/, BQ],
  ])('%s is a constant of the library', (pattern, constant) => {
    expect(Number(pattern.exec(plain(page))?.[1])).toBe(constant);
  });
});
