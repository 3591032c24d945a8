/**
 * The faults of arguments through the real engine (docs/reliability.md, faults 1–13, 15, 16, 18, 19, 21, 41–44): one or two of a
 * kind, each with the proof that nothing is lost. Every single one, with its words, is in the other door tests.
 */
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { HeedRangeError, HeedTypeError, MultiHeadAttention, type Engine } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { normal } from './data.ts';
import { resizable, SharedBuffer } from './door.ts';
import { golden, pattern, refuses, watch, type Refusal, type Watch } from './nothing-lost.ts';

type Untyped = (...given: unknown[]) => unknown;

/** 2 heads of 4 on 1 key head, 3 queries, 5 keys. */
const good = { seqQ: 3, seqK: 5, heads: 2, kvHeads: 1, headDim: 4 };
const product = { M: 3, N: 5, K: 4 };
const weights = { wq: normal(24, 21), wk: normal(12, 22), wv: normal(12, 23), wo: normal(24, 24) };
const layerOptions = { modelDim: 3, heads: 2, kvHeads: 1, headDim: 4, weights };

const type = (code: Refusal['code'], arg: string): Refusal => ({ class: HeedTypeError, code, arg });
const range = (code: Refusal['code'], arg: string): Refusal => ({ class: HeedRangeError, code, arg });

function detached(length: number): Float32Array {
  const x = new Float32Array(length);
  structuredClone(x.buffer, { transfer: [x.buffer] });
  return x;
}

function shrunk(length: number): Float32Array {
  const buffer = resizable(4 * length);
  const x = new Float32Array(buffer, 0, length);
  buffer.resize(4 * length - 4);
  return x;
}

/** A subclass that lies about everything that can be lied about. */
class Lying extends Float32Array {
  override get length(): number {
    return 1e9;
  }
  override get byteLength(): number {
    return 4e9;
  }
  override get byteOffset(): number {
    return 8;
  }
  override subarray(): never {
    throw new Error('called');
  }
  override slice(): never {
    throw new Error('called');
  }
  override set(): never {
    throw new Error('called');
  }
  static get [Symbol.species](): never {
    throw new Error('asked');
  }
}

