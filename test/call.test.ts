/**
 * What a call takes and gives back (src/call.ts) where it waits, or where JavaScript refuses: memory of the engine, arrays for results,
 * another turn of the event loop.
 *
 * @node it takes setTimeout and arrays from the realm that it runs in
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Tensor } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { normal } from './data.ts';
import { fault, matches, refuses, rejects, watch, type Refusal } from './nothing-lost.ts';
import { disposed, sentence } from './refusals.ts';

const shape = { M: 3, N: 5, K: 2 };
const [a, b] = [normal(6, 1), normal(10, 2)];

afterEach(() => {
  vi.unstubAllGlobals();
});

describe.each(builds)('%s', (build) => {
  it('JavaScript has no room for a result: ERR_MEMORY_LIMIT, and the engine goes on', async () => {
    const engine = await engineOf(build);
    const expected = engine.matmul(a, b, shape);
    const watched = await watch(engine, a, b);
    const cause = new RangeError('Array buffer allocation failed');
    const { Float32Array: Floats } = globalThis;
    const refusing = new Proxy(Floats, {
      construct(target, given: [number], own) {
        if (given[0] === 15) throw cause;
        return Reflect.construct(target, given, own as typeof Floats) as Float32Array;
      },
    });
    const { limit, used: inUse } = engine.memory;
    const words = 'JavaScript has no room for a result of 60 bytes';
    /** The call, where arrays of 15 floats are refused. */
    const during = <T>(call: () => T): T => {
      vi.stubGlobal('Float32Array', refusing);
      try {
        return call();
      } finally {
        vi.unstubAllGlobals();
      }
    };
    const told = (op: string): Refusal => {
      return { ...sentence(op, 'ERR_MEMORY_LIMIT', words), needed: 60, limit, cause };
    };
    refuses(() => during(() => engine.matmul(a, b, shape)), { ...told('matmul'), inUse }, watched);
    await rejects(() => during(() => engine.matmulAsync(a, b, shape)), told('matmulAsync'), watched);
    expect(engine.matmul(a, b, shape)).toEqual(expected);
    engine.dispose();
  });

  it('a realm without setTimeout: an asynchronous call of one thread is done, all the same', async () => {
    const engine = await engineOf(build);
    const expected = engine.matmul(a, b, shape);
    const { setTimeout: own } = globalThis;
    Reflect.deleteProperty(globalThis, 'setTimeout');
    try {
      expect(await engine.matmulAsync(a, b, shape)).toEqual(expected);
    } finally {
      globalThis.setTimeout = own;
    }
    engine.dispose();
  });

  it('an asynchronous call of one thread lets another turn of the event loop come first', async () => {
    const engine = await engineOf(build);
    let turned = false;
    setTimeout(() => {
      turned = true;
    }, 0);
    await engine.matmulAsync(a, b, shape);
    expect(turned).toBe(true);
    engine.dispose();
  });

  it('a packed matrix that is disposed of as the options are read: ERR_DISPOSED', async () => {
    const engine = await engineOf(build);
    const packed = engine.packMatrix(b, { K: 2, N: 5 });
    const options = {
      get M() {
        packed.dispose();
        return 3;
      },
    };
    matches(
      fault(() => engine.matmul(a, packed, options)),
      disposed('matmul', 'b', 'packed matrix'),
    );
    expect(engine.memory.used).toBe(0);
    engine.dispose();
  });

  it.each(['q', 'k', 'v', 'out', 'logSumExp'])(
    '%s that is disposed of as the options are read',
    async (arg) => {
      const engine = await engineOf(build);
      const [q, k, v] = ['q', 'k', 'v'].map((_, i) => engine.tensor([1, 2, 1, 2], normal(4, i))) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      const [out, logSumExp] = [engine.tensor([1, 2, 1, 2]), engine.tensor([1, 1, 2])];
      const given = { q, k, v, out, logSumExp };
      const options = {
        out,
        logSumExp,
        get scale() {
          given[arg as keyof typeof given].dispose();
          return 1;
        },
      };
      matches(
        fault(() => engine.attention(q, k, v, options)),
        disposed('attention', arg, 'tensor'),
      );
      engine.dispose();
    },
  );

  it('an array takes the logSumExp of tensors', async () => {
    const engine = await engineOf(build);
    const arrays = [normal(24, 1), normal(24, 2), normal(24, 3)] as const;
    const shape = { batch: 2, heads: 2, seqQ: 3, headDim: 2 };
    const [wanted, logSumExp] = [new Float32Array(12), new Float32Array(12)];
    engine.attention(...arrays, { ...shape, logSumExp: wanted });
    const [q, k, v] = arrays.map((each) => engine.tensor([2, 3, 2, 2], each)) as [Tensor, Tensor, Tensor];
    engine.attention(q, k, v, { logSumExp });
    expect(logSumExp).toEqual(wanted);
    engine.dispose();
  });

  it('a view that an asynchronous call writes holds its tensor, though that is disposed of meanwhile', async () => {
    const engine = await engineOf(build);
    const expected = engine.matmul(a, b, shape);
    const tensor = engine.tensor([15]);
    const out = tensor.data;
    const later = engine.matmulAsync(a, b, { ...shape, out });
    const { used } = engine.memory;
    tensor.dispose();
    expect(engine.memory.used).toBe(used);
    expect(await later).toBe(out);
    expect(out).toEqual(expected);
    expect(engine.memory.used).toBe(0);
    engine.dispose();
  });
});
