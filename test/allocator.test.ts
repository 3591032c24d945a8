/** The host's allocator alone, over memory that is only imagined (docs/reliability.md, faults 22, 23, 25, 36). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALIGNMENT } from '../common/abi.ts';
import { align, Allocator } from '../src/memory/allocator.ts';
import { uniform } from './data.ts';
import { tries } from './runs.ts';

const GIB = 2 ** 30;
const endless = (): boolean => true;

/** An allocator beside a model of it: every block that is out, by address. */
class Checked {
  readonly #allocator: Allocator;
  readonly #start: number;
  readonly #limit: number;
  readonly blocks = new Map<number, number>();

  constructor(start: number, limit: number) {
    [this.#start, this.#limit] = [start, limit];
    this.#allocator = new Allocator(start, limit, endless);
  }

  get inUse(): number {
    return this.#allocator.inUse;
  }

  /** Within bounds, aligned, and on no byte of another block. */
  allocate(bytes: number): number | undefined {
    const address = this.#allocator.allocate(bytes);
    if (address === undefined) return undefined;
    expect(address % ALIGNMENT).toBe(0);
    expect(address).toBeGreaterThanOrEqual(this.#start);
    const end = address + bytes;
    expect(end).toBeLessThanOrEqual(this.#limit);
    for (const [at, size] of this.blocks) expect(at >= end || at + size <= address).toBe(true);
    this.blocks.set(address, bytes);
    return address;
  }

  free(address: number): void {
    this.#allocator.free(address);
    this.blocks.delete(address);
  }

  /** What it counts is what the model holds. */
  check(): void {
    const sizes = [...this.blocks.values()].map((bytes) => align(Math.max(bytes, 1)));
    expect(this.inUse).toBe(sizes.reduce((a, b) => a + b, align(this.#start)));
  }
}

describe('blocks', () => {
  it('are aligned, apart, and counted in whole cache lines', () => {
    const memory = new Checked(100, 1e6);
    const sizes = [0, 1, 63, 64, 65, 1000];
    expect(sizes.map((bytes) => memory.allocate(bytes))).toEqual([128, 192, 256, 320, 384, 512]);
    memory.check();
    expect(memory.inUse).toBe(64 * (2 + 1 + 1 + 1 + 1 + 2 + 16));
  });
  it('that are freed are used again, whole or in part', () => {
    const memory = new Checked(0, 1e6);
    const [a, b, c] = [memory.allocate(640)!, memory.allocate(640)!, memory.allocate(640)!];
    memory.free(b);
    expect(memory.allocate(641)).toBe(c + 640);
    expect(memory.allocate(320)).toBe(b);
    expect(memory.allocate(320)).toBe(b + 320);
    memory.free(a);
    memory.check();
  });
  it('merge with free neighbours, on either side and both', () => {
    for (const order of [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ]) {
      const memory = new Checked(0, 1e6);
      const blocks = [0, 1, 2].map(() => memory.allocate(64)!);
      const wall = memory.allocate(64)!;
      for (const i of order) memory.free(blocks[i]!);
      expect(memory.allocate(192)).toBe(0);
      expect(wall).toBe(192);
    }
  });
  it('at the top go back to what was never used', () => {
    const memory = new Checked(0, 256);
    const [a, b] = [memory.allocate(128)!, memory.allocate(128)!];
    memory.free(a);
    memory.free(b);
    expect(memory.allocate(256)).toBe(0);
  });
  it('an address is freed once, and only if it was given out', () => {
    const allocator = new Allocator(0, 1e6, endless);
    const address = allocator.allocate(128)!;
    allocator.allocate(64);
    expect(() => {
      allocator.free(address + 64);
    }).toThrow(`no block at ${address + 64}`);
    allocator.free(address);
    expect(() => {
      allocator.free(address);
    }).toThrow(`no block at ${address}`);
    expect(allocator.inUse).toBe(64);
  });
});

describe('the limit', () => {
  it('may be reached, not passed, and a refusal changes nothing', () => {
    const ends: number[] = [];
    const allocator = new Allocator(0, 1024, (end) => ends.push(end) > 0);
    expect(allocator.allocate(960)).toBe(0);
    expect(allocator.allocate(65)).toBeUndefined();
    expect(ends).toEqual([960]);
    expect(allocator.inUse).toBe(960);
    expect(allocator.allocate(64)).toBe(960);
    expect(allocator.allocate(1)).toBeUndefined();
    expect(ends).toEqual([960, 1024]);
  });
  it('memory that is refused changes nothing (fault 23)', () => {
    let generous = false;
    const allocator = new Allocator(0, 1e6, () => generous);
    expect(allocator.allocate(64)).toBeUndefined();
    expect(allocator.inUse).toBe(0);
    generous = true;
    expect(allocator.allocate(64)).toBe(0);
  });
  it('beyond 2³¹ and up to 2³² nothing wraps (fault 25)', () => {
    const memory = new Checked(1024, 4 * GIB);
    const addresses = [GIB, GIB, GIB, GIB - 1024].map((bytes) => memory.allocate(bytes));
    expect(addresses).toEqual([1024, 1024 + GIB, 1024 + 2 * GIB, 1024 + 3 * GIB]);
    for (const bytes of [1, GIB, 4 * GIB, 2 ** 40]) expect(memory.allocate(bytes)).toBeUndefined();
    memory.free(addresses[2]!);
    expect(memory.allocate(GIB / 2)).toBe(1024 + 2 * GIB);
    expect(memory.allocate(GIB / 2)).toBe(1024 + 2.5 * GIB);
    memory.check();
  });
});

it('any order of any sizes: nothing overlaps, and all of it comes back', () => {
  const step = fc.tuple(fc.boolean(), fc.nat(5000), fc.nat());
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const memory = new Checked(64, 102_400);
      for (const [takes, bytes, which] of steps) {
        const held = [...memory.blocks.keys()];
        if (takes || held.length === 0) memory.allocate(bytes);
        else memory.free(held[which % held.length]!);
        memory.check();
      }
      for (const address of [...memory.blocks.keys()]) memory.free(address);
      memory.check();
      expect(memory.allocate(102_400 - 64)).toBe(64);
    }),
    tries(),
  );
});

it('100,000 frees in random order fail nowhere under half use, and leave one whole (fault 36)', () => {
  const limit = 64 * 2 ** 20;
  const allocator = new Allocator(0, limit, endless);
  const next = uniform(36);
  const held: number[] = [];
  let frees = 0;
  while (frees < 100_000) {
    const bytes = Math.ceil(2 ** (6 + 10 * next()));
    if (allocator.inUse + bytes <= limit / 2 && next() < 0.6) {
      const address = allocator.allocate(bytes);
      if (address === undefined) throw new Error(`no ${bytes} bytes at ${allocator.inUse} of ${limit}`);
      held.push(address);
    } else if (held.length > 0) {
      const i = Math.floor(next() * held.length);
      const [address, last] = [held[i]!, held.pop()!];
      if (i < held.length) held[i] = last;
      allocator.free(address);
      frees++;
    }
  }
  for (const address of held) allocator.free(address);
  expect(allocator.inUse).toBe(0);
  expect(allocator.allocate(limit)).toBe(0);
});
