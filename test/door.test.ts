/**
 * The door of attention: every fault of docs/reliability.md that an argument can have, with class, code, op, arg and
 * words. Through the public functions of the reference, and through the resolver with the kernels' door.
 * Which arrays are arrays is in door-arrays; the other resolvers are in door-matmul, door-layer and door-tensors; the
 * error classes themselves are in door-errors.
 */
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import { HeedRangeError, HeedTypeError, type HeedError } from '../src/errors.ts';
import { PLAIN } from '../src/checks/index.ts';
import { resolveAttention } from '../src/options/attention.ts';
import { attention, attentionWeights } from '../src/reference.ts';
import { f32 } from './data.ts';
import { fault } from './nothing-lost.ts';

/** A call that passes: batch 1, 2 heads of 4, 1 key head, 3 queries, 5 keys. */
const good = { seqQ: 3, seqK: 5, heads: 2, kvHeads: 1, headDim: 4 };
const q = f32(24);
const k = f32(20);
const v = f32(20);

/** The fault of the kernels' door, after checking that the reference refuses the same in the same words. */
function refused(args: { q?: unknown; k?: unknown; v?: unknown }, options: unknown): HeedError {
  const all = [...(['q', 'k', 'v'] as const).map((name) => (name in args ? args[name] : { q, k, v }[name]))];
  const error = fault(() => resolveAttention('attention', PLAIN, all[0], all[1], all[2], options));
  const untyped = attention as (...given: unknown[]) => unknown;
  const same = fault(() => untyped(all[0], all[1], all[2], options));
  expect(same.code).toBe(error.code);
  expect(same.arg).toBe(error.arg);
  expect(same.constructor).toBe(error.constructor);
  expect(error.op).toBe('attention');
  return error;
}

const options = (more: object): unknown => ({ ...good, ...more });

it('the call that all faults start from passes', () => {
  const { problem, out } = resolveAttention('attention', PLAIN, q, k, v, good);
  expect(out).toBeUndefined();
  expect(problem).toEqual({
    tensors: false,
    batch: 1,
    valueDim: 4,
    layout: 'bshd',
    scale: 0.5,
    ...{ packed: false, totalQ: 3, totalK: 5, softcap: 0, before: Infinity, after: Infinity },
    ...{ mask: undefined, bias: undefined, alibi: undefined, sinks: undefined },
    sequence: expect.any(Function) as unknown,
    cache: undefined,
    logSumExp: undefined,
    ...good,
  });
  expect(attention(q, k, v, good)).toEqual(new Float64Array(24).fill(0.5));
});

it('defaults follow what is stated', () => {
  const given = { seqQ: 3, heads: 2, headDim: 4, causal: true };
  const { problem } = resolveAttention('attention', PLAIN, q, q, q, given);
  expect(problem).toMatchObject({ kvHeads: 2, seqK: 3, valueDim: 4, after: 0 });
});

describe('dimensions (faults 2–7)', () => {
  const names = ['batch', 'heads', 'kvHeads', 'seqQ', 'seqK', 'headDim', 'valueDim'];
  const values: readonly unknown[] = [NaN, Infinity, -Infinity, -1, 1.5, 2 ** 32 + 8, 2 ** 60];
  const wrong: readonly [unknown, string][] = [
    ['64', 'string'],
    [null, 'null'],
    [{}, 'object'],
    [[], 'Array'],
    [[3], 'Array'],
    [3n, 'bigint'],
    [true, 'boolean'],
    [Symbol('3'), 'symbol'],
    [() => 3, 'function'],
    [new Number(3), 'object'],
  ];
  for (const name of names) {
    for (const value of values) {
      it(`${name} ${String(value)}`, () => {
        const error = refused({}, options({ [name]: value }));
        expect(error).toBeInstanceOf(HeedRangeError);
        const min = ['batch', 'seqQ', 'seqK'].includes(name) ? 0 : 1;
        expect(error.message).toBe(
          `attention: "${name}" expected an integer from ${min} to 4294967296, got ${String(value)} [ERR_DIM]`,
        );
        expect(error).toMatchObject({ code: 'ERR_DIM', arg: name, received: String(value) });
      });
    }
    for (const [value, kind] of wrong) {
      it(`${name} of kind ${kind}`, () => {
        const error = refused({}, options({ [name]: value }));
        expect(error).toBeInstanceOf(HeedTypeError);
        expect(error.message).toBe(`attention: "${name}" expected number, got ${kind} [ERR_ARG_TYPE]`);
      });
    }
  }
  it('at least one head, key head and element', () => {
    for (const name of ['heads', 'kvHeads', 'headDim', 'valueDim']) {
      expect(refused({}, options({ [name]: 0 })).code).toBe('ERR_DIM');
    }
  });
  it('missing', () => {
    const words =
      'expected number, got undefined — a flat array has no shape, so it must be stated [ERR_ARG_TYPE]';
    expect(refused({}, { headDim: 4 }).message).toBe(`attention: "seqQ" ${words}`);
    expect(refused({}, { seqQ: 4, headDim: undefined }).message).toBe(`attention: "headDim" ${words}`);
    expect(refused({}, undefined).message).toBe(`attention: "seqQ" ${words}`);
  });
  it('kinds come before values, whatever the order', () => {
    expect(refused({}, options({ batch: NaN, valueDim: '4' }))).toMatchObject({
      arg: 'valueDim',
      code: 'ERR_ARG_TYPE',
    });
    expect(refused({ v: [] }, options({ batch: NaN }))).toMatchObject({ arg: 'v', code: 'ERR_ARG_TYPE' });
    expect(refused({}, { batch: NaN, headDim: 4 })).toMatchObject({ arg: 'seqQ', code: 'ERR_ARG_TYPE' });
  });
});

