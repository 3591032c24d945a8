/** A call to be timed, by all who can compute it; and the law that each must keep first. */
import { plainAttention, plainMatmul } from '../../bench/plain-loops.ts';
import type { Engine } from '../../src/index.ts';
import { normal } from '../../test/data.ts';
import { attentionLaw, every, matmulLaw, use, type Order, type RowLaw } from '../../test/laws.ts';
import type { ContenderName, Work } from './report.ts';

export interface Contender {
  readonly name: ContenderName;
  readonly run: () => void;
  /** Runs once, and says how much of its error bound the result uses: more than 1 is wrong. */
  readonly check: () => number;
}

export interface Call {
  readonly flops: number;
  readonly contenders: readonly Contender[];
}

/** Plain loops do about one multiply-add a nanosecond: beyond this a call takes so long that the rest would wait for it. */
const PLAIN_FLOPS = 3e8;

/** Rows of the result that are computed again in float64. */
const CHECKED_ROWS = 24;

export function prepare(work: Work, size: number, engines: ReadonlyMap<ContenderName, Engine>): Call {
  return work === 'attention' ? attention(size, engines) : matmul(size, engines);
}

function attention(seqQ: number, engines: ReadonlyMap<ContenderName, Engine>): Call {
  const [heads, headDim] = [12, 64];
  const [q, k, v] = [1, 2, 3].map((seed) => normal(seqQ * heads * headDim, seed)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const shape = { seqQ, heads, headDim };
  const laws = [...attentionLaw(q, k, v, shape, some(heads * seqQ))];
  const flops = 4 * heads * seqQ * seqQ * headDim;
  return contend(flops, q.length, laws, engines, (engine, out) => {
    if (!engine) return () => plainAttention(q, k, v, shape, out);
    const options = { ...shape, out };
    return () => engine.attention(q, k, v, options);
  });
}

function matmul(n: number, engines: ReadonlyMap<ContenderName, Engine>): Call {
  const [a, b] = [normal(n * n, 1), normal(n * n, 2)];
  const shape = { M: n, N: n, K: n };
  const laws = [...matmulLaw(a, b, shape, some(n))];
  return contend(2 * n ** 3, n * n, laws, engines, (engine, out) => {
    if (!engine) return () => plainMatmul(a, b, shape, out);
    const options = { ...shape, out };
    return () => engine.matmul(a, b, options);
  });
}

function contend(
  flops: number,
  length: number,
  laws: readonly RowLaw[],
  engines: ReadonlyMap<ContenderName, Engine>,
  make: (engine: Engine | undefined, out: Float32Array) => () => void,
): Call {
  const contender = (name: ContenderName, order: Order, engine?: Engine): Contender => {
    // NaN where nothing is written: no law takes it.
    const out = new Float32Array(length).fill(NaN);
    const run = make(engine, out);
    const check = (): number => {
      run();
      return laws.reduce((most, law) => Math.max(most, use(out, law.out(order), law.at)), 0);
    };
    return { name, run, check };
  };
  const heeds = [...engines].map(([name, engine]) => contender(name, 'blocks', engine));
  return { flops, contenders: flops > PLAIN_FLOPS ? heeds : [contender('plain', 'chain'), ...heeds] };
}

/** Rows that meet every place of a tile: their distance is odd. */
function some(rows: number): Iterable<number> {
  return every(Math.floor(rows / CHECKED_ROWS) | 1, rows);
}
