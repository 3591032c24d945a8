/** The accuracy law over shapes and sharpness: seqQ × seqK × headDim, scores of σ = 0.3, where all keys count, to 10⁴, where one does. */
import { expect } from 'vitest';
import type { Engine } from '../src/index.ts';
import { attentionInputs } from './cases.ts';
import { attentionLaw, every, use } from './laws.ts';

export const SIGMAS = [0.3, 1, 3, 10, 30, 100, 1000, 1e4] as const;

/** Both families; below, at and above a block of keys, and many; tails of a vector. */
const QUERIES = [1, 4, 5, 17, 64];
const KEYS = [1, 5, 95, 96, 97, 300, 1500];
const DIMS = [1, 7, 33, 64, 128];

/** The largest errors, and the largest value. */
export interface Pooled {
  readonly heed: number;
  readonly naive: number;
  readonly largest: number;
}

/**
 * Holds every `stride`-th pair of seqK and headDim, with all numbers of queries, to the law. Gives the errors of all shapes in one pool: a
 * single shape is too little, as for sharp scores one row whose two best keys come near each other has all of the error. (σ = 30 and
 * 100, 600 problems: heed's largest error was more than twice the naive one in 87, less than half of it in 121.)
 */
export function lawAt(engine: Engine, sigma: number, stride = 1): Pooled {
  const pooled = { heed: 0, naive: 0, largest: 0 };
  for (let pair = 0; pair < KEYS.length * DIMS.length; pair += stride) {
    const [seqK, headDim] = [KEYS[pair % KEYS.length]!, DIMS[Math.floor(pair / KEYS.length)]!];
    for (const seqQ of QUERIES) {
      const options = { seqQ, seqK, headDim };
      const [q, k, v] = attentionInputs({ options, sigma }, seqQ);
      const logSumExp = new Float32Array(seqQ);
      const out = engine.attention(q, k, v, { ...options, logSumExp });
      for (const row of attentionLaw(q, k, v, options, every(3, seqQ))) {
        const law = row.out('blocks');
        const name = `seqQ ${seqQ}, seqK ${seqK}, headDim ${headDim}, row ${row.row}`;
        expect(use(out, law, row.at), name).toBeLessThanOrEqual(1);
        expect(use(logSumExp, row.logSumExp('blocks'), row.row), `logSumExp, ${name}`).toBeLessThanOrEqual(1);
        const naive = row.naive();
        for (const [d, value] of law.values.entries()) {
          pooled.heed = Math.max(pooled.heed, Math.abs(out[row.at + d]! - value));
          pooled.naive = Math.max(pooled.naive, Math.abs(naive[d]! - value));
          pooled.largest = Math.max(pooled.largest, Math.abs(value));
        }
      }
    }
  }
  return pooled;
}
