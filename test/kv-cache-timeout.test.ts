/**
 * A ring whose tokens are lost where a script is ended in its middle (docs/reliability.md, fault 74).
 *
 * @node a vm is what ends a script that does not end
 */
import { createContext, runInContext } from 'node:vm';
import { expect, it, vi } from 'vitest';
import { runtimeOf } from '../src/engine.ts';
import { createEngine, MultiHeadAttention } from '../src/index.ts';
import { Runtime } from '../src/runtime.ts';
import { normal } from './data.ts';
import { refuses, watch } from './nothing-lost.ts';
import { refusal } from './refusals.ts';

it('a ring that a script’s time ends in the middle of a pass has lost what the pass has written over (fault 74)', async () => {
  const engine = await createEngine({ threads: 1 });
  const w = normal(48 * 48, 1);
  const layer = new MultiHeadAttention({
    modelDim: 48,
    heads: 4,
    weights: { wq: w, wk: w, wv: w, wo: w },
    engine,
  });
  const cache = engine.kvCache({ kvHeads: 4, headDim: 12, capacity: 96, ring: true });
  const tokens = normal(95 * 48, 2);
  for (let i = 0; i < 2; i++) cache.append(tokens, tokens);
  const query = normal(48, 3);
  const seen = (before: number): Float32Array => cache.attend(query, { heads: 4, window: [before, 0] });
  const expected = seen(90);
  const { attention } = runtimeOf('test', engine).kernels;
  const run: Runtime['run'] = Reflect.get(Runtime.prototype, 'run');
  vi.spyOn(Runtime.prototype, 'run').mockImplementation(function endless(this: Runtime, ...given) {
    while (given[1] === attention);
    return run.apply(this, given);
  });
  const pass = (): unknown => layer.forward(tokens.slice(0, 5 * 48), { seqQ: 5, cache, window: [40, 0] });
  expect(() => runInContext('pass()', createContext({ pass }), { timeout: 50 }) as unknown).toThrow(
    'timed out',
  );
  vi.restoreAllMocks();
  expect(cache.length).toBe(190);
  expect(seen(90)).toEqual(expected);
  const words = 'one that reaches no token that has fallen out of the ring, got before 91 with seqQ 1';
  const lost = refusal('attend', 'window', 'ERR_CACHE_WINDOW', words);
  refuses(() => seen(91), lost, await watch(engine, cache));
  engine.dispose();
});
