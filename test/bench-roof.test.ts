/**
 * What a machine can do at most, and the kernels alone beside it: the loops count what they do, and no wrong kernel passes.
 *
 * @node the benchmark is a program of Node
 */
import { describe, expect, it, vi } from 'vitest';
import { TILE_4X8, TILE_6X8 } from '../common/abi.ts';
import { Bed, kernels, prepareKernel } from '../bench/kernels.ts';
import { CHAINS } from '../bench/roof-loops.ts';
import { Roof, RoofMemory, STREAMS } from '../bench/roof.ts';
import { builds } from './builds.ts';
import { normal } from './data.ts';
import type { TestingExports } from './kernels/harness.ts';

describe.each(builds)('roof loops, %s', (build) => {
  const roof = new Roof(build);

  it.each(CHAINS)('%i chains count what they do', (chains) => {
    const flops = roof.peak(chains);
    expect(flops % (8 * chains)).toBe(0);
    expect(flops / 8e6).toBeCloseTo(1, 3);
    expect(roof.sink).not.toBe(0);
    expect(roof.sink).not.toBeNaN();
  });

  it.each(STREAMS)('%i streams read the same bytes: the exclusive or of all is the same', (streams) => {
    const words = new Uint32Array(Float32Array.from(normal(65536 / 4, 1)).buffer);
    const bytes = 2 ** 20 + 12 * 1024;
    const array = roof.memory.array(bytes);
    expect(array.bytes).toBe(bytes);
    let expected = 0;
    for (let at = 0; at < bytes / 4; at++) expected ^= words[at % words.length]!;
    const before = roof.sink;
    expect(roof.read(array, streams)).toBe(bytes);
    expect(roof.sink - before).toBeCloseTo(expected | 0, -4);
  });
});

describe('the arrays that are read', () => {
  it('lie one behind the other, and are shared where memory is short', () => {
    const memory = new RoofMemory();
    expect(memory.array(100000)).toEqual({ at: 0, bytes: 100000, shared: false });
    expect(memory.array(10)).toEqual({ at: 2 * 65536, bytes: 10, shared: false });
    expect(memory.memory.buffer.byteLength).toBe(3 * 65536);
    expect(new Float32Array(memory.memory.buffer).every((x) => x !== 0)).toBe(true);
    vi.spyOn(memory, 'free').mockReturnValue(65536);
    expect(memory.array(65536)).toEqual({ at: 0, bytes: 65536, shared: true });
    vi.spyOn(memory, 'free').mockReturnValue(Infinity);
    expect(memory.array(2 ** 33)).toEqual({ at: 0, bytes: 3 * 65536, shared: true });
    memory.clear();
    expect(memory.array(2 ** 33)).toEqual({ at: 0, bytes: 3 * 65536, shared: false });
    expect(memory.array(3 * 65536)).toEqual({ at: 3 * 65536, bytes: 3 * 65536, shared: false });
    memory.clear();
    vi.spyOn(memory, 'free').mockReturnValue(0);
    expect(memory.array(2 ** 33)).toEqual({ at: 0, bytes: 6 * 65536, shared: false });
    expect(memory.array(1)).toEqual({ at: 0, bytes: 1, shared: true });
  });
});

describe.each(builds)('kernels alone, %s', (build) => {
  /** Which function a row calls, and the argument that says how many steps it takes. */
  const called: Readonly<Record<string, readonly [name: keyof TestingExports, steps: number]>> = {
    'tiles, k = 64': ['rowsAdd', 6],
    'tiles, k = 256': ['rowsAdd', 6],
    'tiles of Aᵀ, k = 64': ['columnsAdd', 6],
    'tiles of Aᵀ, k = 256': ['columnsAdd', 6],
    'softmax, 96 keys × 8': ['f32SoftmaxOnline', 1],
    'pack 8 columns, GB/s': ['f32Pack', 2],
    'pack 8 rows, GB/s': ['f32RowsToPanel', 1],
    'rope, 32 × 128, GB/s': ['f32RopeSplit', 4],
  };
  /** The tile of six rows too, wherever the build has it. */
  const tile = build === 'relaxed' ? TILE_6X8 : TILE_4X8;

  it('are all here', () => {
    expect(kernels.map(({ name }) => name)).toEqual(Object.keys(called));
  });

  it.each(kernels)('$name passes its check, and no wrong kernel does', ({ name, make }) => {
    /** What part of its bound the row uses after one run, with each call going through `replace`. */
    const used = (
      replace: (kernel: (...args: number[]) => void, args: number[]) => void,
      off = 0,
    ): number => {
      const [key] = called[name]!;
      const change = (exports: TestingExports): TestingExports => {
        const kernel = (...args: number[]): void => {
          (exports[key] as (...args: number[]) => void)(...args);
        };
        return {
          ...exports,
          [key]: (...args: number[]) => {
            replace(kernel, args);
          },
        };
      };
      const { contenders, check } = prepareKernel(make(), new Map([[build, new Bed(build, tile, change)]]));
      const [{ clock, out }] = contenders as [(typeof contenders)[0]];
      clock(1);
      out[out.length - 1]! += off;
      return check(1).get(build)!;
    };
    const steps = called[name]![1];
    expect(
      used((kernel, args) => {
        kernel(...args);
      }),
    ).toBeLessThanOrEqual(1);
    // A stub, one step too few, and one element off.
    expect(used(() => undefined)).toBeGreaterThan(1);
    expect(
      used((kernel, args) => {
        kernel(...args.with(steps, args[steps]! - 1));
      }),
    ).toBeGreaterThan(1);
    expect(
      used((kernel, args) => {
        kernel(...args);
      }, 0.01),
    ).toBeGreaterThan(1);
  });
});
