/**
 * The self-test (src/self-test.ts): which drivers it runs for which kernels, and that each number they compute counts. One that is off
 * is noticed, wherever it is: of products, which are exact, by a last bit; elsewhere by little more than the bound of those that spread.
 */
import { describe, expect, it } from 'vitest';
import { ATTENTION_ARGS, GEMM_ARGS, ROPE_ARGS } from '../src/descriptor.ts';
import { ALL, DECODING, MATMUL, PREFILL, ROPE, Runtime, WEIGHTS } from '../src/runtime.ts';
import { passesSelfTest } from '../src/self-test.ts';
import { DRIVERS, driversOf } from '../src/wasm/exports.ts';
import { builds } from './builds.ts';

type Name = (typeof DRIVERS)[number];
type Of = (field: string) => number;

/** Of a driver the result: where, how many numbers, and by how much one of them is to be off. */
const RESULTS: Partial<
  Record<Name, readonly [fields: readonly string[], at: string, count: (of: Of) => number, off: number]>
> = {
  attention: [ATTENTION_ARGS, 'out', (of) => of('seqQ') * of('group') * of('valueDim'), 2 ** -11],
  decode: [ATTENTION_ARGS, 'out', (of) => of('seqQ') * of('group') * of('valueDim'), 2 ** -11],
  weights: [ATTENTION_ARGS, 'weights', (of) => of('seqQ') * of('group') * of('seqK'), 2 ** -11],
  gemm: [GEMM_ARGS, 'c', (of) => of('M') * of('N'), 2 ** -17],
  rope: [ROPE_ARGS, 'out', () => 8 * 10, 2 ** -17],
};

/** A runtime that writes down which drivers it runs, and lets one number of one run be wrong. */
class Wrong extends Runtime {
  ran: Name[] = [];
  counts: number[] = [];
  /** Of rotations: which pairs. */
  rotations: number[] = [];
  /** Of products: how many rows, how A and B lie, whether there is a bias. */
  products: (readonly [M: number, transposeA: number, transposeB: number, bias: boolean])[] = [];
  wrong: readonly [run: number, number: number] | undefined = undefined;

  override run(...given: Parameters<Runtime['run']>): number {
    const [, driver, descriptor] = given;
    const step = super.run(...given);
    const name = DRIVERS[driversOf(this.kernels).indexOf(driver)]!;
    const [fields, result, count, off] = RESULTS[name] ?? [[], '', () => 0, 0];
    const { u32, f32 } = this.words;
    const of: Of = (field) => u32[(descriptor >>> 2) + fields.indexOf(field)]!;
    if (this.wrong?.[0] === this.ran.length) f32[(of(result) >>> 2) + this.wrong[1]]! += off;
    if (name === 'gemm') {
      this.products.push([of('M'), of('transposeA'), of('transposeB'), of('bias') !== 0]);
    }
    if (name === 'rope') this.rotations.push(of('interleaved'));
    this.ran.push(name);
    this.counts.push(count(of));
    return step;
  }

  /** What it says, with one number wrong or none. */
  says(kernels: number, wrong?: readonly [run: number, number: number]): boolean {
    [this.ran, this.counts, this.products, this.rotations, this.wrong] = [[], [], [], [], wrong];
    return passesSelfTest(this, 'test', kernels);
  }
}

describe.each(builds)('%s', (build) => {
  const runtime = new Wrong('test', build, 2 ** 22, '4x8');
  const results = (): Name[] => runtime.ran.filter((name) => name in RESULTS);

  it.each([
    ['nothing', 0, []],
    ['prefill', PREFILL, ['attention']],
    ['decoding', DECODING, ['decode', 'decode']],
    ['weights', WEIGHTS, ['attention', 'weights', 'decode', 'weights', 'decode', 'weights']],
    ['matmul', MATMUL, ['gemm', 'gemm', 'gemm', 'gemm', 'gemm']],
    ['rope', ROPE, ['rope', 'rope']],
    ['prefill and rope', PREFILL | ROPE, ['attention', 'rope', 'rope']],
  ] as const)('%s: runs what it is about', (_, kernels, drivers) => {
    expect(runtime.says(kernels)).toBe(true);
    expect(results()).toEqual(drivers);
  });

  it('matmul: whole tiles and what remains of them, one row, each way that A and B may lie, a bias', () => {
    expect(runtime.says(MATMUL)).toBe(true);
    expect(runtime.products).toEqual([
      [11, 0, 0, false],
      [9, 1, 1, false],
      [1, 0, 0, false],
      [1, 0, 1, false],
      [11, 0, 0, true],
    ]);
  });

  it('rope: pairs of both kinds', () => {
    expect(runtime.says(ROPE)).toBe(true);
    expect(runtime.rotations).toEqual([0, 1]);
  });

  it('all of them', () => {
    expect(runtime.says(ALL)).toBe(true);
    expect(results()).toHaveLength(6 + 5 + 2);
  });

  it.each([
    ['prefill', PREFILL],
    ['decoding', DECODING],
    ['weights', WEIGHTS],
    ['matmul', MATMUL],
    ['rope', ROPE],
  ] as const)('%s: each number counts', (_, kernels) => {
    runtime.says(kernels);
    const missed: unknown[] = [];
    for (const [run, count] of [...runtime.counts.entries()]) {
      for (let i = 0; i < count; i++) if (runtime.says(kernels, [run, i])) missed.push([run, i]);
    }
    expect(missed).toEqual([]);
    expect(runtime.says(kernels)).toBe(true);
  });

  it('leaves nothing behind but staging', () => {
    expect(runtime.memory.used).toBe(0);
  });
});