describe('heads, sizes, lengths (faults 1, 19, 21)', () => {
  it('ERR_HEADS', () => {
    const error = refused({}, options({ heads: 8, kvHeads: 3 }));
    expect(error).toBeInstanceOf(HeedRangeError);
    expect(error.message).toBe('attention: "heads" expected a multiple of kvHeads 3, got 8 [ERR_HEADS]');
    expect(refused({}, options({ heads: 2, kvHeads: 4 })).code).toBe('ERR_HEADS');
  });
  it('ERR_SIZE, before any length, however large', () => {
    const error = refused({}, { batch: 65536, seqQ: 65536, heads: 16, headDim: 64 });
    expect(error).toBeInstanceOf(HeedRangeError);
    expect(error.message).toBe(
      'attention: "q" expected at most 4294967296 bytes, ' +
        'got batch 65536 × heads 16 × seqQ 65536 × headDim 64 × 4 bytes [ERR_SIZE]',
    );
    const most = 2 ** 32;
    expect(refused({}, { batch: most, seqQ: most, heads: most, headDim: most })).toMatchObject({
      code: 'ERR_SIZE',
    });
    expect(refused({}, { seqQ: 1, seqK: 2 ** 29, headDim: 4 })).toMatchObject({ arg: 'k', code: 'ERR_SIZE' });
    expect(refused({}, { seqQ: 1, headDim: 1, valueDim: 2 ** 31 })).toMatchObject({
      arg: 'v',
      code: 'ERR_SIZE',
    });
    expect(refused({}, { seqQ: 4, seqK: 1, headDim: 1, valueDim: 2 ** 29 })).toMatchObject({ arg: 'out' });
  });
  it('ERR_SIZE at the limit: 2³² bytes may be, one more float may not', () => {
    expect(refused({}, { seqQ: 2 ** 30, headDim: 1 })).toMatchObject({ arg: 'q', code: 'ERR_SHAPE' });
    expect(refused({}, { seqQ: 2 ** 30 + 1, headDim: 1 })).toMatchObject({ arg: 'q', code: 'ERR_SIZE' });
  });
  it('ERR_SIZE where nothing else is wrong: an empty operand of absurd strides', () => {
    expect(refused({}, { batch: 0, seqQ: 2 ** 32, headDim: 2 ** 32 })).toMatchObject({
      arg: 'q',
      code: 'ERR_SIZE',
    });
  });
  it('ERR_SIZE for the weights', () => {
    const shape = { seqQ: 2 ** 16, headDim: 1 };
    const x = f32(2 ** 16);
    const error = fault(() => attentionWeights(x, x, x, shape));
    expect(error.message).toBe(
      'attentionWeights: "weights" expected at most 4294967296 bytes, ' +
        'got batch 1 × heads 1 × seqQ 65536 × seqK 65536 × 4 bytes [ERR_SIZE]',
    );
    expect(() => resolveAttention('attention', PLAIN, x, x, x, shape)).not.toThrow();
  });
  it('ERR_SHAPE names the argument and the formula', () => {
    const shape = { seqQ: 16, kvHeads: 2, heads: 4, headDim: 32 };
    const error = refused({ q: f32(2048), k: f32(1023), v: f32(1024) }, shape);
    expect(error).toBeInstanceOf(HeedRangeError);
    expect(error.message).toBe(
      'attention: "k" expected Float32Array of length 1024 ' +
        '(batch 1 × kvHeads 2 × seqK 16 × headDim 32), got length 1023 [ERR_SHAPE]',
    );
    expect(error).toMatchObject({
      expected: 'Float32Array of length 1024 (batch 1 × kvHeads 2 × seqK 16 × headDim 32)',
      received: 'length 1023',
    });
  });
  it('ERR_SHAPE for every operand, too short and too long', () => {
    const lengths = { q: 24, k: 20, v: 20, out: 24, logSumExp: 6 };
    for (const [name, length] of Object.entries(lengths)) {
      for (const n of [length - 1, length + 1, 0]) {
        const side = name === 'out' || name === 'logSumExp';
        const error = side ? refused({}, options({ [name]: f32(n) })) : refused({ [name]: f32(n) }, good);
        expect(error).toMatchObject({ code: 'ERR_SHAPE', arg: name, received: `length ${n}` });
      }
    }
    const error = refused({}, options({ logSumExp: f32(5) }));
    expect(error.message).toBe(
      'attention: "logSumExp" expected Float32Array of length 6 (batch 1 × heads 2 × seqQ 3), got length 5 [ERR_SHAPE]',
    );
  });
  it('says Float64Array where that is what came', () => {
    const double = new Float64Array(3);
    expect(fault(() => attention(double, double, double, { seqQ: 1, headDim: 2 })).message).toBe(
      'attention: "q" expected Float64Array of length 2 (batch 1 × heads 1 × seqQ 1 × headDim 2), got length 3 [ERR_SHAPE]',
    );
  });
  it('empty calls pass at once, whatever else is large', () => {
    const none = f32(0);
    expect(attention(none, none, none, { batch: 2 ** 30, seqQ: 0, headDim: 1 })).toHaveLength(0);
    expect(attention(none, none, none, { batch: 0, seqQ: 2 ** 30, headDim: 1 })).toHaveLength(0);
    const { problem } = resolveAttention('attention', PLAIN, none, none, none, {
      batch: 2 ** 30,
      seqQ: 0,
      headDim: 1,
    });
    expect(problem).toMatchObject({ totalQ: 0, totalK: 0 });
  });
});

