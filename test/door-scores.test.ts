/**
 * The door of what decides a score: window, mask, bias, keyLengths, scale, softcap, alibi and sinks, word for word, through
 * the resolver with the kernels' door and through the reference. Packed sequences are in door-packed, tensors, lost memory
 * and a real engine in door-sides; where a query stands (causal, queryOffset) is in door.test.ts.
 */
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { PLAIN } from '../src/checks/index.ts';
import { resolveAttention } from '../src/options/attention.ts';
import { attention } from '../src/reference.ts';
import { f32 } from './data.ts';
import { good, packed, resolve, SharedBuffer, table, wrongKinds } from './door.ts';
import { fault } from './nothing-lost.ts';

const u8 = (n: number): Uint8Array => new Uint8Array(n).fill(1);
const i32 = (...starts: number[]): Int32Array => Int32Array.of(...starts);
const view = (bytes: number): DataView => new DataView(new ArrayBuffer(bytes));
const four = (...shape: unknown[]): unknown => ({ data: u8(15), shape });
const floats = (...shape: unknown[]): unknown => ({ data: f32(15), shape });

const dense =
  (name: string) =>
  (value: unknown): unknown =>
    resolve(good, { [name]: value });

it('the calls that all faults start from pass', () => {
  expect(resolve(good, {})).toMatchObject({ packed: false, totalQ: 6, totalK: 10 });
  expect(resolve(packed, {})).toMatchObject({
    packed: true,
    batch: 2,
    seqQ: 4,
    seqK: 5,
    totalQ: 6,
    totalK: 7,
  });
});

describe('window (fault 71)', () => {
  const each = 'Infinity or an integer from 0 to 9007199254740991';
  const kinds = wrongKinds('window', '[before, after]', [
    [3, 'number'],
    ['31', 'string'],
    [null, 'null'],
    [true, 'boolean'],
    [() => 1, 'function'],
    [2n, 'bigint'],
    [new BigInt64Array(2), 'BigInt64Array'],
    [view(8), 'DataView'],
  ]);
  table(
    'attention',
    [
      ...kinds,
      [{}, 'window.length', 'ERR_ARG_TYPE', 'number, got undefined'],
      [{ before: 1, after: 2 }, 'window.length', 'ERR_ARG_TYPE', 'number, got undefined'],
      [[], 'window', 'ERR_SHAPE', 'length 2, got length 0'],
      [[1], 'window', 'ERR_SHAPE', 'length 2, got length 1'],
      [[1, 2, 3], 'window', 'ERR_SHAPE', 'length 2, got length 3'],
      [{ length: 2 ** 40 }, 'window', 'ERR_SHAPE', 'length 2, got length 1099511627776'],
      [[-1, 0], 'window[0]', 'ERR_RANGE', `${each}, got -1`],
      [[0, -1], 'window[1]', 'ERR_RANGE', `${each}, got -1`],
      [[0.5, 0], 'window[0]', 'ERR_RANGE', `${each}, got 0.5`],
      [[NaN, 0], 'window[0]', 'ERR_RANGE', `${each}, got NaN`],
      [[0, -Infinity], 'window[1]', 'ERR_RANGE', `${each}, got -Infinity`],
      [[2 ** 53, 0], 'window[0]', 'ERR_RANGE', `${each}, got 9007199254740992`],
      [['1', 0], 'window[0]', 'ERR_ARG_TYPE', `${each}, got string`],
      [[0, null], 'window[1]', 'ERR_ARG_TYPE', `${each}, got null`],
      [[0, undefined], 'window[1]', 'ERR_ARG_TYPE', `${each}, got undefined`],
      [[1n, 0], 'window[0]', 'ERR_ARG_TYPE', `${each}, got bigint`],
    ],
    dense('window'),
  );
  it('passes what holds two such numbers, and causal closes it', () => {
    const all = [[1, 2], i32(1, 2), { length: 2, 0: 1, 1: 2 }, runInNewContext('[1, 2]')] as unknown[];
    for (const window of all) expect(resolve(good, { window })).toMatchObject({ before: 1, after: 2 });
    expect(resolve(good, { window: [Infinity, 2 ** 53 - 1] })).toMatchObject({
      before: Infinity,
      after: 2 ** 53 - 1,
    });
    expect(resolve(good, { window: [1, 2], causal: true })).toMatchObject({ before: 1, after: 0 });
    expect(resolve(good, { window: undefined })).toMatchObject({ before: Infinity, after: Infinity });
  });
});

