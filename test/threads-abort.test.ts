/**
 * Asynchronous calls that are aborted, and engines that are disposed of meanwhile (docs/reliability.md, faults 41, 45, 51), on workers and
 * on an engine of one thread: each promise settles, once, and the calls behind are right.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createEngine, type Engine, type HeedError, type MultiHeadAttention } from '../src/index.ts';
import { takeSignal } from '../src/options/signal.ts';
import {
  a,
  asked,
  b,
  callsOf,
  k,
  layerOf,
  names,
  product,
  q,
  shape,
  turn,
  v,
  x,
  type Calls,
} from './async-calls.ts';
import { f32 } from './data.ts';
import { FaultyWorkers } from './faulty-workers.ts';
import {
  fault,
  losesNothing,
  matches,
  passesOn,
  refuses,
  rejects,
  watch,
  type Watch,
} from './nothing-lost.ts';
import { KNOWN } from './operations.ts';
import { ended, refusal, terminated, unknownOption } from './refusals.ts';
import { expectSameBits } from './problems.ts';

/** How many of those who have listened to a signal since now are not done with it. */
function listening(signal: AbortSignal): () => number {
  const added = vi.spyOn(signal, 'addEventListener');
  const removed = vi.spyOn(signal, 'removeEventListener');
  return () => {
    const gone = removed.mock.calls.map(([, listener]) => listener);
    return added.mock.calls.filter(([, listener]) => !gone.includes(listener)).length;
  };
}

/** All that a signal is asked for. */
const WHOLE = {
  aborted: false,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
  throwIfAborted: () => undefined,
};

describe('the signal among options', () => {
  it('undefined is none, and the others stay as they are', () => {
    const others = { seqQ: 2, out: f32(4) };
    expect(takeSignal('test', { ...others, signal: undefined })).toEqual({ signal: undefined, rest: others });
    const { signal } = new AbortController();
    expect(takeSignal('test', { ...others, signal })).toEqual({ signal, rest: others });
    expect(takeSignal('test', others)).toEqual({ signal: undefined, rest: others });
  });
  it('what is no object is left to those who read options', () => {
    for (const rest of [undefined, null, 3, 'signal']) {
      expect(takeSignal('test', rest)).toEqual({ signal: undefined, rest });
    }
  });
  it('is whatever has all that it is asked for', () => {
    expect(takeSignal('test', { signal: WHOLE }).signal).toBe(WHOLE);
  });
  it('what is none is told by its kind', () => {
    for (const [signal, kind] of [
      [null, 'null'],
      [{ aborted: false }, 'object'],
      [{ ...WHOLE, aborted: 0 }, 'object'],
      [Object.assign(() => undefined, WHOLE), 'function'],
      [() => undefined, 'function'],
    ] as const) {
      expect(fault(() => takeSignal('test', { signal })).message).toBe(
        `test: "signal" expected AbortSignal, got ${kind} [ERR_ARG_TYPE]`,
      );
    }
  });
});

