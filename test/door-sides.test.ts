/**
 * The side inputs of attention at a real engine's door: tensors and views as bias, alibi and sinks, overlap, memory that is
 * gone, code of the caller; and that nothing is lost by any of it (docs/reliability.md, faults 12–18, 41, 42, 44, 71–73).
 */
import { describe, expect, it } from 'vitest';
import { PLAIN } from '../src/checks/index.ts';
import type { Engine, HeedError } from '../src/index.ts';
import { resolveAttention } from '../src/options/attention.ts';
import { builds, engineOf } from './builds.ts';
import { f32, normal } from './data.ts';
import { good, packed, resizable, resolve } from './door.ts';
import { fault, pattern, refuses, refusesEach, watch, type Refusal } from './nothing-lost.ts';
import { refusal } from './refusals.ts';

const u8 = (n: number): Uint8Array => new Uint8Array(n).fill(1);
const i32 = (...starts: number[]): Int32Array => Int32Array.of(...starts);

type Untyped = (...given: unknown[]) => unknown;

it('an asynchronous call knows one option more, an object within its options does not (fault 43)', () => {
  const later = (given: object): HeedError =>
    fault(() => resolveAttention('attentionAsync', PLAIN, f32(4), f32(4), f32(4), given));
  const { hint, expected } = later({ sginal: 1 });
  expect(hint).toBe('did you mean "signal"?');
  expect(expected).toMatch(/^one of batch, .*, logSumExp, signal$/);
  expect(later({ seqQ: 2, headDim: 2, mask: { data: u8(4), sginal: 1 } }).message).toBe(
    'attentionAsync: "mask.sginal" expected one of data, shape, got an unknown option [ERR_UNKNOWN_OPTION]',
  );
});

describe('memory that is gone (faults 13, 15), and code of the caller (faults 41, 44)', () => {
  const sides: readonly [string, ArrayBufferView][] = [
    ['mask', u8(15)],
    ['bias', f32(15)],
    ['alibi', f32(2)],
    ['sinks', f32(2)],
    ['keyLengths', new Int32Array(2)],
    ['window', new Int32Array(2)],
  ];
  it.each(sides)('a transferred %s', (name, x) => {
    expect(() => resolve(good, { [name]: x })).not.toThrow();
    structuredClone(x.buffer, { transfer: [x.buffer] });
    const kind = (x as unknown as { [Symbol.toStringTag]: string })[Symbol.toStringTag];
    expect(fault(() => resolve(good, { [name]: x })).message).toBe(
      `attention: "${name}" expected ${kind} on a live buffer, got one whose buffer was transferred, or shrunk below it [ERR_DETACHED]`,
    );
    if (name !== 'mask' && name !== 'bias') return;
    const inside = { [name]: { data: x, shape: [1, 1, 3, 5] } };
    expect(fault(() => resolve(good, inside))).toMatchObject({ code: 'ERR_DETACHED', arg: `${name}.data` });
  });
  it('an array is one, whatever fields it was given', () => {
    const mask = Object.assign(u8(15), { data: f32(1), shape: [1, 1, 1, 1] });
    expect(resolve(good, { mask }).mask?.data.value).toBe(mask);
  });
  it('a mask on a buffer that shrank, cuSeqlensQ that went', () => {
    const memory = resizable(30);
    const mask = new Uint8Array(memory, 15);
    const fixed = new Uint8Array(memory, 15, 15);
    expect(() => resolve(good, { mask })).not.toThrow();
    memory.resize(10);
    for (const each of [mask, fixed])
      expect(fault(() => resolve(good, { mask: each })).code).toBe('ERR_DETACHED');
    const cuSeqlensQ = i32(0, 2, 6);
    structuredClone(cuSeqlensQ.buffer, { transfer: [cuSeqlensQ.buffer] });
    expect(fault(() => resolve(packed, { cuSeqlensQ }))).toMatchObject({
      code: 'ERR_DETACHED',
      arg: 'cuSeqlensQ',
    });
  });
  it('a list that detaches the mask while it is read', () => {
    const mask = u8(15);
    const keyLengths = {
      length: 2,
      get 0(): number {
        structuredClone(mask.buffer, { transfer: [mask.buffer] });
        return 1;
      },
      1: 1,
    };
    const given = { ...good, mask, keyLengths };
    const call = (): unknown => resolveAttention('attention', PLAIN, f32(48), f32(40), f32(40), given);
    expect(fault(call)).toMatchObject({ code: 'ERR_DETACHED', arg: 'mask' });
  });
  it('each getter and element is asked once, and what it throws passes through', () => {
    const asked: string[] = [];
    const watched = (name: string, fields: object): object => {
      const entries = Object.entries(fields).map(([key, value]: [string, unknown]) => {
        return [key, { get: () => (asked.push(`${name}.${key}`), value), enumerable: true }] as const;
      });
      return Object.defineProperties({}, Object.fromEntries(entries));
    };
    const list = (name: string, a: number, b: number): object => watched(name, { length: 2, 0: a, 1: b });
    const shape = watched('shape', { length: 4, 0: 1, 1: 1, 2: 3, 3: 5 });
    const given = watched('options', {
      ...good,
      ...{ window: list('window', 1, 2), keyLengths: list('keyLengths', 4, 5) },
      ...{ queryOffset: list('queryOffset', 0, 1), mask: watched('mask', { data: u8(15), shape }) },
      ...{ bias: f32(15), softcap: 3, alibi: f32(2), sinks: f32(2) },
    });
    resolveAttention('attention', PLAIN, f32(48), f32(40), f32(40), given);
    expect(new Set(asked).size).toBe(asked.length);
    expect(asked).toHaveLength(14 + 3 + 3 + 3 + 2 + 5);
    const mine = new Error('mine');
    const throwing = {
      get data(): never {
        throw mine;
      },
      shape: [1, 1, 3, 5],
    };
    expect(() =>
      resolveAttention('attention', PLAIN, f32(48), f32(40), f32(40), { ...good, mask: throwing }),
    ).toThrow(mine);
  });
  it('a polluted Object.prototype gives no mask its data', () => {
    Object.defineProperty(Object.prototype, 'data', { value: u8(15), configurable: true });
    const call = (): unknown => resolve(good, { mask: { shape: [1, 1, 3, 5] } });
    try {
      expect(fault(call)).toMatchObject({ arg: 'mask.data', received: 'undefined' });
    } finally {
      Reflect.deleteProperty(Object.prototype, 'data');
    }
  });
});