describe('mask (faults 71, 72)', () => {
  const kind = 'Uint8Array or { data, shape }';
  const make = ' — Uint8Array.from(x, (y) => (y ? 1 : 0)) makes one';
  const sizes = '[batch 2 or 1, heads 2 or 1, seqQ 3 or 1, seqK 5 or 1]';
  const shape = '[batch, heads, seqQ, seqK]';
  const kinds = wrongKinds('mask', kind, [
    [3, 'number'],
    [true, 'boolean'],
    ['causal', 'string'],
    [null, 'null'],
    [() => 1, 'function'],
    [view(15), 'DataView'],
    [new ArrayBuffer(15), 'ArrayBuffer'],
    [new BigUint64Array(15), 'BigUint64Array'],
    [new Proxy(u8(15), {}), 'object'],
    [{}, 'object'],
    [{ length: 15, 0: 1 }, 'object'],
    [Object.create({ data: u8(15), shape: [1, 1, 3, 5] }), 'object'],
    [f32(15), `Float32Array${make}`],
    [[1, 0, 1], `Array${make}`],
    [new Array(15).fill(true), `Array${make}`],
    [new Int8Array(15), `Int8Array${make}`],
    [new Uint8ClampedArray(15), `Uint8ClampedArray${make}`],
    [new Int32Array(15), `Int32Array${make}`],
  ]);
  table(
    'attention',
    [
      ...kinds,
      [u8(14), 'mask', 'ERR_SHAPE', 'Uint8Array of length 15 (seqQ 3 × seqK 5), got length 14'],
      [u8(30), 'mask', 'ERR_SHAPE', 'Uint8Array of length 15 (seqQ 3 × seqK 5), got length 30'],
      [{ data: u8(15) }, 'mask.shape', 'ERR_ARG_TYPE', `${shape}, got undefined`],
      [{ data: u8(15), shape: 3 }, 'mask.shape', 'ERR_ARG_TYPE', `${shape}, got number`],
      [{ data: u8(15), shape: null }, 'mask.shape', 'ERR_ARG_TYPE', `${shape}, got null`],
      [{ shape: [1, 1, 3, 5] }, 'mask.data', 'ERR_ARG_TYPE', 'Uint8Array, got undefined'],
      [
        { data: f32(15), shape: [1, 1, 3, 5] },
        'mask.data',
        'ERR_ARG_TYPE',
        `Uint8Array, got Float32Array${make}`,
      ],
      [{ data: [1], shape: [1, 1, 1, 1] }, 'mask.data', 'ERR_ARG_TYPE', `Uint8Array, got Array${make}`],
      [{ data: four(1), shape: [1, 1, 3, 5] }, 'mask.data', 'ERR_ARG_TYPE', 'Uint8Array, got object'],
      [four(1, 3, 5), 'mask.shape', 'ERR_SHAPE', 'length 4, got length 3'],
      [four(1, 1, 1, 3, 5), 'mask.shape', 'ERR_SHAPE', 'length 4, got length 5'],
      [four(1, 1, 3, 4), 'mask.shape', 'ERR_SHAPE', `${sizes}, got [1, 1, 3, 4]`],
      [four(3, 1, 3, 5), 'mask.shape', 'ERR_SHAPE', `${sizes}, got [3, 1, 3, 5]`],
      [four(0, 1, 3, 5), 'mask.shape', 'ERR_SHAPE', `${sizes}, got [0, 1, 3, 5]`],
      [four(1, 1, 5, 3), 'mask.shape', 'ERR_SHAPE', `${sizes}, got [1, 1, 5, 3]`],
      [four(1, 1, NaN, 5), 'mask.shape', 'ERR_SHAPE', `${sizes}, got [1, 1, NaN, 5]`],
      [four(1, 1, '3', 5), 'mask.shape', 'ERR_SHAPE', `${sizes}, got [1, 1, string, 5]`],
      [four(1, 1, 3, 5n), 'mask.shape', 'ERR_SHAPE', `${sizes}, got [1, 1, 3, bigint]`],
      [
        four(2, 1, 3, 5),
        'mask.data',
        'ERR_SHAPE',
        'Uint8Array of length 30 (batch 2 × heads 1 × seqQ 3 × seqK 5), got length 15',
      ],
      [
        { data: u8(15), shape: [1, 1, 3, 5], strides: [] },
        'mask.strides',
        'ERR_UNKNOWN_OPTION',
        'one of data, shape, got an unknown option',
      ],
      [
        { data: u8(15), shap: [1, 1, 3, 5] },
        'mask.shap',
        'ERR_UNKNOWN_OPTION',
        'one of data, shape, got an unknown option — did you mean "shape"?',
      ],
    ],
    dense('mask'),
  );
  it('passes bytes of any realm, class and buffer, their true length measured', () => {
    class Lying extends Uint8Array {
      override get length(): number {
        return 1e9;
      }
      override get buffer(): never {
        throw new Error('asked');
      }
      static get [Symbol.species](): never {
        throw new Error('asked');
      }
    }
    const foreign: unknown = runInNewContext('new Uint8Array(15).fill(1)');
    for (const mask of [new Lying(15), u8(20).subarray(3, 18), foreign]) {
      expect(resolve(good, { mask }).mask).toMatchObject({ steps: [0, 0, 5, 1], data: { value: mask } });
    }
    expect(() => resolve(good, { mask: new Uint8Array(new SharedBuffer(15)) })).not.toThrow();
    expect(fault(() => resolve(good, { mask: new Lying(14) }))).toMatchObject({ received: 'length 14' });
    const shape: unknown = runInNewContext('[2, 1, 1, 5]');
    expect(resolve(good, { mask: { data: u8(10), shape } }).mask?.steps).toEqual([5, 0, 0, 1]);
    expect(resolve(good, { mask: { data: u8(12), shape: i32(2, 2, 3, 1) } }).mask?.steps).toEqual([
      6, 3, 1, 0,
    ]);
  });
});

