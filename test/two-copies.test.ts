/**
 * Two copies of the package in one process, as two versions would be (docs/reliability.md, fault 64): each has engines of its own, both
 * work at once, and what is one's is refused by the other, by an error of its own.
 *
 * @node fresh copies of the library
 */
import { expect, it, vi } from 'vitest';
import * as ours from '../src/index.ts';
import { normal } from './data.ts';
import { golden, matches, refuses, rejection, rejects, watch, type Refusal } from './nothing-lost.ts';
import { expectSameBits } from './problems.ts';
import { ended, refusal } from './refusals.ts';

vi.resetModules();
const theirs = await import('../src/index.ts');

const shape = { M: 240, N: 256, K: 320 };
const [a, b] = [normal(shape.M * shape.K, 1), normal(shape.K * shape.N, 2)];

it('are two', () => {
  expect(theirs.createEngine).not.toBe(ours.createEngine);
  expect(theirs.Tensor).not.toBe(ours.Tensor);
});

it('compute side by side, with threads (fault 64)', async () => {
  const options = { threads: 2, simd: 'baseline', maxMemory: 2 ** 26 } as const;
  const engines = await Promise.all([ours.createEngine(options), theirs.createEngine(options)]);
  const expected = engines[0].matmul(a, b, shape);
  const later = engines.map((engine) => engine.matmulAsync(a, b, shape));
  for (const engine of engines) expectSameBits(engine.matmul(a, b, shape), expected);
  for (const each of await Promise.all(later)) expectSameBits(each, expected);
  // The end of one is not that of the other.
  engines[1].dispose();
  expectSameBits(await engines[0].matmulAsync(a, b, shape), expected);
  const gone = { ...ended('matmulAsync', 'engine'), class: theirs.StateError };
  matches(await rejection(engines[1].matmulAsync(a, b, shape)), gone);
  engines[0].dispose();
});

it('refuse what is not theirs (fault 64)', async () => {
  const own = await ours.createEngine({ threads: 1 });
  const other = await theirs.createEngine({ threads: 1 });
  const x = own.tensor([2, 2], Float32Array.of(1, 2, 3, 4));
  const packed = own.packMatrix(Float32Array.of(1, 2, 3, 4), { K: 2, N: 2 });
  const cache = own.kvCache({ kvHeads: 1, headDim: 2, capacity: 4 });
  cache.append(Float32Array.of(1, 2), Float32Array.of(3, 4));
  const square = new Float32Array(4);
  const layer = { modelDim: 2, heads: 1, weights: { wq: square, wk: square, wv: square, wo: square } };
  const mha = new theirs.MultiHeadAttention({ ...layer, engine: other });
  const copy = 'got object — what createEngine of this very copy of heed gives';
  const uses: readonly [op: string, arg: string, words: string, use: () => unknown][] = [
    ['matmul', 'a', 'Float32Array, got object', () => other.matmul(x as never, x as never)],
    ['matmul', 'b', 'Float32Array, got object', () => other.matmul(square, packed as never, { M: 2 })],
    [
      ...(['matmul', 'out', 'Float32Array, got object'] as const),
      () => other.matmul(square, square, { M: 2, N: 2, K: 2, out: x as never }),
    ],
    [
      ...(['forward', 'cache', 'KVCache, got object'] as const),
      () => mha.forward(new Float32Array(2), { seqQ: 1, cache: cache }),
    ],
    [
      ...(['MultiHeadAttention', 'engine', `Engine, ${copy}`] as const),
      () => new theirs.MultiHeadAttention({ ...layer, engine: own }),
    ],
  ];
  const watched = await watch(own, x, cache);
  const theirRefusal = (op: string, arg: string, words: string): Refusal => {
    return { ...refusal(op, arg, 'ERR_ARG_TYPE', words), class: theirs.HeedTypeError };
  };
  const bits = golden(other);
  for (const [op, arg, words, use] of uses) {
    const error = refuses(use, theirRefusal(op, arg, words), watched);
    expect(error).not.toBeInstanceOf(ours.HeedTypeError);
  }
  expect(golden(other)).toEqual(bits);
  const call = (): Promise<unknown> => other.matmulAsync(x as never, x as never);
  await rejects(call, theirRefusal('matmulAsync', 'a', 'Float32Array, got object'), watched);
  for (const engine of [own, other]) engine.dispose();
});