describe('options (faults 41–44)', () => {
  it('ERR_UNKNOWN_OPTION with the nearest name', () => {
    const all =
      'batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, layout, cuSeqlensQ, cuSeqlensK, causal, queryOffset, ' +
      'keyLengths, window, mask, bias, scale, softcap, alibi, sinks, out, logSumExp';
    const error = refused({}, options({ casual: true }));
    expect(error).toBeInstanceOf(HeedTypeError);
    expect(error.message).toBe(
      `attention: "casual" expected one of ${all}, got an unknown option — did you mean "causal"? [ERR_UNKNOWN_OPTION]`,
    );
    expect(error).toMatchObject({
      arg: 'casual',
      code: 'ERR_UNKNOWN_OPTION',
      hint: 'did you mean "causal"?',
    });
    expect(refused({}, options({ dropout: undefined })).message).toBe(
      `attention: "dropout" expected one of ${all}, got an unknown option [ERR_UNKNOWN_OPTION]`,
    );
  });
  const near: readonly [string, string | undefined][] = [
    ['is_causal', 'causal'],
    ['oeu', undefined],
    ['otu', 'out'],
    ['sqeQ', 'seqQ'],
    ['headdim', 'headDim'],
    ['head_dim', 'headDim'],
    ['kvheads', 'kvHeads'],
    ['logsumexp', 'logSumExp'],
    ['seqq', 'seqQ'],
    ['scales', 'scale'],
    ['Layout', 'layout'],
    ['queryOfset', 'queryOffset'],
    ['soft_cap', 'softcap'],
    ['keylength', 'keyLengths'],
    ['sink', 'sinks'],
    ['cu_seqlens_q', 'cuSeqlensQ'],
    ['masks', 'mask'],
    ...['signal', 'dropout', 'x', '', '__proto__', '0'].map((name): [string, undefined] => [name, undefined]),
  ];
  for (const [name, nearest] of near) {
    it(`${name} → ${nearest}`, () => {
      const given = { ...good };
      Object.defineProperty(given, name, { value: 1, enumerable: false });
      expect(refused({}, given).hint).toBe(nearest === undefined ? undefined : `did you mean "${nearest}"?`);
    });
  }
  it('what is no object', () => {
    const kinds: readonly [unknown, string][] = [
      [null, 'null'],
      [3, 'number'],
      ['x', 'string'],
      [[], 'Array'],
      [() => good, 'function'],
      [f32(1), 'Float32Array'],
      [new DataView(new ArrayBuffer(1)), 'DataView'],
      [10n, 'bigint'],
    ];
    for (const [given, kind] of kinds) {
      const words = `attention: "options" expected an object, got ${kind} [ERR_ARG_TYPE]`;
      expect(refused({}, given).message).toBe(words);
    }
  });
  it('undefined is absent; symbols are ignored; a null prototype is as good as any', () => {
    const absent = {
      batch: undefined,
      causal: undefined,
      scale: undefined,
      out: undefined,
      layout: undefined,
    };
    const given = Object.assign(Object.create(null) as object, good, absent, { [Symbol('x')]: 1 });
    const resolved = resolveAttention('attention', PLAIN, q, k, v, given).problem;
    const { sequence, ...rest } = resolveAttention('attention', PLAIN, q, k, v, good).problem;
    expect(resolved).toMatchObject(rest);
    expect(resolved.sequence(0)).toEqual(sequence(0));
  });
  it('inherited options are none', () => {
    const inherited = Object.create(good) as object;
    expect(refused({}, inherited)).toMatchObject({ arg: 'seqQ', received: 'undefined' });
  });

  afterEach(() => {
    for (const key of ['scale', 'causal', 'mask']) Reflect.deleteProperty(Object.prototype, key);
  });
  it('a polluted Object.prototype is ignored', () => {
    const before = attention(q, k, v, good);
    Object.assign(Object.prototype, { scale: 5, causal: true, mask: 1 });
    const { problem } = resolveAttention('attention', PLAIN, q, k, v, good);
    expect(problem.scale).toBe(0.5);
    expect(problem).toMatchObject({ after: Infinity, mask: undefined });
    expect(attention(q, k, v, good)).toEqual(before);
  });

  it('each getter is called once, and what it throws passes through', () => {
    const calls: string[] = [];
    const given = {};
    for (const [name, value] of Object.entries({ ...good, causal: true, scale: 1 })) {
      Object.defineProperty(given, name, { get: () => (calls.push(name), value), enumerable: true });
    }
    attention(q, k, v, given as typeof good);
    expect(calls).toEqual([...Object.keys(good), 'causal', 'scale']);
    const mine = new Error('mine');
    const throwing = {
      ...good,
      get scale(): number {
        throw mine;
      },
    };
    expect(() => attention(q, k, v, throwing)).toThrow(mine);
  });
  it('an unknown name is refused before any getter runs', () => {
    let calls = 0;
    const given = {
      get seqQ() {
        return ++calls;
      },
      casual: true,
    };
    refused({}, given);
    expect(calls).toBe(0);
  });
});

