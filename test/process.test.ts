/**
 * What calls take of the process: its memory, without end or refused (docs/reliability.md, faults 22, 70), and what keeps it alive.
 *
 * @node nobody tells a page of its process
 */
import { describe, expect, it } from 'vitest';
import { createEngine, type Engine, type KVCache } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { gc } from './collect.ts';
import { normal } from './data.ts';
import { makesNone } from './no-engine.ts';
import { fault, goesOn, matches, refuses, watch } from './nothing-lost.ts';
import { noRoom, refusal } from './refusals.ts';
import { mixedCalls } from './workload.ts';

const MIB = 2 ** 20;

describe.each(builds)('%s', (build) => {
  it('a result that the engine has no room for is not made in JavaScript either', async () => {
    const engine = await createEngine({ threads: 1, simd: build, maxMemory: 8 * MIB });
    const x = new Float32Array(16384);
    const before = process.memoryUsage().arrayBuffers;
    const call = (): unknown => engine.attentionWeights(x, x, x, { seqQ: 16384, headDim: 1 });
    matches(fault(call), noRoom('attentionWeights', 8 * MIB));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * MIB);
    engine.dispose();
  });

  it('20,000 small calls of every kind take no more memory than the first hundred (fault 70)', async () => {
    const engine = await createEngine({ threads: 1, simd: build, maxMemory: 64 * MIB });
    const calls = mixedCalls(engine);
    calls.run(100);
    const before = engine.memory;
    const { arrayBuffers } = process.memoryUsage();
    for (let i = 0; i < 20; i++) {
      calls.run(1000);
      expect(engine.memory).toEqual(before);
    }
    expect(calls.count).toBe(20_100);
    expect(process.memoryUsage().arrayBuffers - arrayBuffers).toBeLessThan(64 * MIB);
    calls.end();
    expect(engine.memory.used).toBe(0);
    goesOn(await watch(engine));
    engine.dispose();
  });

  it.each(['ring', 'truncate'] as const)('10,000 tokens take no memory, by %s', async (way) => {
    const engine = await engineOf(build);
    const heads = 2;
    const cache: KVCache = engine.kvCache({ kvHeads: 1, headDim: 4, capacity: 96, ring: way === 'ring' });
    const [token, q, out] = [normal(4, 1), normal(8, 2), new Float32Array(8)];
    const options = { heads, window: [20, 0] as const, out };
    const run = (tokens: number): void => {
      for (let t = 0; t < tokens; t++) {
        if (way === 'truncate' && cache.length === 96) cache.truncate(40);
        cache.append(token, token);
        cache.attend(q, options);
      }
    };
    run(2000);
    const before = engine.memory;
    const use = (): number => {
      // Twice: what the first one lets go of compiled code, 60 KB a round however many tokens it had, the second collects.
      gc();
      gc();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    // Less than one reference a token. What is kept is kept each time, what the compilers take only now and then.
    let growth = Infinity;
    for (let i = 0; i < 4 && growth >= 8 * 10_000; i++) {
      const start = use();
      run(10_000);
      expect(engine.memory).toEqual(before);
      growth = use() - start;
    }
    expect(growth).toBeLessThan(8 * 10_000);
    engine.dispose();
  });
});

it('the helper of the fault tests fails where a timer is left', async () => {
  const engine = await createEngine({ threads: 1 });
  const watched = await watch(engine);
  const expected = refusal('tensor', 'shape[0]', 'ERR_DIM', `an integer from 0 to ${2 ** 32}, got -1`);
  let timer: NodeJS.Timeout | undefined;
  const call = (): unknown => {
    timer = setTimeout(() => undefined, 1e6);
    return engine.tensor([-1]);
  };
  expect(() => refuses(call, expected, watched)).toThrow();
  clearTimeout(timer);
  refuses(() => engine.tensor([-1]), expected, watched);
  engine.dispose();
});

describe('the helper of faults after which there is no engine fails', () => {
  const words = "'auto' or an integer from 1 to 64, got 0";
  const expected = refusal('createEngine', 'threads', 'ERR_RANGE', words);
  const refused = async (): Promise<Engine> => createEngine({ threads: 0 });

  it('where a memory is held', async () => {
    let held: WebAssembly.Memory | undefined;
    const holds = (): Promise<Engine> => {
      held = new WebAssembly.Memory({ initial: 1 });
      return refused();
    };
    await expect(makesNone(holds, expected)).rejects.toThrow();
    expect(held).toBeDefined();
  });
  it('where somebody listens to the process', async () => {
    const listener = (): void => undefined;
    const listens = (): Promise<Engine> => {
      process.on('SIGTERM', listener);
      return refused();
    };
    await expect(makesNone(listens, expected)).rejects.toThrow();
    process.off('SIGTERM', listener);
    await makesNone(refused, expected);
  });
});