describe('bias (faults 71, 72)', () => {
  const kind = 'Float32Array or { data, shape }';
  const make = ' — new Float32Array(x) makes one';
  table(
    'attention',
    [
      [3, 'bias', 'ERR_ARG_TYPE', `${kind}, got number`],
      [null, 'bias', 'ERR_ARG_TYPE', `${kind}, got null`],
      [[0, 1], 'bias', 'ERR_ARG_TYPE', `${kind}, got Array${make}`],
      [new Proxy(f32(15), {}), 'bias', 'ERR_ARG_TYPE', `${kind}, got object`],
      [f32(14), 'bias', 'ERR_SHAPE', 'Float32Array of length 15 (seqQ 3 × seqK 5), got length 14'],
      [{ data: f32(15) }, 'bias.shape', 'ERR_ARG_TYPE', '[batch, heads, seqQ, seqK], got undefined'],
      [{ data: [0], shape: [1, 1, 1, 1] }, 'bias.data', 'ERR_ARG_TYPE', `Float32Array, got Array${make}`],
      [floats(3, 5), 'bias.shape', 'ERR_SHAPE', 'length 4, got length 2'],
      [
        floats(1, 5, 3, 1),
        'bias.shape',
        'ERR_SHAPE',
        '[batch 2 or 1, heads 2 or 1, seqQ 3 or 1, seqK 5 or 1], got [1, 5, 3, 1]',
      ],
      [
        floats(1, 2, 3, 5),
        'bias.data',
        'ERR_SHAPE',
        'Float32Array of length 30 (batch 1 × heads 2 × seqQ 3 × seqK 5), got length 15',
      ],
      [
        { data: f32(15), shape: [1, 1, 3, 5], date: 0 },
        'bias.date',
        'ERR_UNKNOWN_OPTION',
        'one of data, shape, got an unknown option — did you mean "data"?',
      ],
    ],
    dense('bias'),
  );
  it('a mask of bytes is none, and hints at it', () => {
    const error = fault(() => resolve(good, { bias: u8(15) }));
    expect(error).toMatchObject({ code: 'ERR_ARG_TYPE', arg: 'bias', received: 'Uint8Array' });
    expect(error.hint).toMatch(/^new Float32Array\(x\) if these are numbers/);
  });
});

