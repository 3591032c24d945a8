/**
 * The door: which values pass as float arrays (docs/reliability.md, faults 7–19). Recognised by brand and measured by intrinsic
 * getters, so other realms pass, and proxies, lying subclasses and lost memory do not fool it.
 */
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { HeedRangeError, HeedTypeError } from '../src/errors.ts';
import { PLAIN, view } from '../src/checks/index.ts';
import { resolveAttention } from '../src/options/attention.ts';
import { attention } from '../src/reference.ts';
import { f32 } from './data.ts';
import { resizable, SharedBuffer } from './door.ts';
import { fault } from './nothing-lost.ts';

const shape = { seqQ: 2, headDim: 2 };
const kernel = (q: unknown, k: unknown, v: unknown, more: object = {}): unknown =>
  resolveAttention('attention', PLAIN, q, k, v, { ...shape, ...more });
const reference = (q: unknown, k: unknown, v: unknown, more: object = {}): unknown =>
  attention(q as Float32Array, k as Float32Array, v as Float32Array, { ...shape, ...more });

it('a view begins where it is told to within its array, on the same memory', () => {
  const buffer = new ArrayBuffer(40);
  const found = view(new Float32Array(buffer, 8, 6), 2, 3);
  expect(found.buffer).toBe(buffer);
  expect([found.byteOffset, found.length]).toEqual([16, 3]);
});

describe('wrong kinds (faults 7–9, 12)', () => {
  const make = 'new Float32Array(x) makes one';
  const bytes = 'new Float32Array(x.buffer, x.byteOffset, x.byteLength / 4)';
  const numbersOrBytes =
    'new Float32Array(x) if these are numbers; if they are the bytes of floats, as in a Buffer, ' + bytes;
  const buffer = 'new Float32Array(x, byteOffset, length) reads its bytes';
  const revoked = Proxy.revocable([], {});
  revoked.revoke();
  const kinds: readonly (readonly [unknown, string, string?])[] = [
    [undefined, 'undefined'],
    [null, 'null'],
    ['64', 'string'],
    [4, 'number'],
    [4n, 'bigint'],
    [{}, 'object'],
    [{ length: 4, 0: 1, 1: 1, 2: 1, 3: 1 }, 'object'],
    [{ [Symbol.toStringTag]: 'Float32Array', length: 4 }, 'object'],
    [new Proxy(f32(4), {}), 'object'],
    [revoked.proxy, 'object'],
    [Object.create(Float32Array.prototype), 'object'],
    [() => f32(4), 'function'],
    [[1, 2, 3, 4], 'Array', make],
    [new Int8Array(4), 'Int8Array', make],
    [new Uint16Array(4), 'Uint16Array', make],
    [new Int32Array(4), 'Int32Array', make],
    [new Uint8ClampedArray(4), 'Uint8ClampedArray', make],
    [new BigInt64Array(4), 'BigInt64Array', 'Float32Array.from(x, Number) makes one'],
    [new BigUint64Array(4), 'BigUint64Array', 'Float32Array.from(x, Number) makes one'],
    [new Uint8Array(16), 'Uint8Array', numbersOrBytes],
    [new DataView(new ArrayBuffer(16)), 'DataView', `${bytes} reads its bytes`],
    [new ArrayBuffer(16), 'ArrayBuffer', buffer],
    // Where its class has no name, it has none.
    ...('SharedArrayBuffer' in globalThis
      ? [[new SharedBuffer(16), 'SharedArrayBuffer', buffer] as const]
      : [[new SharedBuffer(16), 'object'] as const]),
    [runInNewContext('new ArrayBuffer(16)'), 'ArrayBuffer', buffer],
    [runInNewContext('[1, 2, 3, 4]'), 'Array', make],
    [runInNewContext('new Int16Array(4)'), 'Int16Array', make],
  ];
  for (const [x, kind, hint] of kinds) {
    it(`${kind}${hint === undefined ? '' : ', with a hint'}`, () => {
      const error = fault(() => kernel(f32(4), x, f32(4)));
      expect(error).toBeInstanceOf(HeedTypeError);
      const words = hint === undefined ? '' : ` — ${hint}`;
      expect(error.message).toBe(`attention: "k" expected Float32Array, got ${kind}${words} [ERR_ARG_TYPE]`);
      expect(error).toMatchObject({ op: 'attention', arg: 'k', expected: 'Float32Array', received: kind });
      expect(error.hint).toBe(hint);
      expect(fault(() => reference(f32(4), x, f32(4))).message).toBe(
        `attention: "k" expected Float32Array or Float64Array, got ${kind}${words} [ERR_ARG_TYPE]`,
      );
      for (const name of ['out', 'logSumExp']) {
        if (x === undefined) continue;
        expect(fault(() => kernel(f32(4), f32(4), f32(4), { [name]: x }))).toMatchObject({
          arg: name,
          received: kind,
        });
      }
    });
  }
  it('Float64Array: not for the kernels, but for the reference', () => {
    const x = new Float64Array(4);
    expect(fault(() => kernel(x, f32(4), f32(4))).message).toBe(
      `attention: "q" expected Float32Array, got Float64Array — ${make} [ERR_ARG_TYPE]`,
    );
    expect(fault(() => kernel(f32(4), f32(4), f32(4), { logSumExp: new Float64Array(2) })).arg).toBe(
      'logSumExp',
    );
    const out = new Float64Array(4);
    expect(reference(x, f32(4), f32(4), { out, logSumExp: new Float32Array(2) })).toBe(out);
  });
  it('Float16Array, where there is one', () => {
    const Float16Array = (globalThis as { Float16Array?: new (n: number) => unknown }).Float16Array;
    if (Float16Array === undefined) return;
    expect(fault(() => kernel(new Float16Array(4), f32(4), f32(4)))).toMatchObject({
      received: 'Float16Array',
    });
  });
  it('runs no code of what it describes', () => {
    const trap = (): never => {
      throw new Error('ran');
    };
    const hostile = new Proxy({}, { get: trap, has: trap, ownKeys: trap, getPrototypeOf: trap });
    expect(fault(() => kernel(hostile, f32(4), f32(4))).received).toBe('object');
  });
});

