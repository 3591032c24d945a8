/**
 * What a call takes and gives back (src/call.ts) where it waits, where JavaScript refuses, or where the user's code is run on the way:
 * memory of the engine, arrays for results, another turn of the event loop, operands that are disposed of behind the door.
 *
 * @node it takes setTimeout and arrays from the realm that it runs in
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Engine, Tensor } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { normal } from './data.ts';
import { fault, matches, refuses, rejection, rejects, watch, type Refusal } from './nothing-lost.ts';
import { disposed, sentence } from './refusals.ts';

const shape = { M: 3, N: 5, K: 2 };
const [a, b] = [normal(6, 1), normal(10, 2)];

/** Two queries and two keys of one head, two wide. */
function three(engine: Engine): [q: Tensor, k: Tensor, v: Tensor] {
  const of = (seed: number): Tensor => engine.tensor([1, 2, 1, 2], normal(4, seed));
  return [of(1), of(2), of(3)];
}

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
      const [q, k, v] = three(engine);
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

  it.each(['q', 'k', 'v'])('%s that an element of a list disposes of, behind the door', async (arg) => {
    const engine = await engineOf(build);
    const [q, k, v] = three(engine);
    const given = { q, k, v };
    const queryOffset = {
      length: 1,
      get 0() {
        given[arg as keyof typeof given].dispose();
        return 0;
      },
    };
    const call = () => engine.attention(q, k, v, { causal: true, queryOffset });
    matches(fault(call), disposed('attention', arg, 'tensor'));
    engine.dispose();
  });

  it('rope: x that an element of a list disposes of, behind the door', async () => {
    const engine = await engineOf(build);
    const x = engine.tensor([1, 2, 1, 2], normal(4, 1));
    const offset = {
      length: 1,
      get 0() {
        x.dispose();
        return 0;
      },
    };
    matches(
      fault(() => engine.rope(x, { offset })),
      disposed('rope', 'x', 'tensor'),
    );
    engine.dispose();
  });

  it.each(['a', 'b', 'bias', 'packed'])('%s that the signal disposes of, behind the door', async (which) => {
    const engine = await engineOf(build);
    const given = {
      a: engine.tensor([3, 2], a),
      b: engine.tensor([2, 5], b),
      bias: engine.tensor([5]),
      packed: engine.packMatrix(b, { K: 2, N: 5 }),
    };
    const signal = {
      ...{ aborted: false, reason: undefined, addEventListener() {}, removeEventListener() {} },
      throwIfAborted() {
        given[which as keyof typeof given].dispose();
      },
    } as unknown as AbortSignal;
    const { bias } = given;
    const isPacked = which === 'packed';
    const call = engine.matmulAsync(given.a, isPacked ? given.packed : given.b, { bias, signal });
    const [arg, what] = isPacked ? ['b', 'packed matrix'] : [which, 'tensor'];
    matches(await rejection(call), disposed('matmulAsync', arg, what));
    engine.dispose();
  });

  it('packed sequences, a short and a long one: what is in a hidden key is not seen', async () => {
    const engine = await engineOf(build);
    const [q, k, v] = [normal(168, 1), normal(168, 2), normal(168, 3)];
    const options = { cuSeqlensQ: Int32Array.of(0, 2, 42), headDim: 4, causal: true };
    const wanted = engine.attention(q, k, v, options);
    v.fill(NaN, 4, 8);
    const out = engine.attention(q, k, v, options);
    expect(out.subarray(0, 4)).toEqual(v.subarray(0, 4));
    expect(out.subarray(4, 8)).toEqual(new Float32Array(4).fill(NaN));
    expect(out.subarray(8)).toEqual(wanted.subarray(8));
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
