/**
 * Engines: how they are made, what they say of themselves, and how they end (docs/reliability.md, faults 55, 56). What the
 * machine underneath may refuse is in the tests of the machine.
 */
import { describe, expect, it } from 'vitest';
import { attention, createEngine, MultiHeadAttention, releaseMemory } from '../src/index.ts';
import { runtimeOf } from '../src/engine.ts';
import { defaultEngine } from '../src/make-engine.ts';
import { DEFAULT, resolveEngine } from '../src/options/engine.ts';
import { TILES_OF } from '../src/tile.ts';
import type { EngineOptions } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { collect } from './collect.ts';
import { f32 } from './data.ts';
import { fault, golden, matches, rejects, type Refusal, watch } from './nothing-lost.ts';
import { disposed, ended, refusal, sentence } from './refusals.ts';

const shape = { seqQ: 2, headDim: 2 };
const call = (): unknown => attention(f32(4), f32(4), f32(4), shape);

describe('createEngine refuses (faults 55, 56)', () => {
  const op = 'createEngine';
  const threads = "'auto' or an integer from 1 to 64, got";
  const words = {
    maxMemory: `an integer from 1 to ${Number.MAX_SAFE_INTEGER}, got 0`,
    simd: "'auto' or 'relaxed' or 'baseline', got 'avx'",
    tile: "'auto' or '4x8' or '6x8' or '3x12' or '4x16' or '6x16', got '8x8'",
    thread:
      'one of threads, maxMemory, simd, tile, workerFactory, wasm, got an unknown option — did you mean "threads"?',
  };
  const least = 'an engine needs 65536 bytes at least, where maxMemory is 65535';
  const rows: readonly [options: unknown, refusal: Refusal][] = [
    ...[0, -1, 1.5, NaN, 65, 1000].map((x): [unknown, Refusal] => [
      { threads: x },
      refusal(op, 'threads', 'ERR_RANGE', `${threads} ${x}`),
    ]),
    [{ threads: 2n }, refusal(op, 'threads', 'ERR_ARG_TYPE', `${threads} bigint`)],
    [{ maxMemory: 0 }, refusal(op, 'maxMemory', 'ERR_RANGE', words.maxMemory)],
    [
      { maxMemory: 65535 },
      { ...sentence(op, 'ERR_MEMORY_LIMIT', least), needed: 65536, limit: 65535, inUse: 0 },
    ],
    [{ simd: 'avx' }, refusal(op, 'simd', 'ERR_OPTION', words.simd)],
    [{ tile: '8x8' }, refusal(op, 'tile', 'ERR_OPTION', words.tile)],
    [{ thread: 1 }, refusal(op, 'thread', 'ERR_UNKNOWN_OPTION', words.thread)],
    [null, refusal(op, 'options', 'ERR_ARG_TYPE', 'an object, got null')],
  ];
  for (const [options, expected] of rows) {
    const name = JSON.stringify(options, (_, x: unknown) =>
      typeof x === 'number' || typeof x === 'bigint' ? String(x) : x,
    );
    it(`${name}: ${expected.code}`, async () => {
      const other = await createEngine({ threads: 1 });
      await rejects(() => createEngine(options as EngineOptions), expected, await watch(other));
      other.dispose();
    });
  }
});

