/**
 * What the tests of single kernels stand on: one small memory a build, filled with canaries, in which operands are laid
 * out by hand; a check that a kernel wrote only what it should; and its arithmetic, multiply-add by multiply-add, in
 * plain JavaScript. No engine, no host allocator: a kernel gets addresses and nothing else.
 */
import { expect } from 'vitest';
import type { KernelExports, Panels } from '../../src/wasm/exports.ts';
import { testingModule, type Build } from '../builds.ts';
import { equal, firstDifference } from '../equal.ts';

/** Epilogues, as in assembly/kernels/f32-panel-store.ts. */
export const ADD = 0;
export const MAX = 1;
export type Epilogue = typeof ADD | typeof MAX;

export type Tile = (
  a: number,
  lda: number,
  b: number,
  k: number,
  c: number,
  ldc: number,
  f: number,
  epilogue: Epilogue,
) => void;

/** Dot products of one row with rows. */
export type Dots = (
  a: number,
  b: number,
  ldb: number,
  k: number,
  rows: number,
  t: number,
  step: number,
) => void;

/** One row against four packed panels. */
export type FourPanels = (a: number, b: number, panel: number, k: number, c: number, step: number) => void;

/** Rows of B swept once. */
export type Sweep = (a: number, b: number, ldb: number, cols: number, t: number) => void;

/** The weighted sum for one query. */
export type PvRow = (
  v: number,
  ldv: number,
  valueDim: number,
  p: number,
  keys: number,
  o: number,
  factor: number,
) => void;

/** f32RopeSplit and f32RopeInterleaved. */
export type Turn = (
  x: number,
  xStep: number,
  out: number,
  outStep: number,
  rows: number,
  table: number,
  tableStep: number,
  pairs: number,
) => void;

type Size = '1x8' | '2x8' | '4x8' | '6x8' | '3x12' | '4x16' | '6x16';
export type Row = `f32Gemm${Size}`;
export type Column = `f32GemmT${Size}`;
export type Choice = 'rowsAdd' | 'rowsMax' | 'columnsAdd';

/** What assembly/testing.ts adds to the surface that ships. */
export type TestingExports = KernelExports &
  Readonly<Record<Row | Column, Tile>> &
  Readonly<Record<Choice, Panels>> &
  Readonly<Record<'f32RopeSplit' | 'f32RopeInterleaved', Turn>> &
  Readonly<Record<'f32Dot' | 'f32Dot8', Dots>> &
  Readonly<Record<'f32Gemm1x32' | 'f32Gemm1x32Pairs', FourPanels>> &
  Readonly<Record<'f32Gemv4' | 'f32Gemv8', Sweep>> &
  Readonly<Record<'f32Pv1x16' | 'f32Pv1x32', PvRow>> & {
    f32Gemv1(a: number, b: number, cols: number, t: number): void;
    f32Pack(b: number, ldb: number, k: number, cols: number, panel: number): void;
    f32PvExact(
      v: number,
      ldv: number,
      valueDim: number,
      p: number,
      keys: number,
      seen: number,
      o: number,
      factor: number,
    ): void;
    f32PvExactRow(
      v: number,
      ldv: number,
      valueDim: number,
      p: number,
      keys: number,
      seen: number,
      o: number,
      factor: number,
    ): void;
    f32Pv4x8(
      v: number,
      ldv: number,
      valueDim: number,
      p: number,
      keys: number,
      o: number,
      ldo: number,
      factor: number,
    ): void;
    f32Qk4x2(q: number, ldq: number, k: number, ldk: number, headDim: number, keys: number, s: number): void;
    f32CopyRows(from: number, ldf: number, rows: number, n: number, to: number, ldt: number): void;
    f32Row(from: number, n: number, scale: number, to: number): void;
    f32Touch(
      k: number,
      ldk: number,
      kBytes: number,
      v: number,
      ldv: number,
      vBytes: number,
      rows: number,
      rest: number,
    ): void;
    f16Check(from: number, n: number): number;
    f16Narrow(from: number, n: number, to: number): void;
    f16Widen(from: number, ldf: number, rows: number, n: number, to: number, ldt: number, raw: boolean): void;
    f16Dot(a: number, b: number, ldb: number, k: number, rows: number, t: number, step: number): void;
    f16Pv1x32(
      v: number,
      ldv: number,
      valueDim: number,
      p: number,
      keys: number,
      o: number,
      factor: number,
    ): void;
    f32ScoreSeen(s: number, keys: number, seen: number): void;
    f32ScoreLimit(s: number, first: number, keys: number, start: number, limit: number, m: number): void;
    f32ScoreScale(s: number, vectors: number, scale: number): void;
    f32ScoreCap(s: number, vectors: number, half: number, twice: number, cap: number): void;
    f32ScoreAlibi(s: number, keys: number, place: number, slope: number): void;
    f32ScoreBias(s: number, keys: number, b: number, step: number): void;
    f32MaskSeen(rows: number, keys: number): number;
    f32ScoreMask(s: number, keys: number, rows: number): void;
    f32SoftmaxOnline(s: number, keys: number, vectors: number, factor: number, m: number, l: number): void;
    f32RowsToPanel(rows: number, n: number, scale: number, panel: number): void;
    f32PanelToRows(
      panel: number,
      n: number,
      factor: number,
      rows: number,
      count: number,
      foreign: number,
    ): void;
    f32Merge(table: number, parts: number, dim: number, out: number): void;
    f32MergeWeights(lse: number, parts: number, sum: number): void;
    f32RopePairs(x: number, out: number, gap: number, step: number, table: number, pairs: number): void;
    f32RopeTable(position: number, frequencies: number, pairs: number, table: number): void;
    f32Weights(s: number, keys: number, m: number, inverse: number): void;
    exp2Vectors(p: number, vectors: number): void;
    exp2FourVectors(p: number, vectors: number): void;
  };

