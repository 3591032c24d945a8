/**
 * What must not compile. Each `@ts-expect-error` below is itself an error of `npm run check:types` once the line under it
 * compiles; what runs here shows that who goes around the types meets the door.
 *
 * @node it is for the compiler
 */
import { Worker as NodeWorker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { attention, attentionWeights, createEngine, matmul, MultiHeadAttention } from '../src/index.ts';
import { EnvironmentError, mergeAttention, rope } from '../src/index.ts';
import type { Engine, HeedErrorCode, PackedMatrix, Tensor } from '../src/index.ts';
import { fault, rejection } from './nothing-lost.ts';

const x = new Float32Array(4);
const shape = { seqQ: 2, headDim: 2 };
const square = { M: 2, N: 2, K: 2 };
const turn = { seq: 2, heads: 1, headDim: 2 };
const part = { out: x, logSumExp: new Float32Array(2) };
const merged = { seqQ: 2, valueDim: 2 };
const layer = { modelDim: 2, heads: 1 };
const three = { wq: x, wk: x, wv: x };
const weights = { ...three, wo: x };
const doubles = { ...weights, wq: new Float64Array(4) };
const head = { headDim: 2 };
const starts = { ...head, cuSeqlensQ: Int32Array.of(0, 2) };
const bytes = new Uint8Array(4);
const flat = { data: bytes, shape: [2, 2] as const };
const engine: Engine = await createEngine({ threads: 1 });
const [t, m]: [Tensor, Tensor] = [engine.tensor([1, 2, 1, 2]), engine.tensor([2, 2])];
const tensors = { out: t, logSumExp: m };
const packed: PackedMatrix = engine.packMatrix(x, { K: 2, N: 2 });

const wrong: readonly [name: string, code: HeedErrorCode, call: () => unknown][] = [
  // @ts-expect-error: casual is no option
  ['a misspelt option', 'ERR_UNKNOWN_OPTION', () => attention(x, x, x, { ...shape, casual: true })],
  // @ts-expect-error: headDim is missing
  ['a missing headDim', 'ERR_ARG_TYPE', () => attention(x, x, x, { seqQ: 2 })],
  // @ts-expect-error: options are missing
  ['no options', 'ERR_ARG_TYPE', () => attention(x, x, x)],
  // @ts-expect-error: a Float64Array is none
  ['a Float64Array as q', 'ERR_ARG_TYPE', () => attention(new Float64Array(4), x, x, shape)],
  // @ts-expect-error: nor is an array
  ['an array as k', 'ERR_ARG_TYPE', () => attentionWeights(x, [1, 2, 3, 4], x, shape)],
  // @ts-expect-error: nor is a Uint8Array
  ['a Uint8Array as out', 'ERR_ARG_TYPE', () => attention(x, x, x, { ...shape, out: new Uint8Array(4) })],
  // @ts-expect-error: a string is no dimension
  ['a string as seqQ', 'ERR_ARG_TYPE', () => attention(x, x, x, { seqQ: '2', headDim: 2 })],
  // @ts-expect-error: nor is a bigint
  ['a bigint as M', 'ERR_ARG_TYPE', () => matmul(x, x, { ...square, M: 2n })],
  // @ts-expect-error: null is not absent
  ['null as scale', 'ERR_ARG_TYPE', () => attention(x, x, x, { ...shape, scale: null })],
  // @ts-expect-error: soft_cap is no option
  ['a misspelt softcap', 'ERR_UNKNOWN_OPTION', () => attention(x, x, x, { ...shape, soft_cap: 3 })],
  // @ts-expect-error: headDim is missing
  ['packed without headDim', 'ERR_ARG_TYPE', () => attention(x, x, x, { cuSeqlensQ: starts.cuSeqlensQ })],
  // @ts-expect-error: floats are no mask
  ['a Float32Array as mask', 'ERR_ARG_TYPE', () => attention(x, x, x, { ...shape, mask: x })],
  // @ts-expect-error: nor are booleans
  ['booleans as mask', 'ERR_ARG_TYPE', () => attention(x, x, x, { ...shape, mask: [true, false] })],
  // @ts-expect-error: nor is a tensor
  ['a tensor as mask', 'ERR_ARG_TYPE', () => engine.attention(t, t, t, { mask: m })],
  // @ts-expect-error: a shape has four dimensions
  ['a mask of two dimensions', 'ERR_SHAPE', () => attention(x, x, x, { ...shape, mask: flat })],
  // @ts-expect-error: a mask without its shape
  ['a mask of data alone', 'ERR_ARG_TYPE', () => attention(x, x, x, { ...shape, mask: { data: bytes } })],
  // @ts-expect-error: bytes are no bias
  ['a Uint8Array as bias', 'ERR_ARG_TYPE', () => attention(x, x, x, { ...shape, bias: bytes })],
  // @ts-expect-error: plain functions take no tensors
  ['a tensor as bias', 'ERR_FOREIGN_TENSOR', () => attention(x, x, x, { ...shape, bias: t })],
  // @ts-expect-error: a window has two sides
  ['a number as window', 'ERR_ARG_TYPE', () => attention(x, x, x, { ...shape, window: 4 })],
  // @ts-expect-error: both of them
  ['half a window', 'ERR_SHAPE', () => attention(x, x, x, { ...shape, window: [4] })],
  // @ts-expect-error: a length for each sequence
  ['a number as keyLengths', 'ERR_ARG_TYPE', () => attention(x, x, x, { ...shape, keyLengths: 2 })],
  // @ts-expect-error: a slope for each head
  ['a number as alibi', 'ERR_ARG_TYPE', () => attention(x, x, x, { ...shape, alibi: 0.5 })],
  // @ts-expect-error: packed sequences have no mask
  ['a mask beside cuSeqlensQ', 'ERR_OPTION', () => attention(x, x, x, { ...starts, mask: bytes })],
  // @ts-expect-error: nor have they a bias
  ['a bias beside cuSeqlensQ', 'ERR_OPTION', () => engine.attention(x, x, x, { ...starts, bias: x })],
  // @ts-expect-error: nor keyLengths
  ['keyLengths beside cuSeqlensQ', 'ERR_OPTION', () => attention(x, x, x, { ...starts, keyLengths: [2] })],
  // @ts-expect-error: cuSeqlensQ is an Int32Array
  ['a list as cuSeqlensQ', 'ERR_ARG_TYPE', () => attention(x, x, x, { ...head, cuSeqlensQ: [0, 2] })],
  // @ts-expect-error: cuSeqlensK alone says nothing
  ['cuSeqlensK alone', 'ERR_ARG_TYPE', () => attention(x, x, x, { ...head, cuSeqlensK: starts.cuSeqlensQ })],
  // @ts-expect-error: weights are of sequences of one length
  ['weights of packed sequences', 'ERR_OPTION', () => attentionWeights(x, x, x, starts)],
  // @ts-expect-error: no such layout
  ['another layout', 'ERR_OPTION', () => attention(x, x, x, { ...shape, layout: 'sbhd' })],
  // @ts-expect-error: plain functions take no tensors
  ['a tensor without its engine', 'ERR_FOREIGN_TENSOR', () => attention(t, t, t, shape)],
  // @ts-expect-error: tensors and arrays do not mix
  ['a tensor and arrays', 'ERR_ARG_TYPE', () => engine.attention(t, x, x, shape)],
  // @ts-expect-error: nor in out
  ['tensors and an array as out', 'ERR_ARG_TYPE', () => engine.attention(t, t, t, { out: x })],
  // @ts-expect-error: nor the other way round
  ['arrays and a tensor as out', 'ERR_ARG_TYPE', () => engine.matmul(x, x, { ...square, out: m })],
  // @ts-expect-error: a packed matrix is a right operand only
  ['a packed matrix as a', 'ERR_ARG_TYPE', () => engine.matmul(packed, x, square)],
  // @ts-expect-error: N is missing
  ['a missing N', 'ERR_ARG_TYPE', () => matmul(x, x, { M: 2, K: 2 })],
  // @ts-expect-error: a shape is an array
  ['a number as shape', 'ERR_ARG_TYPE', () => engine.tensor(4)],
  // @ts-expect-error: wo is missing
  ['a missing wo', 'ERR_ARG_TYPE', () => new MultiHeadAttention({ ...layer, weights: three })],
  // @ts-expect-error: an object is no engine
  ['another engine', 'ERR_ARG_TYPE', () => new MultiHeadAttention({ ...layer, weights, engine: {} })],
  // @ts-expect-error: a weight is no Float64Array
  ['a Float64Array as wq', 'ERR_ARG_TYPE', () => new MultiHeadAttention({ ...layer, weights: doubles })],
  // @ts-expect-error: headDim is missing
  ['a rope without headDim', 'ERR_ARG_TYPE', () => rope(x, { seq: 2, heads: 1 })],
  // @ts-expect-error: heads are missing: heed never guesses them
  ['a rope without heads', 'ERR_ARG_TYPE', () => rope(x, { seq: 2, headDim: 2 })],
  // @ts-expect-error: positions are an Int32Array
  ['an array as positions', 'ERR_ARG_TYPE', () => rope(x, { ...turn, positions: [0, 1] })],
  // @ts-expect-error: base is called theta
  ['another name of theta', 'ERR_UNKNOWN_OPTION', () => rope(x, { ...turn, base: 10000 })],
  // @ts-expect-error: a tensor is turned into a tensor
  ['an array as out of a tensor', 'ERR_ARG_TYPE', () => engine.rope(t, { out: x })],
  // @ts-expect-error: a part has a logSumExp
  ['a part without logSumExp', 'ERR_ARG_TYPE', () => mergeAttention([{ out: x }], merged)],
  // @ts-expect-error: valueDim is missing
  ['a merge without valueDim', 'ERR_ARG_TYPE', () => mergeAttention([part], { seqQ: 2 })],
  // @ts-expect-error: all parts are tensors, or none is
  ['a tensor among the parts', 'ERR_ARG_TYPE', () => engine.mergeAttention([part, tensors], merged)],
];

it.each(wrong)('%s: %s', (_, code, call) => {
  expect(fault(call).code).toBe(code);
});

it('createEngine', async () => {
  // @ts-expect-error: threads is a number
  expect((await rejection(createEngine({ threads: '4' }))).code).toBe('ERR_ARG_TYPE');
  // @ts-expect-error: a module is compiled
  expect((await rejection(createEngine({ wasm: bytes }))).code).toBe('ERR_ARG_TYPE');
  // @ts-expect-error: and awaited
  expect((await rejection(createEngine({ wasm: Promise.resolve({}) }))).code).toBe('ERR_ARG_TYPE');
  // @ts-expect-error: no such instruction set
  expect((await rejection(createEngine({ threads: 1, simd: 'avx' }))).code).toBe('ERR_OPTION');
});

it('an error has the fields of its class', async () => {
  const error = await rejection(createEngine({ wasm: 'data:text/plain,no' }));
  if (!(error instanceof EnvironmentError)) throw error;
  const { url, status, contentType, instances } = error;
  const told: readonly (string | number | undefined)[] = [url, status, contentType, instances];
  expect(told).toEqual(['data:text/plain,no', 200, 'text/plain', undefined]);
  // @ts-expect-error: of workers nothing is said here
  expect(error.exitCode).toBe(undefined);
});

it('any AbortSignal may be a signal, as what it has may', async () => {
  const options = { ...shape, signal: AbortSignal.abort('enough') };
  await expect(engine.attentionAsync(x, x, x, options)).rejects.toBe('enough');
  // @ts-expect-error: a controller is no signal
  const promise = engine.attentionAsync(x, x, x, { ...shape, signal: new AbortController() });
  expect((await rejection(promise)).code).toBe('ERR_ARG_TYPE');
});

it('both kinds of workers may be those of a factory', async () => {
  const script = new URL('../build/worker.js', import.meta.url);
  const threaded = await createEngine({ threads: 2, workerFactory: () => new NodeWorker(script) });
  expect(threaded.features.threads).toBe(2);
  threaded.dispose();
  const error = await rejection(createEngine({ threads: 2, workerFactory: () => new Worker(script) }));
  expect(error).toMatchObject({ code: 'ERR_WORKER_START', cause: ReferenceError('Worker is not defined') });
});

it('what is read cannot be written', () => {
  // @ts-expect-error: a dimension is readonly
  expect(() => (t.shape[0] = 5)).toThrow(TypeError);
  // @ts-expect-error: so is the shape
  expect(() => (t.shape = [5])).toThrow(TypeError);
  // @ts-expect-error: and what the engine says of itself
  expect(() => (engine.features.threads = 5)).toThrow(TypeError);
  // @ts-expect-error: and the result is no array where tensors come in
  const result: Float32Array = engine.attention(t, t, t);
  expect(result).not.toBeInstanceOf(Float32Array);
});