describe.each(builds)('%s', (build) => {
  /** An engine, and q, k, v of `good` as tensors. */
  const open = async () => {
    const engine: Engine = await engineOf(build);
    const tensor = (seq: number, heads: number, seed: number) =>
      engine.tensor([2, seq, heads, 4], normal(8 * seq * heads, seed));
    return { engine, q: tensor(3, 2, 1), k: tensor(5, 1, 2), v: tensor(5, 1, 3) };
  };

  it('packed sequences: inputs, outputs and memory are as they were (faults 71, 73)', async () => {
    const engine = await engineOf(build);
    const given = [normal(48, 1), normal(28, 2), normal(28, 3)] as const;
    const outputs = { out: pattern(48), logSumExp: pattern(12) };
    const [mask, bias, alibi] = [u8(15), f32(15), f32(2)];
    const watched = await watch(engine, ...given, ...Object.values(outputs), mask, bias, alibi);
    const beside = 'undefined beside packed sequences (cuSeqlensQ), got a value';
    const faults: readonly (readonly [object, string, Refusal['code'], string])[] = [
      ...['batch', 'seqQ', 'seqK'].map((name) => [{ [name]: 2 }, name, 'ERR_OPTION', beside] as const),
      [{ mask }, 'mask', 'ERR_OPTION', beside],
      [{ bias }, 'bias', 'ERR_OPTION', beside],
      [{ keyLengths: [5, 2] }, 'keyLengths', 'ERR_OPTION', beside],
      [
        ...([{ layout: 'bhsd' }, 'layout', 'ERR_OPTION'] as const),
        "'bshd' beside packed sequences (cuSeqlensQ), got 'bhsd'",
      ],
      [
        ...([{ cuSeqlensQ: i32(0, 4, 2) }, 'cuSeqlensQ[2]', 'ERR_RANGE'] as const),
        'an integer from 4 to 2147483647, got 2',
      ],
      [{ cuSeqlensK: i32(0, 7) }, 'cuSeqlensK', 'ERR_SHAPE', 'length 3, as cuSeqlensQ, got length 2'],
    ];
    const calls = ['attention', 'attentionAsync'] as const;
    await refusesEach(
      calls.flatMap((op) =>
        faults.map(([more, arg, code, words]) => ({
          call: () =>
            (engine[op].bind(engine) as Untyped)(...given, { ...packed, ...outputs, alibi, ...more }),
          refusal: refusal(op, arg, code, words),
        })),
      ),
      watched,
    );
    const words = 'undefined, got packed sequences — call it for each sequence';
    const weights = (): unknown => (engine.attentionWeights.bind(engine) as Untyped)(...given, packed);
    refuses(weights, refusal('attentionWeights', 'cuSeqlensQ', 'ERR_OPTION', words), watched);
    engine.dispose();
  });

  it('tensors as side inputs have their own shape', async () => {
    const { engine, q, k, v } = await open();
    const attention = engine.attention.bind(engine) as Untyped;
    const [alibi, sinks] = [engine.tensor([2], f32(2)), engine.tensor([2], f32(2))];
    const [row, wide] = [engine.tensor([1, 2, 1, 5], f32(10)), engine.tensor([2, 2, 3, 5], f32(60))];
    const watched = await watch(engine, q, k, v, alibi, sinks, row, wide);
    for (const bias of [row, wide, { data: row, shape: [1, 2, 1, 5] }, f32(15)]) {
      expect(() => attention(q, k, v, { bias, alibi, sinks })).not.toThrow();
    }
    const sizes = '[batch 2 or 1, heads 2 or 1, seqQ 3 or 1, seqK 5 or 1]';
    const faults: readonly [object, string, string][] = [
      [{ bias: engine.tensor([3, 5]) }, 'bias', `${sizes}, got [3, 5]`],
      [{ bias: engine.tensor([1, 1, 5, 3]) }, 'bias', `${sizes}, got [1, 1, 5, 3]`],
      [
        { bias: { data: row, shape: [1, 1, 1, 5] } },
        'bias.data',
        'shape [1, 1, 1, 5] (batch × heads × seqQ × seqK), got shape [1, 2, 1, 5]',
      ],
      [{ alibi: engine.tensor([1, 2]) }, 'alibi', 'shape [2] (heads), got shape [1, 2]'],
      [{ sinks: engine.tensor([3]) }, 'sinks', 'shape [2] (heads), got shape [3]'],
      [{ sinks: row }, 'sinks', 'shape [2] (heads), got shape [1, 2, 1, 5]'],
    ];
    for (const [more, arg, words] of faults) {
      const wrong = refusal('attention', arg, 'ERR_SHAPE', words);
      refuses(() => attention(q, k, v, more), wrong, watched);
    }
    engine.dispose();
  });

  it('a tensor is no mask: its floats are not bytes (fault 72)', async () => {
    const { engine, q, k, v } = await open();
    const attention = engine.attention.bind(engine) as Untyped;
    const floats = engine.tensor([1, 1, 3, 5], f32(15).fill(1));
    const watched = await watch(engine, q, k, v, floats);
    const mask = refusal('attention', 'mask', 'ERR_ARG_TYPE', 'Uint8Array or { data, shape }, got Tensor');
    refuses(() => attention(q, k, v, { mask: floats }), mask, watched);
    const inside = { mask: { data: floats, shape: [1, 1, 3, 5] } };
    const data = refusal('attention', 'mask.data', 'ERR_ARG_TYPE', 'Uint8Array, got Tensor');
    refuses(() => attention(q, k, v, inside), data, watched);
    // Bytes are bytes, be they the engine's own: a view of a tensor is read where it lies.
    const bytes = new Uint8Array(floats.data.buffer, floats.data.byteOffset, 15);
    expect(attention(q, k, v, { mask: bytes.slice() })).toMatchObject({
      data: (attention(q, k, v, { mask: bytes }) as { data: Float32Array }).data,
    });
    engine.dispose();
  });

  it('proxies, without running their code (fault 12)', async () => {
    const { engine, q, k, v } = await open();
    const attention = engine.attention.bind(engine) as Untyped;
    const watched = await watch(engine, q, k, v);
    const gone = Proxy.revocable({}, {});
    gone.revoke();
    const trap = (): never => {
      throw new Error('ran');
    };
    const hostile = new Proxy(
      {},
      { get: trap, has: trap, getPrototypeOf: trap, getOwnPropertyDescriptor: trap },
    );
    const kind = (arg: string, words: string): Refusal =>
      refusal('attention', arg, 'ERR_ARG_TYPE', `${words}, got object`);
    for (const [arg, words] of [
      ['mask', 'Uint8Array or { data, shape }'],
      ['bias', 'Float32Array or { data, shape }'],
      ['alibi', 'Float32Array'],
      ['sinks', 'Float32Array'],
    ] as const) {
      for (const x of [gone.proxy, hostile]) {
        refuses(() => attention(q, k, v, { [arg]: x }), kind(arg, words), watched);
      }
    }
    for (const [at, arg] of ['q', 'k', 'v'].entries()) {
      const given = [q, k, v].map((x, i) => (i === at ? gone.proxy : x));
      const words = at === 0 ? 'Float32Array' : 'Tensor, as "q" is';
      refuses(() => attention(...given), kind(arg, words), watched);
    }
    engine.dispose();
  });

  it('out may lie on no side input (fault 18)', async () => {
    const engine = await engineOf(build);
    const attention = engine.attention.bind(engine) as Untyped;
    // One head of one: out and a full bias have one shape, [1, 2, 1, 1] and [1, 1, 2, 1].
    const same = engine.tensor([1, 1, 1, 1], f32(1));
    const [q, k] = [engine.tensor([1, 1, 1, 1], f32(1)), engine.tensor([1, 1, 1, 1], f32(1))];
    const watched = await watch(engine, same, q, k);
    const onto = (arg: string): Refusal => {
      const words = `memory of its own, got memory that "${arg}" uses too`;
      return refusal('attention', 'out', 'ERR_OVERLAP', words);
    };
    const data = { bias: { data: same, shape: [1, 1, 1, 1] } };
    refuses(() => attention(q, k, k, { out: same, bias: same }), onto('bias'), watched);
    refuses(() => attention(q, k, k, { out: same, ...data }), onto('bias.data'), watched);
    for (const arg of ['bias', 'alibi', 'sinks', 'logSumExp']) {
      refuses(() => attention(q, k, k, { out: same, [arg]: same.data }), onto(arg), watched);
    }
    engine.dispose();
  });

  it('arrays may: side inputs are copied first', async () => {
    const engine = await engineOf(build);
    const [q, k, v] = [normal(48, 1), normal(40, 2), normal(40, 3)];
    const memory = normal(64, 4);
    const at = { bias: 0, alibi: 20, sinks: 40 };
    const sides = (x: Float32Array): object => ({
      bias: x.subarray(at.bias, 15),
      alibi: x.subarray(at.alibi, 22),
      sinks: x.subarray(at.sinks, 42),
    });
    const attention = engine.attention.bind(engine) as Untyped;
    const wanted = attention(q, k, v, { ...good, ...sides(memory.slice()) });
    const out = memory.subarray(10, 58);
    expect(attention(q, k, v, { ...good, ...sides(memory), out })).toBe(out);
    expect(out).toEqual(wanted);
    const mask = new Uint8Array(memory.buffer, 44, 15);
    const bytes = mask.slice();
    const masked = attention(q, k, v, { ...good, mask: bytes });
    expect(attention(q, k, v, { ...good, mask, out })).toEqual(masked);
    engine.dispose();
  });

  it('side inputs on the engine’s memory are read where they lay, in the call that grows it too', async () => {
    const engine = await engineOf(build);
    const [q, n] = [normal(8, 1), 2 ** 18];
    const [k, v] = [normal(4 * n, 2), normal(4 * n, 3)];
    const [bias, sinks] = [normal(n, 4), f32(1)];
    const bytes = Float32Array.from({ length: n / 4 }, (_, i) => (i % 3 === 0 ? 0 : 1));
    const mask = new Uint8Array(bytes.buffer);
    const shape = [1, 1, 1, n] as const;
    const dims = { seqQ: 2, seqK: n, headDim: 4 };
    const options = { ...dims, mask: { data: mask, shape }, bias: { data: bias, shape }, sinks };
    const other = await engineOf(build);
    const wanted = other.attention(q, k, v, options);
    const [B, M, S] = [engine.tensor([n], bias), engine.tensor([n / 4], bytes), engine.tensor([1], sinks)];
    const { reserved } = engine.memory;
    const given = {
      mask: { data: new Uint8Array(M.data.buffer, M.data.byteOffset, n), shape },
      bias: { data: B.data, shape },
      sinks: S.data,
    };
    expect(engine.attention(q, k, v, { ...dims, ...given })).toEqual(wanted);
    expect(engine.memory.reserved).toBeGreaterThan(reserved);
    for (const each of [engine, other]) each.dispose();
  });
});