describe('keyLengths (fault 71)', () => {
  const kinds = wrongKinds('keyLengths', '[batch] of integers', [
    [3, 'number'],
    [null, 'null'],
    ['5', 'string'],
    [new BigInt64Array(2), 'BigInt64Array'],
    [view(8), 'DataView'],
    [new ArrayBuffer(8), 'ArrayBuffer'],
  ]);
  const each = 'an integer from 0 to 5';
  table(
    'attention',
    [
      ...kinds,
      [{}, 'keyLengths.length', 'ERR_ARG_TYPE', 'number, got undefined'],
      [[], 'keyLengths', 'ERR_SHAPE', 'length 2, got length 0'],
      [[5], 'keyLengths', 'ERR_SHAPE', 'length 2, got length 1'],
      [i32(1, 2, 3), 'keyLengths', 'ERR_SHAPE', 'length 2, got length 3'],
      // What the list holds is not shown.
      [[-1, 5], 'keyLengths[0]', 'ERR_RANGE', `${each}, got another`],
      [[5, 6], 'keyLengths[1]', 'ERR_RANGE', `${each}, got another`],
      [[NaN, 0], 'keyLengths[0]', 'ERR_RANGE', `${each}, got a number that is none`],
      [[0, Infinity], 'keyLengths[1]', 'ERR_RANGE', `${each}, got a number that is none`],
      [[0.5, 0], 'keyLengths[0]', 'ERR_RANGE', `${each}, got a number that is none`],
      [['1', 0], 'keyLengths[0]', 'ERR_ARG_TYPE', `${each}, got string`],
      [[1, 1n], 'keyLengths[1]', 'ERR_ARG_TYPE', `${each}, got bigint`],
    ],
    dense('keyLengths'),
  );
  it('passes any list of numbers', () => {
    const foreign: unknown = runInNewContext('new Uint16Array([0, 5])');
    for (const keyLengths of [
      [0, 5],
      i32(0, 5),
      new Float64Array([0, 5]),
      { length: 2, 0: 0, 1: 5 },
      foreign,
    ]) {
      const { sequence } = resolve(good, { keyLengths });
      expect([sequence(0).keys, sequence(1).keys]).toEqual([0, 5]);
    }
  });
});

describe('scale and softcap (fault 71)', () => {
  for (const name of ['scale', 'softcap']) {
    table(
      'attention',
      [
        [NaN, name, 'ERR_RANGE', 'a finite number, got NaN'],
        [Infinity, name, 'ERR_RANGE', 'a finite number, got Infinity'],
        ['1', name, 'ERR_ARG_TYPE', 'number, got string'],
        [1n, name, 'ERR_ARG_TYPE', 'number, got bigint'],
        [null, name, 'ERR_ARG_TYPE', 'number, got null'],
      ],
      dense(name),
    );
  }
  table(
    'attention',
    [
      [-1, 'softcap', 'ERR_RANGE', 'a finite number from 0 on, got -1'],
      [-1e-300, 'softcap', 'ERR_RANGE', 'a finite number from 0 on, got -1e-300'],
    ],
    dense('softcap'),
  );
  it('pass at the ends of their domain', () => {
    for (const softcap of [0, -0, 5e-324, Number.MAX_VALUE])
      expect(resolve(good, { softcap })).toMatchObject({ softcap });
    for (const scale of [0, -5e-324, -Number.MAX_VALUE])
      expect(resolve(good, { scale })).toMatchObject({ scale });
  });
});

describe.each(['alibi', 'sinks'])('%s', (name) => {
  const make = ' — new Float32Array(x) makes one';
  table(
    'attention',
    [
      [0.5, name, 'ERR_ARG_TYPE', 'Float32Array, got number'],
      [null, name, 'ERR_ARG_TYPE', 'Float32Array, got null'],
      [true, name, 'ERR_ARG_TYPE', 'Float32Array, got boolean'],
      [[1, 2], name, 'ERR_ARG_TYPE', `Float32Array, got Array${make}`],
      [i32(1, 2), name, 'ERR_ARG_TYPE', `Float32Array, got Int32Array${make}`],
      [{ data: f32(2), shape: [2] }, name, 'ERR_ARG_TYPE', 'Float32Array, got object'],
      [new Proxy(f32(2), {}), name, 'ERR_ARG_TYPE', 'Float32Array, got object'],
      [f32(0), name, 'ERR_SHAPE', 'Float32Array of length 2 (heads 2), got length 0'],
      [f32(1), name, 'ERR_SHAPE', 'Float32Array of length 2 (heads 2), got length 1'],
      [f32(3), name, 'ERR_SHAPE', 'Float32Array of length 2 (heads 2), got length 3'],
    ],
    dense(name),
  );
  it('float64 is for the reference only', () => {
    const error = fault(() =>
      resolveAttention('attention', PLAIN, f32(48), f32(40), f32(40), {
        ...good,
        [name]: new Float64Array(2),
      }),
    );
    expect(error.message).toBe(
      `attention: "${name}" expected Float32Array, got Float64Array${make} [ERR_ARG_TYPE]`,
    );
    const more = { [name]: new Float64Array(2), bias: new Float64Array(15) };
    expect(attention(f32(48), f32(40), f32(40), { ...good, ...more })).toHaveLength(48);
  });
});
