/**
 * What an engine owns (src/runtime.ts): its memory, with staging and the plain memory beside a shared one inside one limit; whether its
 * build multiplies and adds in one rounding; the choice of a tile; and how it ends.
 *
 * @node the tests of memory that is shared need no page that is isolated
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DESCRIPTOR_BYTES } from '../src/descriptor.ts';
import { MemoryLimitError } from '../src/index.ts';
import { Runtime } from '../src/runtime.ts';
import { sharedOf } from '../src/threads/shared.ts';
import type { Team } from '../src/threads/team.ts';
import { tilesFor, TILES_OF } from '../src/tile.ts';
import { DRIVERS } from '../src/wasm/exports.ts';
import { compileShared, PAGE } from '../src/wasm/instantiate.ts';
import { bytesOf } from '../src/wasm/inlined.ts';
import { builds } from './builds.ts';
import { collect } from './collect.ts';
import { fault, matches } from './nothing-lost.ts';
import { poisoned } from './refusals.ts';
import { trapping } from './wasm-bytes.ts';

const op = 'test';

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(builds)('%s', async (build) => {
  const module = await compileShared(op, build, sharedOf);
  const plainOne = (limit = 2 ** 24): Runtime => new Runtime(op, build, limit, '4x8');
  const sharedOne = (limit = 2 ** 24): Runtime =>
    new Runtime(op, build, limit, '4x8', { module, shared: true });

  it('rounds once only where it says so', () => {
    const { fma, kernels } = plainOne();
    const x = 1 + 2 ** -23;
    expect(fma).toBe(kernels.multiplyAdd(x, x, -Math.fround(x * x)) !== 0);
    if (build === 'baseline') expect(fma).toBe(false);
  });

  describe('blocks', () => {
    it('are given back once, and not after the end', () => {
      const runtime = plainOne();
      const [one, two] = [runtime.allocate(op, 100), runtime.allocate(op, 100)];
      expect(runtime.memory.used).toBe(256);
      expect(runtime.free(one)).toBe(true);
      expect(runtime.memory.used).toBe(128);
      runtime.dispose();
      expect(runtime.free(two)).toBe(false);
      expect(runtime.memory).toEqual({ used: 0, reserved: 0, limit: 2 ** 24 });
    });
    it('of an owner that was collected are given back, those of one that was disposed of not again', async () => {
      const runtime = plainOne();
      runtime.watch({}, runtime.allocate(op, 1000));
      (() => {
        const owner = {};
        const address = runtime.allocate(op, 1000);
        runtime.watch(owner, address);
        runtime.unwatch(owner);
      })();
      await collect(() => runtime.memory.used === 1024);
      expect(runtime.memory.used).toBe(1024);
      let turns = 0;
      await collect(() => ++turns > 5);
      expect(runtime.memory.used).toBe(1024);
    });
    it('for workers begin with zeros, and are no use of the caller', () => {
      const runtime = plainOne();
      const address = runtime.allocate(op, 512);
      runtime.words.u8.fill(7, address, address + 512);
      runtime.free(address);
      const { memory, control } = runtime.controlBlock(op, 256);
      expect(control).toBe(address);
      expect(memory.buffer).toBe(runtime.buffer);
      expect(new Set(runtime.words.u8.subarray(control, control + 256))).toEqual(new Set([0]));
      expect(runtime.words.u8[control + 256]).toBe(7);
      expect(runtime.memory.used).toBe(0);
    });
  });

  describe('staging', () => {
    it('grows to the largest call, and is asked for beside what it has', () => {
      const runtime = plainOne();
      runtime.stage(op, 2 ** 23, 0);
      const { reserved } = runtime.memory;
      expect(runtime.staged).toBe(2 ** 23);
      // As much again is no more: twice as much is more than there is.
      runtime.stage(op, 2 ** 23, 2 ** 22);
      runtime.stage(op, 1, 2 ** 22);
      expect(runtime.staged).toBe(2 ** 23);
      expect(runtime.memory).toEqual({ used: 0, reserved, limit: 2 ** 24 });
    });
    it('stays as it was where there is no room for a call, or for its blocks', () => {
      const runtime = plainOne();
      runtime.stage(op, 2 ** 20, 0);
      const { staging } = runtime;
      const { reserved } = runtime.memory;
      for (const [bytes, blocks] of [
        [2 ** 24, 0],
        [0, 2 ** 24],
        [2 ** 23, 2 ** 23],
      ] as const) {
        expect(() => {
          runtime.stage(op, bytes, blocks);
        }).toThrow(MemoryLimitError);
        expect(runtime.staging).toBe(staging);
        expect(runtime.staged).toBe(2 ** 20);
        expect(runtime.memory.reserved).toBe(reserved);
      }
    });
    it('that was left to a worker is no longer known, and stays taken', () => {
      const runtime = plainOne();
      runtime.stage(op, 1000, 0);
      const before = runtime.staging;
      runtime.abandonStaging();
      expect([runtime.staging, runtime.staged]).toEqual([0, 0]);
      runtime.stage(op, 1000, 0);
      expect(runtime.staging).toBeGreaterThanOrEqual(before + 1024);
    });
  });

  describe('shared memory', () => {
    it('has all the buffers that it ever was; plain memory the last', () => {
      for (const runtime of [plainOne(), sharedOne()]) {
        const buffers = [runtime.buffer];
        for (let i = 0; i < 2; i++) {
          runtime.allocate(op, 20 * PAGE);
          buffers.push(runtime.buffer);
        }
        expect(new Set(buffers).size).toBe(3);
        expect(buffers.map((each) => runtime.owns(each))).toEqual([runtime.shared, runtime.shared, true]);
        expect(runtime.owns(new ArrayBuffer(8))).toBe(false);
        expect(runtime.owns(plainOne().buffer)).toBe(false);
      }
    });

    it('has a plain one beside it, once, until the end', () => {
      const plain = plainOne();
      expect(plain.plain).toBe(plain);
      const shared = sharedOne();
      const beside = shared.plain;
      expect(beside).not.toBe(shared);
      expect([beside.shared, beside.build, beside.tile]).toEqual([false, build, '4x8']);
      expect(shared.plain).toBe(beside);
      expect(shared.memory.reserved).toBe(shared.buffer.byteLength + beside.buffer.byteLength);
      shared.dispose();
      expect(beside.disposed).toBe(true);
      expect(shared.plain).toBe(shared);
      const ended = sharedOne();
      ended.dispose();
      expect(ended.plain).toBe(ended);
      // A page each is room enough.
      const small = sharedOne(2 * PAGE);
      expect(small.plain).not.toBe(small);
      expect(small.memory.reserved).toBe(2 * PAGE);
    });

    // Where memories end, in bytes that are not in use yet.
    const start = (runtime: Runtime): number => runtime.buffer.byteLength;
    const grow = (runtime: Runtime, bytes: number): void => {
      const before = start(runtime);
      const inUse = runtime.allocate(op, 1);
      runtime.allocate(op, before + bytes - inUse - 64);
      expect(start(runtime)).toBe(before + bytes);
    };

    it('and the plain one come to their limit together, to the byte', () => {
      const shared = sharedOne(100 * PAGE);
      const { plain } = shared;
      const left = 100 * PAGE - start(shared) - start(plain);
      grow(shared, 10 * PAGE);
      expect(shared.plain, 'there is room for both').toBe(plain);
      grow(plain, left - 10 * PAGE - PAGE);
      grow(plain, PAGE);
      expect(shared.memory.reserved).toBe(100 * PAGE);
      expect(() => plain.allocate(op, PAGE)).toThrow(MemoryLimitError);
      // What it holds is what it keeps for the next call: it goes where the other needs it.
      grow(shared, PAGE);
      expect(plain.disposed).toBe(true);
      expect(shared.memory.reserved).toBe(start(shared));
    });
    it('keeps the plain one as long as both are at the limit, and not beyond', () => {
      const shared = sharedOne(100 * PAGE);
      const { plain } = shared;
      grow(shared, 100 * PAGE - start(shared) - start(plain));
      expect(plain.disposed).toBe(false);
      expect(shared.plain).toBe(plain);
      grow(shared, PAGE);
      expect(plain.disposed).toBe(true);
      expect(shared.plain).toBe(shared);
    });
  });

  describe('a run', () => {
    it('is done item by item, by this thread', () => {
      const runtime = plainOne();
      const driver = vi.fn();
      const before = vi.fn();
      expect(runtime.run(op, driver, 64, 3, 128, 0, before)).toBe(-1);
      expect(driver.mock.calls).toEqual([
        [64, 0, 1, 128],
        [64, 1, 2, 128],
        [64, 2, 3, 128],
      ]);
      expect(before.mock.calls).toEqual([[0], [1], [2]]);
    });
    it('is written down for a team that has a program, and may be cut unless it is said otherwise', () => {
      const runtime = plainOne();
      const add = vi.fn(() => 5);
      runtime.team = { program: { add }, stop: () => undefined } as unknown as Team;
      const { gemm } = runtime.kernels;
      expect(runtime.run(op, gemm, 64, 3, 128)).toBe(5);
      runtime.run(op, gemm, 64, 3, 128, 32, undefined, true);
      const { u32 } = runtime.words;
      const number = DRIVERS.indexOf('gemm');
      expect(add.mock.calls).toEqual([
        [number, u32, 64, DESCRIPTOR_BYTES, 3, 128, 0, false],
        [number, u32, 64, DESCRIPTOR_BYTES, 3, 128, 32, true],
      ]);
    });
  });

  describe('a tile that is chosen', () => {
    it('is timed in slices, eight products each time; others need not do that again', async () => {
      // One that has chosen nothing yet.
      vi.resetModules();
      const fresh = await import('../src/runtime.ts');
      const { tileFor } = await import('../src/tile.ts');
      let now = 0;
      vi.spyOn(performance, 'now').mockImplementation(() => (now += 20));
      const runtime = new fresh.Runtime(op, build, 2 ** 24, 'auto');
      const tiles = tilesFor(build, runtime.fma);
      expect(runtime.tileNow).toBe(tiles[0]);
      // [12 × 64] · [64 × 48], all ones: each product adds 64 to each of its results.
      const block = runtime.attentionDescriptor + Math.ceil(DESCRIPTOR_BYTES / 64) * 64;
      const [ones, products] = [32 * 64, 12 * 48];
      const memory = runtime.floats(block, ones / 4 + products);
      memory.fill(1);
      const first = runtime.tile;
      expect(TILES_OF[build]).toContain(first);
      expect(new Set(memory.subarray(0, ones / 4))).toEqual(new Set([1]));
      expect(new Set(memory.subarray(ones / 4))).toEqual(new Set([1 + 64 * 8 * 2 * tiles.length]));
      const work = vi.fn(() => () => undefined);
      tileFor(build, runtime.fma, 'auto', work);
      expect(work).toHaveBeenCalledTimes(1);
      for (let i = 0; i < 32; i++) expect(TILES_OF[build]).toContain(runtime.tile);
      // All took the same time.
      expect(runtime.tile).toBe(tiles[0]);
      expect(tileFor(build, runtime.fma, 'auto', work)).toBe(tiles[0]);
      expect(work).toHaveBeenCalledTimes(1);
    });
  });
});

it('a choice that is not made when its engine ends is not made any more', async () => {
  vi.resetModules();
  const fresh = await import('../src/runtime.ts');
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => (now += 20));
  const runtime = new fresh.Runtime(op, 'baseline', 2 ** 24, 'auto');
  runtime.dispose();
  for (let i = 0; i < 100; i++) expect(runtime.tile).toBe('4x8');
});

it('a kernel that traps where a tile is timed ends its engine as one at work does', async () => {
  vi.resetModules();
  const fresh = await import('../src/runtime.ts');
  const errors = await import('../src/errors.ts');
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => (now += 20));
  const bytes = trapping(bytesOf('baseline'), 'rowsAdd') as Uint8Array<ArrayBuffer>;
  const module = new WebAssembly.Module(bytes);
  const runtime = new fresh.Runtime(op, 'baseline', 2 ** 24, 'auto', { module, shared: false });
  const error = fault(() => runtime.tile);
  expect(error).toBeInstanceOf(errors.KernelTrapError);
  expect(error.message).toBe('a kernel trapped [ERR_TRAP]');
  expect(error.cause).toBeInstanceOf(WebAssembly.RuntimeError);
  matches(
    fault(() => {
      runtime.requireAlive(op);
    }),
    { ...poisoned(op), class: errors.StateError },
  );
});