describe.each(builds)('%s', (build) => {
  it('says what it is, and cannot be told otherwise', async () => {
    const engine = await createEngine({ threads: 1, simd: build, maxMemory: 2 ** 24 + 5 });
    const { features, memory } = engine;
    expect(features).toMatchObject({
      simd: build,
      threads: 1,
      reason: '',
    });
    expect(TILES_OF[build]).toContain(features.tile);
    expect(Object.isFrozen(features)).toBe(true);
    expect(memory).toEqual({ used: 0, reserved: memory.reserved, limit: 2 ** 24 });
    expect(memory.reserved % 65536).toBe(0);
    engine[Symbol.dispose]();
    expect(engine.memory.reserved).toBe(0);
  });
  it('says so where it has not the tile', async () => {
    const engine = await createEngine({ threads: 1, simd: build, tile: '6x8' });
    const words = 'tile 4x8: the baseline build has no 6x8';
    if (build === 'baseline') expect(engine.features).toMatchObject({ tile: '4x8', reason: words });
    else expect(engine.features.tile).toBe('6x8');
    engine.dispose();
  });
  it('computes the same on all tiles', async () => {
    const expected = golden(await createEngine({ threads: 1, simd: build, tile: '4x8' }));
    for (const tile of TILES_OF[build]) {
      const engine = await createEngine({ threads: 1, simd: build, tile });
      expect(engine.features).toMatchObject({ tile, reason: '' });
      expect(golden(engine), tile).toEqual(expected);
      engine.dispose();
    }
  });
  it('ends with dispose(), which may be called twice', async () => {
    const engine = await engineOf(build);
    const tensor = engine.tensor([4]);
    const packed = engine.packMatrix(f32(4), { K: 2, N: 2 });
    const scope = engine.scope();
    const layer = new MultiHeadAttention({ ...layerOptions, engine });
    engine.dispose();
    engine.dispose();
    const uses: readonly [op: string, use: () => unknown][] = [
      ['attention', () => engine.attention(f32(4), f32(4), f32(4), shape)],
      ['attentionWeights', () => engine.attentionWeights(f32(4), f32(4), f32(4), shape)],
      ['matmul', () => engine.matmul(f32(4), f32(4), { M: 2, N: 2, K: 2 })],
      ['packMatrix', () => engine.packMatrix(f32(4), { K: 2, N: 2 })],
      ['tensor', () => engine.tensor([1])],
      ['tensor', () => scope.tensor([1])],
      ['forward', () => layer.forward(f32(4), { seqQ: 2 })],
      ['MultiHeadAttention', () => new MultiHeadAttention({ ...layerOptions, engine })],
    ];
    for (const [op, use] of uses) matches(fault(use), ended(op, 'engine'));
    matches(
      fault(() => tensor.data),
      disposed('tensor', 'data', 'tensor'),
    );
    expect(engine.memory).toEqual({ used: 0, reserved: 0, limit: 2 ** 32 - 65536 });
    for (const each of [tensor, packed, scope, layer]) each.dispose();
    expect(engine.memory.used).toBe(0);
  });
  it('does not hold its memory once it is disposed of', async () => {
    const engine = await engineOf(build);
    const buffer = new WeakRef(engine.tensor([1000]).data.buffer);
    expect(buffer.deref()).toBeDefined();
    engine.dispose();
    await collect(() => buffer.deref() === undefined);
    expect(buffer.deref()).toBeUndefined();
    expect(engine.memory.reserved).toBe(0);
  });
});

const layerOptions = { modelDim: 2, heads: 1, weights: { wq: f32(4), wk: f32(4), wv: f32(4), wo: f32(4) } };

it('what is no engine of this copy is told by its kind', async () => {
  const engine = await createEngine({ threads: 1 });
  expect(runtimeOf('forward', engine).tile).toBe(engine.features.tile);
  const copies = ' — what createEngine of this very copy of heed gives';
  for (const [given, kind, hint] of [
    [{}, 'object', copies],
    [Object.create(Object.getPrototypeOf(engine) as object), 'object', copies],
    [null, 'null', ''],
    [5, 'number', ''],
    ['auto', 'string', ''],
    [createEngine, 'function', ''],
  ] as const) {
    matches(
      fault(() => runtimeOf('forward', given)),
      refusal('forward', 'engine', 'ERR_ARG_TYPE', `Engine, got ${kind}${hint}`),
    );
  }
  engine.dispose();
});

it('is of relaxed SIMD where there is, and has nothing to say then', async () => {
  const engine = await createEngine({ threads: 1 });
  if (builds.includes('relaxed')) expect(engine.features).toMatchObject({ simd: 'relaxed', reason: '' });
  else expect(engine.features.simd).toBe('baseline');
  engine.dispose();
});

describe('the default engine', () => {
  it('has nothing to say of why it has one thread', () => {
    const { simd, reason } = defaultEngine('test').features;
    if (simd === 'relaxed') expect(reason).toBe('');
    else expect(reason).toBe('baseline SIMD: this JavaScript engine has no relaxed SIMD');
  });
  it('is what createEngine({ threads: 1 }) makes', () => {
    expect(DEFAULT).toEqual(resolveEngine({ threads: 1 }));
  });
  it('is made again after releaseMemory()', () => {
    const before = call();
    const layer = new MultiHeadAttention(layerOptions);
    releaseMemory();
    releaseMemory();
    expect(call()).toEqual(before);
    matches(
      fault(() => layer.forward(f32(4), { seqQ: 2 })),
      ended('forward', 'engine'),
    );
  });
  it('may be released by a getter of a call on it: that call is refused, the next one runs', () => {
    const options = {
      ...shape,
      get scale(): number {
        releaseMemory();
        return 1;
      },
    };
    // Once before its kernels are tested, once after.
    releaseMemory();
    for (let i = 0; i < 2; i++) {
      matches(
        fault(() => attention(f32(4), f32(4), f32(4), options)),
        ended('attention', 'engine'),
      );
      expect(call()).toEqual(f32(4));
    }
  });
});