describe.each(builds)('%s', async (build) => {
  const engine: Engine = await engineOf(build);
  const layer = new MultiHeadAttention({ ...layerOptions, engine });
  const [q, k, v] = [normal(24, 1), normal(20, 2), normal(20, 3)];
  const [a, b, x] = [normal(12, 4), normal(20, 5), normal(9, 6)];
  const [out, logSumExp, c, y] = [pattern(24), pattern(6), pattern(15), pattern(9)];
  const watched: Watch = await watch(engine, q, k, v, a, b, x, out, logSumExp, c, y);

  const attend = (args: { q?: unknown; k?: unknown; v?: unknown }, more: object = {}): unknown => {
    const all = { q, k, v, ...args };
    const options = { ...good, out, logSumExp, ...more };
    return (engine.attention.bind(engine) as Untyped)(all.q, all.k, all.v, options);
  };
  const multiply = (args: { a?: unknown; b?: unknown }, more: object = {}): unknown => {
    const all = { a, b, ...args };
    return (engine.matmul.bind(engine) as Untyped)(all.a, all.b, { ...product, out: c, ...more });
  };
  const forward = (given: unknown, more: object = {}): unknown =>
    (layer.forward.bind(layer) as Untyped)(given, { seqQ: 3, out: y, ...more });

  afterAll(() => {
    layer.dispose();
    engine.dispose();
  });
  afterEach(() => {
    for (const key of ['scale', 'causal', 'mask', 'out']) Reflect.deleteProperty(Object.prototype, key);
  });

  const rows: readonly [fault: number, name: string, call: () => unknown, refusal: Refusal][] = [
    [1, 'a length that does not fit', () => attend({ k: normal(19, 1) }), range('ERR_SHAPE', 'k')],
    [1, 'in a matmul', () => multiply({}, { M: 2 }), range('ERR_SHAPE', 'a')],
    [1, 'in the layer', () => forward(normal(8, 1)), range('ERR_SHAPE', 'x')],
    [2, 'NaN', () => attend({}, { seqQ: NaN }), range('ERR_DIM', 'seqQ')],
    [2, 'Infinity', () => multiply({}, { K: Infinity }), range('ERR_DIM', 'K')],
    [3, 'a negative dimension', () => attend({}, { headDim: -1 }), range('ERR_DIM', 'headDim')],
    [4, '1.5', () => forward(x, { seqQ: 1.5 }), range('ERR_DIM', 'seqQ')],
    [5, '2³² + 8', () => multiply({}, { N: 2 ** 32 + 8 }), range('ERR_DIM', 'N')],
    [6, 'a bigint', () => attend({}, { heads: 2n }), type('ERR_ARG_TYPE', 'heads')],
    [7, "'64'", () => attend({}, { seqK: '5' }), type('ERR_ARG_TYPE', 'seqK')],
    [7, 'null', () => multiply({ b: null }), type('ERR_ARG_TYPE', 'b')],
    [7, 'undefined', () => forward(undefined), type('ERR_ARG_TYPE', 'x')],
    [8, 'Float64Array', () => attend({ q: new Float64Array(24) }), type('ERR_ARG_TYPE', 'q')],
    [8, 'an array', () => attend({ v: [...v] }), type('ERR_ARG_TYPE', 'v')],
    [8, 'Int8Array as out', () => multiply({}, { out: new Int8Array(15) }), type('ERR_ARG_TYPE', 'out')],
    [9, 'ArrayBuffer', () => attend({ k: k.buffer }), type('ERR_ARG_TYPE', 'k')],
    [12, 'a proxy', () => attend({ q: new Proxy(q, {}) }), type('ERR_ARG_TYPE', 'q')],
    [13, 'a transferred array', () => attend({ v: detached(20) }), type('ERR_DETACHED', 'v')],
    [13, 'as out', () => forward(x, { out: detached(9) }), type('ERR_DETACHED', 'out')],
    [15, 'a shrunk buffer', () => multiply({ b: shrunk(20) }), type('ERR_DETACHED', 'b')],
    [
      18,
      'out on logSumExp',
      () => attend({}, { logSumExp: out.subarray(3, 9) }),
      range('ERR_OVERLAP', 'out'),
    ],
    [19, 'out too small', () => attend({}, { out: out.subarray(1) }), range('ERR_SHAPE', 'out')],
    [19, 'out too large', () => multiply({}, { out: pattern(16) }), range('ERR_SHAPE', 'out')],
    [21, 'beyond 2³² bytes', () => attend({}, { batch: 2 ** 16, seqQ: 2 ** 16 }), range('ERR_SIZE', 'q')],
    [21, 'in a matmul', () => multiply({}, { M: 2 ** 31, N: 2 ** 31 }), range('ERR_SIZE', 'a')],
    [43, 'a misspelt option', () => attend({}, { casual: true }), type('ERR_UNKNOWN_OPTION', 'casual')],
    [43, 'in the layer', () => forward(x, { layout: 'bshd' }), type('ERR_UNKNOWN_OPTION', 'layout')],
  ];
  for (const [number, name, call, refusal] of rows) {
    it(`${number}: ${name}, ${refusal.code}`, () => {
      refuses(call, refusal, watched);
    });
  }

  describe('what passes', () => {
    const fresh = (): unknown => attend({}, { out: undefined });
    it('10: arrays of another realm, as input and as out', () => {
      const foreign = (from: Float32Array): Float32Array =>
        runInNewContext('new Float32Array(x)', { x: [...from] }) as Float32Array;
      const theirs = foreign(out);
      expect(theirs instanceof Float32Array).toBe(false);
      const result = attend({ q: foreign(q), k: foreign(k), v: foreign(v) }, { out: theirs });
      expect(result).toBe(theirs);
      expect([...theirs]).toEqual([...(fresh() as Float32Array)]);
    });
    it('11: a lying subclass is measured and copied by what it is', () => {
      const lies = new Lying(out);
      const result = attend({ q: new Lying(q), k: new Lying(k), v: new Lying(v) }, { out: lies });
      expect(result).toBe(lies);
      expect(new Float32Array(lies.buffer)).toEqual(fresh());
    });
    it('15: a view that tracks its buffer', () => {
      const buffer = resizable(80);
      const tracking = new Float32Array(buffer);
      tracking.set(k);
      expect(attend({ k: tracking }, { out: undefined })).toEqual(fresh());
    });
    it('16: shared memory, as input and as out', () => {
      const shared = (from: Float32Array): Float32Array => {
        const copy = new Float32Array(new SharedBuffer(from.byteLength));
        copy.set(from);
        return copy;
      };
      const theirs = shared(out);
      attend({ q: shared(q), k: shared(k), v: shared(v) }, { out: theirs });
      expect([...theirs]).toEqual([...(fresh() as Float32Array)]);
    });
    it('18: out may overlap every input, and the result is right', () => {
      for (const shift of [-3, 0, 3]) {
        const memory = new Float32Array(40).fill(NaN);
        const [mq, mk, mv] = [memory.subarray(8, 32), memory.subarray(6, 26), memory.subarray(10, 30)];
        for (const [view, values] of [
          [mq, q],
          [mk, k],
          [mv, v],
        ] as const) {
          memory.fill(NaN);
          view.set(values);
          const target = memory.subarray(8 + shift, 32 + shift);
          const given = view === mq ? { q: mq } : view === mk ? { k: mk } : { v: mv };
          expect(attend(given, { out: target })).toBe(target);
          expect(target).toEqual(fresh());
        }
        const bias = normal(5, 7);
        const wanted = multiply({}, { bias, out: undefined });
        for (const [name, values] of Object.entries({ a, b, bias })) {
          memory.fill(NaN);
          const view = memory.subarray(8, 8 + values.length);
          view.set(values);
          const target = memory.subarray(8 + shift, 23 + shift);
          expect(
            multiply({ a, b, [name]: view }, { bias, ...(name === 'bias' && { bias: view }), out: target }),
          ).toBe(target);
          expect(target).toEqual(wanted);
        }
      }
    });
    it('18: logSumExp may overlap an input', () => {
      const wanted = pattern(6);
      attend({}, { logSumExp: wanted, out: undefined });
      const memory = q.slice();
      expect(attend({ q: memory }, { logSumExp: memory.subarray(5, 11), out: undefined })).toEqual(fresh());
      expect(memory.subarray(5, 11)).toEqual(wanted);
    });
  });

  describe('options', () => {
    it('41: a getter that calls the engine changes nothing', () => {
      const wanted = attend({}, { scale: 0.3, out: undefined });
      const before = engine.memory.used;
      const options = {
        get scale(): number {
          expect(golden(engine)).toEqual(watched.fresh);
          return 0.3;
        },
        get queryOffset(): number {
          forward(x, { out: undefined });
          return 0;
        },
      };
      const given = Object.defineProperties({ ...good }, Object.getOwnPropertyDescriptors(options));
      expect(engine.attention(q, k, v, given)).toEqual(wanted);
      expect(engine.memory.used).toBe(before);
    });
    it('41: nor does an array-like that calls it while it is read', () => {
      const offsets = { causal: true, out: undefined, queryOffset: [1] };
      const wanted = attend({}, offsets);
      const queryOffset = {
        length: 1,
        get 0(): number {
          golden(engine);
          return 1;
        },
      };
      expect(attend({}, { ...offsets, queryOffset })).toEqual(wanted);
    });
    it('41: a getter that disposes of a tensor of the call', () => {
      const tensors = [
        engine.tensor([1, 3, 2, 4], q),
        engine.tensor([1, 5, 1, 4], k),
        engine.tensor([1, 5, 1, 4], v),
      ];
      const queryOffset = {
        length: 1,
        get 0(): number {
          tensors[1]!.dispose();
          return 1;
        },
      };
      const before = engine.memory.used;
      const call = (): unknown =>
        engine.attention(tensors[0]!, tensors[1]!, tensors[2]!, { causal: true, queryOffset });
      expect(call).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }) as Error);
      expect(engine.memory.used).toBe(before - 128);
      for (const each of tensors) each.dispose();
    });
    it('42: a polluted Object.prototype is not read', () => {
      const wanted = attend({}, { out: undefined });
      const product_ = multiply({}, { out: undefined });
      Object.assign(Object.prototype, { scale: 5, causal: true, mask: 1, out: new Float32Array(24) });
      expect(engine.attention(q, k, v, good)).toEqual(wanted);
      expect(engine.matmul(a, b, product)).toEqual(product_);
      expect(golden(engine)).toEqual(watched.fresh);
    });
    it('44: what a getter throws passes through, and nothing is lost', () => {
      const mine = new Error('mine');
      const options = {
        ...good,
        out,
        get scale(): number {
          throw mine;
        },
      };
      const before = [engine.memory.used, out.slice()];
      expect(() => engine.attention(q, k, v, options)).toThrow(mine);
      expect([engine.memory.used, out]).toEqual(before);
      expect(golden(engine)).toEqual(watched.fresh);
    });
  });
});