describe('what passes (faults 10, 11, 16)', () => {
  const expected = [0.5, 0.5, 0.5, 0.5];
  it('an array of another realm', () => {
    const foreign: unknown = runInNewContext('new Float32Array(4).fill(0.5)');
    expect(foreign instanceof Float32Array).toBe(false);
    expect([...(reference(foreign, foreign, foreign) as Float64Array)]).toEqual(expected);
    expect(() =>
      kernel(foreign, foreign, foreign, { out: runInNewContext('new Float32Array(4)') as unknown }),
    ).not.toThrow();
  });
  it('a shared buffer', () => {
    const shared = new Float32Array(new SharedBuffer(16)).fill(0.5);
    expect([...(reference(shared, shared, shared) as Float64Array)]).toEqual(expected);
  });
  it('a subclass, measured by its true length, none of its methods called', () => {
    class Lying extends Float32Array {
      override get length(): number {
        return 1e9;
      }
      override get byteLength(): number {
        throw new Error('asked');
      }
      override get buffer(): ArrayBuffer {
        throw new Error('asked');
      }
      override get [Symbol.toStringTag](): 'Float32Array' {
        throw new Error('asked');
      }
      static get [Symbol.species](): never {
        throw new Error('asked');
      }
    }
    for (const name of ['set', 'subarray', 'slice', 'keys', 'values', 'fill'] as const) {
      Object.defineProperty(Lying.prototype, name, {
        value: () => {
          throw new Error('called');
        },
      });
    }
    const x = new Lying([0.5, 0.5, 0.5, 0.5]);
    expect([...(reference(x, x, x) as Float64Array)]).toEqual(expected);
    expect(() => kernel(x, x, x, { out: new Lying(4), logSumExp: new Lying(2) })).not.toThrow();
    expect(fault(() => kernel(x, new Lying(3), x))).toMatchObject({
      code: 'ERR_SHAPE',
      received: 'length 3',
    });
  });
  it('a view of a resizable buffer that is in bounds', () => {
    const memory = resizable(32, 64);
    const tracking = new Float32Array(memory, 16);
    expect(() => kernel(tracking, f32(4), f32(4))).not.toThrow();
    memory.resize(64);
    expect(fault(() => kernel(tracking, f32(4), f32(4)))).toMatchObject({
      code: 'ERR_SHAPE',
      received: 'length 12',
    });
  });
});