/** Bytes that a kernel may write. */
export interface Written {
  readonly address: number;
  readonly words: { readonly byteLength: number };
}

/** A piece of the arena. */
export interface Block extends Written {
  readonly address: number;
  /** What lies there now. */
  readonly floats: Float32Array;
  readonly words: Uint32Array;
}

const PAGES = 2;
const BYTES = PAGES * 65536;
/** Between any two blocks, and NaN as a float: what reads beyond its operand spoils its result. */
const GUARD = 64;
/** A signalling NaN, so that a canary that went through a register does not come back the same. */
const CANARY = 0x7fa00d1e;

/** A build's kernels over a memory of their own. */
export class Arena {
  readonly kernels: TestingExports;
  /** Whether the build's multiply-add rounds once. */
  readonly fma: boolean;
  readonly #memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  readonly #before = new Uint8Array(BYTES);
  readonly #after = new Uint8Array(BYTES);
  readonly #base: number;
  #next: number;
  #last = BYTES;
  #placed = 0;

  constructor(build: Build) {
    const { exports } = new WebAssembly.Instance(testingModule(build), {
      env: { memory: this.#memory, abort: refuse },
    });
    this.kernels = exports as TestingExports;
    this.fma = this.kernels.multiplyAdd(1 + 2 ** -12, 1 + 2 ** -12, -(1 + 2 ** -11)) !== 0;
    this.#base = Math.ceil(this.kernels.heapBase() / GUARD) * GUARD;
    this.#next = this.#base;
    this.clear();
  }

  /** Forgets all blocks and fills the memory with canaries. */
  clear(): void {
    new Uint32Array(this.#memory.buffer, this.#base).fill(CANARY);
    this.#next = this.#base;
    this.#last = BYTES;
    this.#placed = 0;
  }

  /** Room for `length` floats, canaries inside and on both sides, at each alignment of four bytes in turn. */
  room(length: number): Block {
    const address = this.#next + GUARD + 4 * (this.#placed++ % 4);
    this.#next = Math.ceil((address + 4 * length) / GUARD) * GUARD;
    expect(this.#next + GUARD, 'the arena is full').toBeLessThanOrEqual(this.#last);
    return this.#block(address, length);
  }

  /** A copy of `data`. */
  place(data: ArrayLike<number>): Block {
    const block = this.room(data.length);
    block.floats.set(data);
    return block;
  }

  /** A copy of `data` whose last byte is the memory's last: to read beyond it is a trap. Once between two clears. */
  placeLast(data: ArrayLike<number>): Block {
    expect(this.#last, 'one block only can be the last').toBe(BYTES);
    this.#last = BYTES - 4 * data.length;
    const block = this.#block(this.#last, data.length);
    block.floats.set(data);
    return block;
  }

  /** A table of addresses, or of any words. */
  table(words: readonly number[]): Block {
    const block = this.room(words.length);
    block.words.set(words);
    return block;
  }

  /** Runs a kernel and requires that every byte outside `written` is as it was. */
  run(written: readonly Written[], kernel: () => void): void {
    const memory = new Uint8Array(this.#memory.buffer);
    const [before, after] = [this.#before, this.#after];
    before.set(memory);
    kernel();
    after.set(memory);
    for (const { address, words } of written) {
      after.set(before.subarray(address, address + words.byteLength), address);
    }
    if (equal(new Uint32Array(before.buffer), new Uint32Array(after.buffer))) return;
    const at = firstDifference(before, after);
    const blocks = written.map(({ address, words }) => `${address} … ${address + words.byteLength}`);
    expect.fail(`wrote at ${at}, outside of [${blocks.join(', ')}]`);
  }

  /** a·b + c as the build's multiply-add rounds it. */
  madd(a: number, b: number, c: number): number {
    return this.fma ? fusedMultiplyAdd(a, b, c) : Math.fround(Math.fround(a * b) + c);
  }

  #block(address: number, length: number): Block {
    return {
      address,
      floats: new Float32Array(this.#memory.buffer, address, length),
      words: new Uint32Array(this.#memory.buffer, address, length),
    };
  }
}

/** `assert` of the testing builds. */
function refuse(_message: number, _file: number, line: number, column: number): void {
  throw new Error(`assertion failed at line ${line}, column ${column}`);
}

const double = new Float64Array(1);
const bits = new BigInt64Array(double.buffer);

/**
 * The float32 nearest to a·b + c. The product of two float32 is exact in a double; their sum is rounded to odd, from
 * where a second rounding, to a format of at most 51 bits, is as good as one (Boldo & Melquiond 2008).
 */
export function fusedMultiplyAdd(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const part = sum - product;
  // Knuth's TwoSum: product + c = sum + error, exactly.
  const error = product - (sum - part) + (c - part);
  if (error !== 0 && Number.isFinite(sum)) {
    double[0] = sum;
    const word = bits[0]!;
    // The sum lies beside the exact value: of the two doubles around it take the odd one.
    if ((word & 1n) === 0n) bits[0] = word + (error > 0 === sum > 0 ? 1n : -1n);
    return Math.fround(double[0]);
  }
  return Math.fround(sum);
}

// ---- comparing ----

/** Unit roundoff of float32. */
export const U: number = 2 ** -24;

/** Higham's γₙ = nu / (1 − nu): the bound on n roundings, one after the other. */
export function gamma(n: number): number {
  return (n * U) / (1 - n * U);
}

/** Same bits, the sign of a zero included; any NaN is any other (its bits are free in wasm). */
export function expectSame(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(actual[i], expected[i])) expect.fail(`${what}: [${i}] ${actual[i]} ≠ ${expected[i]}`);
  }
}

/** Every element as near as its own bound says. */
export function expectWithin(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bound: ArrayLike<number>,
  what: string,
): void {
  expect(actual.length, what).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    // Not `>`: a NaN must fail.
    if (!(Math.abs(actual[i]! - expected[i]!) <= bound[i]!)) {
      expect.fail(`${what}: [${i}] ${actual[i]}, expected ${expected[i]} ± ${bound[i]}`);
    }
  }
}

/** Part of a block. */
export function part({ address, floats, words }: Block, start: number, length: number): Block {
  return {
    address: address + 4 * start,
    floats: floats.subarray(start, start + length),
    words: words.subarray(start, start + length),
  };
}