describe('option values', () => {
  const offset = 'an integer, or [batch] of them';
  const cases: readonly [string, unknown, string, string, string][] = [
    ['causal', 1, 'ERR_ARG_TYPE', 'boolean', 'number'],
    ['causal', 'true', 'ERR_ARG_TYPE', 'boolean', 'string'],
    ['causal', null, 'ERR_ARG_TYPE', 'boolean', 'null'],
    ['scale', NaN, 'ERR_RANGE', 'a finite number', 'NaN'],
    ['scale', -Infinity, 'ERR_RANGE', 'a finite number', '-Infinity'],
    ['scale', '1', 'ERR_ARG_TYPE', 'number', 'string'],
    ['scale', 1n, 'ERR_ARG_TYPE', 'number', 'bigint'],
    ['scale', null, 'ERR_ARG_TYPE', 'number', 'null'],
    ['layout', 'bsdh', 'ERR_OPTION', "'bshd' or 'bhsd'", "'bsdh'"],
    ['layout', 'x'.repeat(24), 'ERR_OPTION', "'bshd' or 'bhsd'", `'${'x'.repeat(24)}'`],
    ['layout', 'x'.repeat(25), 'ERR_OPTION', "'bshd' or 'bhsd'", 'a string of length 25'],
    ['layout', 'x'.repeat(1000), 'ERR_OPTION', "'bshd' or 'bhsd'", 'a string of length 1000'],
    ['layout', 0, 'ERR_ARG_TYPE', "'bshd' or 'bhsd'", 'number'],
    ['queryOffset', 0.5, 'ERR_RANGE', offset, '0.5'],
    ['queryOffset', NaN, 'ERR_RANGE', offset, 'NaN'],
    ['queryOffset', Infinity, 'ERR_RANGE', offset, 'Infinity'],
    ['queryOffset', '0', 'ERR_ARG_TYPE', offset, 'string'],
    ['queryOffset', null, 'ERR_ARG_TYPE', offset, 'null'],
    ['queryOffset', 0n, 'ERR_ARG_TYPE', offset, 'bigint'],
    ['queryOffset', new BigInt64Array(1), 'ERR_ARG_TYPE', offset, 'BigInt64Array'],
    ['queryOffset', new DataView(new ArrayBuffer(8)), 'ERR_ARG_TYPE', offset, 'DataView'],
    ['queryOffset', [], 'ERR_SHAPE', 'length 1', 'length 0'],
    ['queryOffset', [1, 2], 'ERR_SHAPE', 'length 1', 'length 2'],
    ['queryOffset', new Int32Array(3), 'ERR_SHAPE', 'length 1', 'length 3'],
    ['queryOffset', { length: Infinity }, 'ERR_SHAPE', 'length 1', 'length Infinity'],
  ];
  for (const [name, value, code, expected, received] of cases) {
    it(`${name} ${typeof value} ${code} ${received}`, () => {
      const error = refused({}, options({ [name]: value }));
      expect(error.message).toBe(`attention: "${name}" expected ${expected}, got ${received} [${code}]`);
      expect(error).toBeInstanceOf(code === 'ERR_ARG_TYPE' ? HeedTypeError : HeedRangeError);
    });
  }
  it('an element of queryOffset is named, not shown', () => {
    const two = (queryOffset: unknown): HeedError => {
      const batch = { batch: 2, seqQ: 1, headDim: 1, queryOffset };
      return fault(() => resolveAttention('attention', PLAIN, f32(2), f32(2), f32(2), batch));
    };
    expect(two([0, 123.25]).message).toBe(
      'attention: "queryOffset[1]" expected an integer, got a number that is none [ERR_RANGE]',
    );
    expect(two([0, '7']).message).toBe(
      'attention: "queryOffset[1]" expected an integer, got string [ERR_ARG_TYPE]',
    );
    expect(two([7]).message).toBe('attention: "queryOffset" expected length 2, got length 1 [ERR_SHAPE]');
    expect(two({}).message).toBe(
      'attention: "queryOffset.length" expected number, got undefined [ERR_ARG_TYPE]',
    );
  });
  it('where a query stands: queryOffset, or what seqK and keyLengths say', () => {
    const offsets = (more: object): number[] => {
      const shape = { batch: 2, seqQ: 3, seqK: 5, headDim: 1, ...more };
      const { sequence } = resolveAttention('attention', PLAIN, f32(6), f32(10), f32(10), shape).problem;
      return [sequence(0).offset, sequence(1).offset];
    };
    expect(offsets({})).toEqual([2, 2]);
    expect(offsets({ queryOffset: 0 })).toEqual([0, 0]);
    expect(offsets({ queryOffset: -1e300 })).toEqual([-1e300, -1e300]);
    expect(offsets({ queryOffset: [1, 2 ** 40] })).toEqual([1, 2 ** 40]);
    expect(offsets({ queryOffset: new Float64Array([1, -2]) })).toEqual([1, -2]);
    expect(offsets({ queryOffset: { length: 2, 0: 3, 1: -4 } })).toEqual([3, -4]);
    expect(offsets({ queryOffset: runInNewContext('new Int8Array([1, 2])') as unknown })).toEqual([1, 2]);
    // A cache has seqQ new tokens at the end; a right-padded batch has as many keys as queries.
    expect(offsets({ keyLengths: [5, 4] })).toEqual([2, 1]);
    expect(offsets({ keyLengths: [2, 0] })).toEqual([0, 0]);
    expect(offsets({ keyLengths: [2, 0], queryOffset: -1 })).toEqual([-1, -1]);
  });
});