describe('memory that is gone (faults 13, 15)', () => {
  const words =
    'expected Float32Array on a live buffer, got one whose buffer was transferred, or shrunk below it';
  it('a transferred buffer, even where nothing would be read', () => {
    const x = f32(4);
    structuredClone(x.buffer, { transfer: [x.buffer] });
    const error = fault(() => kernel(f32(4), f32(4), x));
    expect(error).toBeInstanceOf(HeedTypeError);
    expect(error.message).toBe(`attention: "v" ${words} [ERR_DETACHED]`);
    expect(error).toMatchObject({ code: 'ERR_DETACHED', op: 'attention', arg: 'v' });
    // Told before a dimension that is none.
    const both = fault(() => kernel(f32(4), f32(4), x, { headDim: -1 }));
    expect(both).toMatchObject({ code: 'ERR_DETACHED', arg: 'v' });
    const empty = { seqQ: 0, seqK: 0 };
    expect(fault(() => kernel(x, f32(0), f32(0), empty)).code).toBe('ERR_DETACHED');
    expect(fault(() => reference(x, f32(0), f32(0), empty)).code).toBe('ERR_DETACHED');
    expect(fault(() => reference(f32(4), f32(4), f32(4), { out: x })).arg).toBe('out');
    const queryOffset = new Int32Array(1);
    structuredClone(queryOffset.buffer, { transfer: [queryOffset.buffer] });
    expect(fault(() => kernel(f32(4), f32(4), f32(4), { queryOffset })).message).toBe(
      `attention: "queryOffset" ${words.replace('Float32Array', 'Int32Array')} [ERR_DETACHED]`,
    );
  });
  it('a shrunk buffer: a fixed view out of bounds, and one that tracks from beyond the end', () => {
    const memory = resizable(32, 32);
    const fixed = new Float32Array(memory, 16, 4);
    const tracking = new Float32Array(memory, 16);
    const shorter = new Float32Array(memory);
    memory.resize(12);
    expect(fault(() => kernel(fixed, f32(4), f32(4))).code).toBe('ERR_DETACHED');
    expect(fault(() => kernel(tracking, f32(4), f32(4))).code).toBe('ERR_DETACHED');
    expect(fault(() => kernel(shorter, f32(4), f32(4)))).toMatchObject({
      code: 'ERR_SHAPE',
      received: 'length 3',
    });
  });
  it('an empty array is not a detached one', () => {
    expect(reference(f32(0), f32(0), f32(0), { seqQ: 0 })).toHaveLength(0);
  });
  it('an array that an option getter or queryOffset detaches on the way', () => {
    const detach = (x: Float32Array): number => {
      structuredClone(x.buffer, { transfer: [x.buffer] });
      return 0;
    };
    const [a, b] = [f32(4), f32(4)];
    const getter = {
      get scale() {
        return detach(a);
      },
    };
    const options = Object.defineProperties({ ...shape }, Object.getOwnPropertyDescriptors(getter));
    expect(fault(() => attention(a, f32(4), f32(4), options)).code).toBe('ERR_DETACHED');
    const queryOffset = {
      length: 1,
      get 0() {
        return detach(b);
      },
    };
    expect(fault(() => kernel(b, f32(4), f32(4), { queryOffset })).code).toBe('ERR_DETACHED');
  });
});

describe('overlap (fault 18)', () => {
  const memory = new Float32Array(16);
  it('out and logSumExp, to the byte', () => {
    const out = memory.subarray(2, 6);
    for (const [start, overlaps] of [
      [0, false],
      [1, true],
      [2, true],
      [5, true],
      [6, false],
    ] as const) {
      const call = (): unknown =>
        kernel(f32(4), f32(4), f32(4), { out, logSumExp: memory.subarray(start, start + 2) });
      if (!overlaps) expect(call).not.toThrow();
      else {
        const error = fault(call);
        expect(error).toBeInstanceOf(HeedRangeError);
        expect(error.message).toBe(
          'attention: "out" expected memory of its own, got memory that "logSumExp" uses too [ERR_OVERLAP]',
        );
      }
    }
    const whole = new Float64Array(memory.buffer, 0, 2);
    expect(fault(() => reference(f32(4), f32(4), f32(4), { out, logSumExp: whole })).code).toBe(
      'ERR_OVERLAP',
    );
    const empty = memory.subarray(3, 3);
    expect(() =>
      kernel(f32(0), f32(4), f32(4), { seqQ: 0, seqK: 2, out: empty, logSumExp: empty }),
    ).not.toThrow();
  });
  it('out and inputs may', () => {
    const x = memory.subarray(0, 4);
    expect(() =>
      kernel(x, x, x, { out: memory.subarray(1, 5), logSumExp: memory.subarray(5, 7) }),
    ).not.toThrow();
    expect(() => kernel(x, f32(4), f32(4), { logSumExp: x.subarray(0, 2) })).not.toThrow();
  });
});

describe('nothing is written before the throw', () => {
  const faults: readonly object[] = [
    { seqQ: 3 },
    { scale: NaN },
    { casual: true },
    { kvHeads: 2 },
    { queryOffset: [0, 0], causal: true },
    { logSumExp: f32(3) },
    { headDim: 2 ** 32 },
    { layout: 'sbhd' },
  ];
  for (const more of faults) {
    it(JSON.stringify(more), () => {
      const arrays = [f32(4), f32(4), f32(4), f32(4), f32(2)] as const;
      const [q, k, v, out, logSumExp] = arrays;
      fault(() => reference(q, k, v, { out, logSumExp, ...more }));
      for (const each of arrays) expect(each.every((x) => x === 0.5)).toBe(true);
      const after = reference(q, k, v, { out, logSumExp }) as Float32Array;
      expect([...after]).toEqual([0.5, 0.5, 0.5, 0.5]);
    });
  }
  it('and no value of an array is in a message', () => {
    const secret = new Float32Array([123.25, 123.25, 123.25]);
    expect(fault(() => kernel(secret, secret, secret)).message).not.toContain('123');
    expect(fault(() => kernel([123.25], f32(4), f32(4))).message).not.toContain('123');
    expect(fault(() => kernel(f32(4), f32(4), f32(4), { queryOffset: [123.25] })).message).not.toContain(
      '123',
    );
  });
});
