/**
 * A cache as a plain program would keep it, one object a token, and what a KVCache must hold and give beside it: the same
 * tokens in its memory, the bits of a call to attention with all of them, the law of float64.
 */
import { expect } from 'vitest';
import type { AppendOptions, AttendOptions, Engine, KVCache, KVCacheOptions } from '../src/index.ts';
import type { Filled } from '../src/checks/index.ts';
import { runtimeOf } from '../src/engine.ts';
import { normal } from './data.ts';
import { halfValue, roundToHalf } from './halves.ts';
import { mostUse } from './decoding.ts';
import { at, expectSameBits, swapped } from './problems.ts';

/** [kvHeads, headDim] and [kvHeads, valueDim] */
export interface Token {
  readonly k: Float32Array;
  readonly v: Float32Array;
}

export class PlainCache {
  readonly options: Filled<KVCacheOptions>;
  /** Of each sequence, by position. */
  readonly rows: Token[][];
  /** What lies in each slot of a ring. */
  readonly #slots: (Token | undefined)[][];

  constructor(options: KVCacheOptions) {
    const { batch = 1, valueDim = options.headDim, dtype = 'f32', ring = false } = options;
    const capacity = ring ? 96 * Math.ceil(options.capacity / 96) : options.capacity;
    this.options = { ...options, batch, valueDim, dtype, ring, capacity };
    this.rows = Array.from({ length: batch }, () => []);
    this.#slots = Array.from({ length: batch }, () => []);
  }

  get lengths(): number[] {
    return this.rows.map((row) => row.length);
  }

  get length(): number {
    return Math.max(0, ...this.lengths);
  }

  /** Whether `counts` tokens more have room. */
  fits(counts: readonly number[]): boolean {
    const { capacity, ring } = this.options;
    return counts.every((count, b) => count + (ring ? 0 : this.rows[b]!.length) <= capacity);
  }

  append(k: Float32Array, v: Float32Array, { counts, layout }: AppendOptions = {}): void {
    const { batch, kvHeads, headDim, valueDim, capacity, dtype } = this.options;
    const tokens = k.length / (batch * kvHeads * headDim);
    const token = (x: Float32Array, dim: number, b: number, t: number): Float32Array =>
      Float32Array.from({ length: kvHeads * dim }, (_, i) => {
        const y = x[at(layout, kvHeads, tokens, dim, b, Math.floor(i / dim), t) + (i % dim)]!;
        return dtype === 'f16' ? roundToHalf(y) : y;
      });
    for (const [b, row] of this.rows.entries()) {
      for (let t = 0; t < (counts?.[b] ?? tokens); t++) {
        const made = { k: token(k, headDim, b, t), v: token(v, valueDim, b, t) };
        this.#slots[b]![row.length % capacity] = made;
        row.push(made);
      }
    }
  }

  truncate(n: number): void {
    for (const row of this.rows) row.length = Math.min(row.length, n);
  }

  /** Whether token j of sequence b is still there: no later one has taken its slot, even one that was truncated away. */
  holds(b: number, j: number): boolean {
    const { capacity, ring } = this.options;
    return !ring || this.#slots[b]![j % capacity] === this.rows[b]![j];
  }

  /** Whether everything that the last seqQ tokens see through a window is there, now and whatever else is appended. */
  sees(seqQ: number, before: number): boolean {
    if (!this.options.ring) return true;
    if (before + seqQ > this.options.capacity) return false;
    return this.rows.every((row, b) => {
      return row.every((_, j) => j < row.length - seqQ - before || this.holds(b, j));
    });
  }

  /** [batch, length, kvHeads, dim], or in the other layout; NaN where there is no token, or none any more. */
  all(name: 'k' | 'v', layout: 'bshd' | 'bhsd'): Float32Array {
    const { batch, kvHeads } = this.options;
    const dim = name === 'k' ? this.options.headDim : this.options.valueDim;
    const width = kvHeads * dim;
    const x = new Float32Array(batch * this.length * width).fill(NaN);
    for (const [b, row] of this.rows.entries()) {
      for (const [j, token] of row.entries()) {
        if (this.holds(b, j)) x.set(token[name], (b * this.length + j) * width);
      }
    }
    return layout === 'bshd' ? x : swapped(x, batch, kvHeads, this.length, dim, 'bshd');
  }
}

/** A KVCache and its plain double, which are told the same. */
export class Pair {
  readonly cache: KVCache;
  readonly plain: PlainCache;
  readonly #engine: Engine;
  #seed = 1;

  constructor(engine: Engine, options: KVCacheOptions) {
    this.#engine = engine;
    this.cache = engine.kvCache(options);
    this.plain = new PlainCache(options);
  }