describe.each([1, 2, 5])('%i threads', (threads) => {
  const workers = new FaultyWorkers();
  let engine: Engine;
  let layer: MultiHeadAttention;
  let calls: Calls;
  let expected: Record<keyof Calls, Float32Array>;
  let watched: Watch;
  let used: number;

  beforeAll(async () => {
    ({ engine, layer, calls, expected } = asked(await workers.engine({ threads })));
    watched = await watch(engine, q, k, v, a, b, x);
    used = engine.memory.used;
  });
  afterEach(() => {
    expect(engine.memory.used).toBe(used);
  });
  afterAll(() => {
    engine.dispose();
  });

  describe('signal (fault 45)', () => {
    it.each(names)('misspelt is told by name: %s', async (name) => {
      const misspelt = unknownOption(`${name}Async`, 'sginal', KNOWN[name], 'signal');
      await rejects(() => calls[name]({ sginal: AbortSignal.abort() }), misspelt, watched);
    });
    it.each(names)('aborted before, at once, later, after: %s', async (name) => {
      for (const reason of [undefined, new Error('mine'), 'a word']) {
        const before = AbortSignal.abort(reason);
        await passesOn(before.reason, () => calls[name]({ signal: before }), watched);
        const abortedAfter = async (turns: number): Promise<void> => {
          const controller = new AbortController();
          const left = listening(controller.signal);
          const [first, second, behind] = [
            calls[name](),
            calls[name]({ signal: controller.signal }),
            calls.matmul(),
          ];
          const result = second.catch((error: unknown) => error);
          for (let i = 0; i < turns; i++) await turn();
          controller.abort(reason);
          const came = await result;
          if (came instanceof Float32Array) expectSameBits(came, expected[name]);
          else expect(came).toBe(controller.signal.reason);
          if (turns === 0) expect(came).toBe(controller.signal.reason);
          expectSameBits(await first, expected[name]);
          expectSameBits(await behind, expected.matmul);
          expect(left()).toBe(0);
        };
        for (const turns of [0, 1, 2]) await losesNothing(() => abortedAfter(turns), watched);
        const controller = new AbortController();
        const left = listening(controller.signal);
        expectSameBits(await calls[name]({ signal: controller.signal }), expected[name]);
        expect(left()).toBe(0);
        controller.abort(reason);
        expectSameBits(await calls[name](), expected[name]);
      }
    });
    it('a call from inside an abort handler, of either kind', async () => {
      for (const [i, name] of names.entries()) {
        const controller = new AbortController();
        const { signal } = controller;
        const inside: Promise<Float32Array>[] = [];
        const handler = (): void => {
          expectSameBits(engine.attention(q, k, v, shape), expected.attention);
          inside.push(calls.forward());
        };
        // Before the engine's own handler, and behind it.
        if (i > 0) signal.addEventListener('abort', handler);
        await losesNothing(async () => {
          const aborted = calls[name]({ signal });
          const behind = calls.matmul();
          if (i !== 1) signal.addEventListener('abort', handler);
          controller.abort();
          await expect(aborted).rejects.toBe(signal.reason);
          expectSameBits(await behind, expected.matmul);
          expect(inside.length).toBeGreaterThan(0);
          for (const each of inside) expectSameBits(await each, expected.forward);
        }, watched);
      }
    });
    it('the caller’s thread does nothing of the call behind one that is aborted', async () => {
      const { own } = workers;
      for (let i = 0; i < 20; i++) {
        const controller = new AbortController();
        const first = calls.attention({ signal: controller.signal });
        const second = calls.attention();
        controller.abort();
        await expect(first).rejects.toBe(controller.signal.reason);
        expectSameBits(await second, expected.attention);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      expect(workers.own).toBe(own);
    });
    it('of another kind is ERR_ARG_TYPE; a synchronous call has none', async () => {
      const deaf = { aborted: false, addEventListener: () => undefined, throwIfAborted: () => undefined };
      const objects = [{}, { aborted: false }, deaf, new AbortController()];
      for (const [signal, kind] of [
        [null, 'null'],
        [1, 'number'],
        ['x', 'string'],
        ...objects.map((each) => [each, 'object'] as const),
      ] as const) {
        for (const name of names) {
          const words = `AbortSignal, got ${kind}`;
          const wrong = refusal(`${name}Async`, 'signal', 'ERR_ARG_TYPE', words);
          await rejects(() => calls[name]({ signal }), wrong, watched);
        }
      }
      const { signal } = new AbortController();
      const forward = { seqQ: 60, signal } as { seqQ: number };
      const uses = {
        attention: () => engine.attention(q, k, v, { ...shape, signal } as typeof shape),
        matmul: () => engine.matmul(a, b, { ...product, signal } as typeof product),
        forward: () => layer.forward(x, forward),
      };
      for (const name of names) refuses(uses[name], unknownOption(name, 'signal', KNOWN[name]), watched);
    });
  });
});

describe.each([1, 3])('dispose() of an engine of %i threads', (threads) => {
  it.each([0, 1, 3])('after %i turns of the loop: each call settles, once (fault 51)', async (turns) => {
    const engine = await createEngine({ threads, maxMemory: 2 ** 26 });
    const calls = callsOf(engine, layerOf(engine));
    const expected = engine.matmul(a, b, product);
    let settled = 0;
    const controller = new AbortController();
    const results = Array.from({ length: 9 }, async (_, i) => {
      const each = i % 3 === 1 ? calls.matmul({ signal: controller.signal }) : calls[names[i % 3]!]();
      return each.catch((error: unknown) => error).finally(() => settled++);
    });
    for (let i = 0; i < turns; i++) await turn();
    engine.dispose();
    engine.dispose();
    controller.abort();
    for (const [i, each] of (await Promise.all(results)).entries()) {
      if (each instanceof Float32Array) {
        if (i % 3 === 1) expectSameBits(each, expected);
      } else if (threads > 1 || i % 3 !== 1) matches(each as HeedError, terminated(`${names[i % 3]!}Async`));
    }
    expect(settled).toBe(9);
    expect(engine.memory.used).toBe(0);
    const other = await createEngine({ threads: 1 });
    const all = await watch(other, q, k, v, a, b, x);
    await rejects(() => calls.matmul(), ended('matmulAsync', 'engine'), all);
    other.dispose();
  });
  it('in an abort handler, and what was aborted then', async () => {
    const engine = await createEngine({ threads, maxMemory: 2 ** 26 });
    const calls = callsOf(engine, layerOf(engine));
    const controller = new AbortController();
    controller.signal.addEventListener('abort', () => {
      engine.dispose();
    });
    const [first, second] = [calls.attention({ signal: controller.signal }), calls.forward()];
    const results = Promise.allSettled([first, second]);
    controller.abort();
    const [x, y] = (await results) as [PromiseRejectedResult, PromiseRejectedResult];
    if (threads > 1) matches(x.reason as HeedError, terminated('attentionAsync'));
    else expect(x.reason).toBe(controller.signal.reason);
    matches(y.reason as HeedError, terminated('forwardAsync'));
  });
});
