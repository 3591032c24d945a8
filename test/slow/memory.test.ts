/**
 * Memory at its edges and over a long time: 4 GiB of it to the last block (fault 25), a million frees in random order
 * (fault 36), millions of calls (fault 70).
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { MemoryLimitError, type Tensor } from '../../src/index.ts';
import { runtimeOf } from '../../src/engine.ts';
import { Allocator } from '../../src/memory/allocator.ts';
import { builds, engineOf } from '../builds.ts';
import { normal, uniform } from '../data.ts';
import { slope } from './flat.ts';
import type { Readings } from './million-calls.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/**
 * For a process whose resident set says what is kept: V8 collects on the one thread, not on helpers that lag behind on a
 * busy machine, and its young generation has one size, which it else doubles (16 MB in one step) at its own time.
 */
const FLAGS = [
  '--single-threaded',
  '--min-semi-space-size=16',
  '--max-semi-space-size=16',
  '--import',
  'tsx',
];

describe.each(builds)('%s', (build) => {
  it('twenty-three million problems in one call', async () => {
    const engine = await engineOf(build);
    const batch = 23e6;
    const x = new Float32Array(batch).map((_, i) => i % 1000);
    // One query, one key: each result is its value.
    const out = engine.attention(x, x, x, { batch, seqQ: 1, headDim: 1 });
    expect(out.every((value, i) => value === i % 1000)).toBe(true);
    const products = engine.matmul(x, x, { batch, M: 1, N: 1, K: 1, out });
    expect(products.every((value, i) => value === (i % 1000) ** 2)).toBe(true);
    engine.dispose();
  });

  it('4 GiB in large blocks, none on another, and calls above 2³¹ and up to 2³² compute (fault 25)', async () => {
    const engine = await engineOf(build);
    const shape = [1, 16, 2, 8];
    const data = [0, 1, 2].map((i) => normal(256, 1 + i));
    const attend = (): Tensor => {
      const [q, k, v] = data.map((each) => engine.tensor(shape, each));
      const out = engine.attention(q!, k!, v!);
      for (const each of [q!, k!, v!]) each.dispose();
      return out;
    };
    const first = attend();
    // Blocks as tensors have them, but not cleared: that would touch every page.
    const runtime = runtimeOf('test', engine);
    const blocks: { readonly address: number; readonly size: number }[] = [];
    const results: Tensor[] = [];
    for (const size of [GIB, GIB / 2, 64 * MIB, MIB, MIB / 16]) {
      for (;;) {
        try {
          blocks.push({ address: runtime.allocate('test', size), size });
        } catch (error) {
          expect(error).toBeInstanceOf(MemoryLimitError);
          break;
        }
        // In the gaps between the large blocks and behind them, up to the last megabytes.
        if (size > MIB) results.push(attend());
      }
    }
    expect(blocks.length).toBeGreaterThan(10);
    expect(engine.memory.reserved).toBe(2 ** 32 - 65536);
    for (const each of results) expect(each.data).toEqual(first.data);
    const offsets = results.map((each) => each.data.byteOffset);
    expect(offsets.some((at) => at > 2 ** 31)).toBe(true);
    expect(Math.max(...offsets)).toBeGreaterThan(2 ** 32 - 64 * MIB);
    const spans = [
      ...blocks.map(({ address, size }) => [address, address + size] as const),
      ...[first, ...results].map(
        ({ data: { byteOffset, byteLength } }) => [byteOffset, byteOffset + byteLength] as const,
      ),
    ];
    spans.sort(([x], [y]) => x - y);
    for (const [i, [start]] of spans.entries()) expect(start).toBeGreaterThanOrEqual(spans[i - 1]?.[1] ?? 0);
    expect(spans.at(-1)![1]).toBeGreaterThan(2 ** 32 - 65536 - MIB / 16);
    // A mark at either end of each: written all, then read all.
    const ends = ({ address, size }: { address: number; size: number }): [Float32Array, Float32Array] => [
      runtime.floats(address, 1),
      runtime.floats(address + size - 4, 1),
    ];
    for (const [i, block] of blocks.entries()) for (const end of ends(block)) end[0] = i + 1;
    for (const [i, block] of blocks.entries()) for (const end of ends(block)) expect(end[0]).toBe(i + 1);
    for (const each of results) expect(each.data).toEqual(first.data);
    for (const { address } of blocks) runtime.free(address);
    for (const each of [first, ...results]) each.dispose();
    expect(engine.memory.used).toBe(0);
    engine.dispose();
  });

  it('millions of calls: memory as after the first thousands (fault 70)', async () => {
    const program = fileURLToPath(new URL('million-calls.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [...FLAGS, program, build]);
    const readings = JSON.parse(stdout) as Readings;
    expect(readings.after).toEqual(readings.before);
    expect(readings.end.used).toBe(0);
    expect(readings.calls).toBe(3_000_000);
    // Bytes a call, by least squares over all readings: one reading alone jumps by whole pages.
    for (const name of ['rss', 'heapUsed', 'arrayBuffers'] as const) {
      const growth = slope(readings.uses.map((use) => use[name])) / readings.interval;
      console.log(`${build}: ${name} ${growth.toFixed(3)} bytes a call`);
      expect(growth, name).toBeLessThan(1);
    }
  });
});

it('a million frees in random order fail nowhere under half use (fault 36)', () => {
  const limit = 256 * MIB;
  const allocator = new Allocator(0, limit, () => true);
  const next = uniform(36);
  const held: number[] = [];
  for (let frees = 0; frees < 1_000_000;) {
    const bytes = Math.ceil(2 ** (6 + 12 * next()));
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