  /** Random tokens. */
  make(tokens: number, sigma = 1): [k: Float32Array, v: Float32Array] {
    const { batch, kvHeads, headDim, valueDim } = this.plain.options;
    const size = batch * tokens * kvHeads;
    return [normal(size * headDim, this.#seed++, sigma), normal(size * valueDim, this.#seed++, sigma)];
  }

  append(
    tokens: number,
    options?: AppendOptions,
    [k, v]: readonly [k: Float32Array, v: Float32Array] = this.make(tokens),
  ): void {
    this.cache.append(k, v, options);
    this.plain.append(k, v, options);
    this.expectLengths();
  }

  truncate(n: number): void {
    this.cache.truncate(n);
    this.plain.truncate(n);
    this.expectLengths();
  }

  expectLengths(): void {
    expect([...this.cache.lengths]).toEqual(this.plain.lengths);
    expect(this.cache.length).toBe(this.plain.length);
    expect(this.cache.capacity).toBe(this.plain.options.capacity);
  }

  /** The memory holds every token that there is, bit by bit. */
  expectContents(): void {
    const { batch, kvHeads, headDim, valueDim, capacity, dtype } = this.plain.options;
    const { u8 } = runtimeOf('test', this.#engine).words;
    const { keys, values } = this.cache.addressesOf('test');
    const bytes = dtype === 'f16' ? 2 : 4;
    for (const [name, from, dim] of [
      ['k', keys, headDim],
      ['v', values, valueDim],
    ] as const) {
      const memory = u8.slice(from, from + bytes * batch * kvHeads * capacity * dim).buffer;
      const numbers = dtype === 'f16' ? new Uint16Array(memory) : new Float32Array(memory);
      const valueOf = dtype === 'f16' ? halfValue : (x: number): number => x;
      for (const [b, row] of this.plain.rows.entries()) {
        for (const [j, token] of row.entries()) {
          if (!this.plain.holds(b, j)) continue;
          for (let h = 0; h < kvHeads; h++) {
            const start = ((b * kvHeads + h) * capacity + (j % capacity)) * dim;
            for (let d = 0; d < dim; d++) {
              const value = valueOf(numbers[start + d]!);
              if (Object.is(value, token[name][h * dim + d])) continue;
              expect.fail(`${name} ${j} of sequence ${b}, head ${h}: [${d}] ${value}`);
            }
          }
        }
      }
    }
  }

  /** A random query of that many heads. */
  query(heads: number, seqQ = 1, sigma = 1): Float32Array {
    const { batch, headDim } = this.plain.options;
    return normal(batch * heads * seqQ * headDim, this.#seed++, sigma);
  }

  /** The bits of attention with all keys, inside the law of float64, logSumExp too. Gives the result. */
  expectAttends(
    options: AttendOptions,
    q: Float32Array = this.query(options.heads, options.seqQ),
  ): Float32Array {
    const { batch, kvHeads, headDim, valueDim } = this.plain.options;
    const { seqQ = 1, layout = 'bshd', heads, ...scores } = options;
    const { lengths, length } = this.plain;
    const inputs = [q, this.plain.all('k', layout), this.plain.all('v', layout)] as const;
    const call = {
      ...{ batch, seqQ, seqK: length, heads, kvHeads, headDim, valueDim, layout, ...scores },
      ...{ causal: true, keyLengths: lengths, queryOffset: lengths.map((each) => each - seqQ) },
    };
    const sums = [new Float32Array(batch * heads * seqQ), new Float32Array(batch * heads * seqQ)] as const;
    const out = this.cache.attend(q, { ...options, logSumExp: sums[0] });
    expectSameBits(out, this.#engine.attention(...inputs, { ...call, logSumExp: sums[1] }));
    expectSameBits(...sums);
    expect(mostUse(inputs, call, out, sums[0])).toBeLessThanOrEqual(1);
    return out;
  }
}

/** The cache of the fault tests: two sequences, which hold 3 tokens and 1. */
export const FAULTY = { batch: 2, kvHeads: 2, headDim: 3, valueDim: 4, capacity: 5 } as const;

export function filled(engine: Engine, more: Partial<KVCacheOptions> = {}): KVCache {
  const cache = engine.kvCache({ ...FAULTY, ...more });
  cache.append(normal(36, 1), normal(48, 2), { counts: [3, 1] });
  return cache;
}

/** A call with whatever arguments. */
export function untyped(
  cache: KVCache,
  name: 'append' | 'attend' | 'truncate',
  ...given: unknown[]
): unknown {
  return (cache[name] as (...all: unknown[]) => unknown).apply(cache, given);
}
