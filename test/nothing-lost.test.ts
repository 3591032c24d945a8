/** The helper of the fault tests must itself fail when something is lost. */
import { describe, expect, it } from 'vitest';
import { createEngine, HeedRangeError, HeedTypeError, type Engine } from '../src/index.ts';
import { fault, pattern, refuses, rejection, rejects, watch } from './nothing-lost.ts';
import { refusal } from './refusals.ts';

const expected = refusal('tensor', 'shape[0]', 'ERR_DIM', `an integer from 0 to ${2 ** 32}, got -1`);
const refuse = (engine: Engine): unknown => engine.tensor([-1]);

describe('nothing lost', async () => {
  const engine = await createEngine({ threads: 1 });
  const [out, tensor] = [pattern(4), engine.tensor([4], pattern(4))];
  const cache = engine.kvCache({ kvHeads: 1, headDim: 4, capacity: 2 });
  const watched = await watch(engine, out, tensor, cache);

  it('passes where that is so', async () => {
    const error = refuses(() => refuse(engine), expected, watched);
    expect(error).toBeInstanceOf(HeedRangeError);
    const words = "'auto' or an integer from 1 to 64, got 0";
    const async = refusal('createEngine', 'threads', 'ERR_RANGE', words);
    await rejects(() => createEngine({ threads: 0 }), async, watched);
  });
  const losses: readonly [name: string, lose: () => unknown, undo: () => void][] = [
    [
      'an array is written',
      () => (out[3] = 0),
      () => {
        out.set(pattern(4));
      },
    ],
    [
      'a tensor is written',
      () => (tensor.data[3] = 0),
      () => {
        tensor.data.set(pattern(4));
      },
    ],
    [
      'a cache is written',
      () => {
        cache.append(pattern(4), pattern(4));
        cache.truncate(0);
      },
      () => undefined,
    ],
    [
      'a cache counts a token more',
      () => {
        cache.commit([1], 0);
      },
      () => {
        cache.truncate(0);
      },
    ],
    ['memory is kept', () => (kept = engine.tensor([4])), () => kept?.dispose()],
    ['nothing is thrown', () => 'return', () => undefined],
  ];
  let kept: { dispose(): void } | undefined;
  for (const [name, lose, undo] of losses) {
    it(`fails where ${name}`, () => {
      const call = (): unknown => (lose() === 'return' ? undefined : refuse(engine));
      expect(() => refuses(call, expected, watched)).toThrow();
      undo();
      refuses(() => refuse(engine), expected, watched);
    });
  }
  it('fails where memory was to stay in use, and does not', () => {
    expect(() => refuses(() => refuse(engine), expected, { ...watched, quarantine: true })).toThrow();
  });
  it('fails where the engine does not go on as a fresh one', async () => {
    const other = await createEngine({ threads: 1 });
    const broken = await watch(other);
    const call = (): unknown => {
      other.dispose();
      return refuse(engine);
    };
    expect(() => refuses(call, expected, broken)).toThrow();
    const changed = { ...watched, fresh: watched.fresh.map((bits, i) => (i === 7 ? bits ^ 1 : bits)) };
    expect(() => refuses(() => refuse(engine), expected, changed)).toThrow();
  });
  it('fails where class, code, words, op or arg are others, or the error is not heed’s', async () => {
    for (const other of [
      { class: HeedTypeError },
      { code: 'ERR_SIZE' },
      { message: 'tensor: "shape[0]" expected another [ERR_DIM]' },
      { op: 'matmul' },
      { arg: 'shape' },
    ] as const) {
      expect(() => refuses(() => refuse(engine), { ...expected, ...other }, watched)).toThrow();
    }
    const mine = new RangeError('mine');
    const call = (): never => {
      throw mine;
    };
    expect(() => fault(call)).toThrow(mine);
    await expect(rejection(Promise.reject(mine))).rejects.toBe(mine);
    await expect(rejection(Promise.resolve())).rejects.toThrow('nothing was rejected');
  });
});
