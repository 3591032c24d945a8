/**
 * A runtime whose every buffer stands alone between canaries, in a memory that cannot grow: what a kernel writes beside its results is
 * found after each run, with the name of the buffer next to it; what it reads beside its operands is NaN; and beyond the buffer that is
 * `last` there is nothing, so that to read one float more is a trap.
 *
 *   | constants, descriptors | 64 canaries | buffer | canaries | buffer | … canaries … | last buffer | end of memory
 *
 * It takes the place of `Runtime` under the engine's own operations. For tests only: nothing in src/ knows of it.
 */
import { expect } from 'vitest';
import { CHECK } from '../common/abi.ts';
import { APPEND_ARGS, ATTENTION_ARGS, GEMM_ARGS, MERGE_ARGS, ROPE_ARGS } from '../src/descriptor.ts';
import { DESCRIPTOR_BYTES } from '../src/descriptor.ts';
import { Engine } from '../src/engine.ts';
import { Runtime } from '../src/runtime.ts';
import { Tensor } from '../src/tensor.ts';
import type { Tile } from '../src/tile.ts';
import { driversOf, DRIVERS, type Driver } from '../src/wasm/exports.ts';
import { PAGE } from '../src/wasm/instantiate.ts';
import type { Build } from './builds.ts';
import { uniform } from './data.ts';

/** Bytes of canaries on both sides of a buffer. */
const FENCE = 64;
/**
 * A signalling NaN as float32, which no arithmetic gives, and two NaNs as float16. Neighbours differ, so that a canary that is copied
 * beside a result is seen, too.
 */
const canary = (word: number): number => 0x7fa07e00 + ((word & 0x1f) << 16) + ((word >>> 5) & 0x1ff);

type Name = (typeof DRIVERS)[number];

/** Of each driver the fields of its descriptor, and those that are addresses of what it may write. */
const ATTENTION = {
  fields: ATTENTION_ARGS,
  writes: ['out', 'logSumExp'],
  scratch: 'attentionScratch',
} as const;
const GEMM = { fields: GEMM_ARGS, scratch: 'gemmScratch' } as const;
const ABOUT: Readonly<
  Record<
    Name,
    {
      readonly fields: readonly string[];
      readonly writes: readonly string[];
      readonly scratch?: 'attentionScratch' | 'gemmScratch' | 'ropeScratch' | 'mergeScratch';
    }
  >
> = {
  attention: ATTENTION,
  decode: { ...ATTENTION, writes: [...ATTENTION.writes, 'parts'] },
  combine: { ...ATTENTION, writes: [...ATTENTION.writes, 'parts'] },
  weights: { ...ATTENTION, writes: ['weights'] },
  append: { fields: APPEND_ARGS, writes: ['to'] },
  gemm: { ...GEMM, writes: ['c'] },
  pack: { ...GEMM, writes: ['packed'] },
  rope: { fields: ROPE_ARGS, writes: ['out'], scratch: 'ropeScratch' },
  merge: { fields: MERGE_ARGS, writes: ['out', 'logSumExp'], scratch: 'mergeScratch' },
};

/** Fields that are addresses of what a call lays out in its staging. */
const ADDRESSES = [
  ...[
    'q',
    'k',
    'v',
    'x',
    'a',
    'b',
    'c',
    'from',
    'out',
    'logSumExp',
    'weights',
    'mask',
    'bias',
    'alibi',
    'sinks',
  ],
  ...['sequences', 'items', 'parts', 'combines', 'packed', 'positions', 'frequencies'],
];

/** A driver as it is, and where in words a field of its descriptor is. */
export type Tampering = (driver: Driver, at: (field: string) => number) => Driver;

interface Range {
  readonly address: number;
  readonly bytes: number;
}

export interface Buffer extends Range {
  readonly name: string;
}

export class Fenced extends Runtime {
  readonly engine: Engine = Engine.make(this, '');
  /** Address of a number in a cache: a multiple of this. */
  grain = 4;
  /** Bytes of the mask that calls are given: the one operand that no tensor can be. */
  maskBytes = 0;
  /** Words that scratch is filled with, over and over: what a call finds there may be anything. */
  found: readonly number[] = [];
  /** Stands in for a driver, to prove that the fences see what is wrong. */
  tamper: Tampering | undefined = undefined;
  readonly #base: number;
  readonly #end: number;
  readonly #next: () => number = uniform(1);
  readonly #canaries: Uint32Array;
  readonly #before: Uint8Array<ArrayBuffer>;
  readonly #after: Uint8Array<ArrayBuffer>;
  #buffers: Buffer[] = [];
  #top = 0;
  #last = '';
  #lastAt = 0;

  constructor(build: Build, tile: Tile, pages = 2) {
    super('fences', build, pages * PAGE, tile);
    // All that is left is one block, so the memory is as large as it can be.
    this.#base = super.allocate('fences', 1);
    this.#end = pages * PAGE;
    super.free(this.#base);
    super.allocate('fences', this.#end - this.#base);
    this.#canaries = Uint32Array.from({ length: this.#end / 4 }, (_, word) => canary(word));
    this.#before = new Uint8Array(this.#end);
    this.#after = new Uint8Array(this.#end);
    this.begin('');
  }

  /** Forgets all buffers; the one of this name will be the last. */
  begin(last: string): void {
    this.#buffers = [];
    this.#top = this.#base;
    this.#last = last;
    this.#lastAt = this.#end;
    this.#blank(this.#base, this.#end - this.#base);
  }

  /** Those there have been since. */
  get buffers(): readonly Buffer[] {
    return this.#buffers;
  }

  /** A tensor of these numbers; of canaries where there are none. */
  tensor(name: string, shape: readonly number[], data?: Float32Array): Tensor {
    const tensor = Tensor.make(this, this.#place(name, 4 * shape.reduce((a, b) => a * b, 1), 4), shape);
    if (data !== undefined) tensor.data.set(data);
    return tensor;
  }

  /** Pages that hold all of them, whichever is the last. */
  get pages(): number {
    return Math.ceil((this.#top + 4 * FENCE) / PAGE);
  }

  // ---- what the engine asks of its runtime ----

  override allocate(op: string, bytes: number): number {
    // The constructor of Runtime asks before there are fences.
    if (!(#buffers in this)) return super.allocate(op, bytes);
    return this.#place(op, bytes, op === 'kvCache' ? this.grain : 4);
  }

  override free(): boolean {
    return true;
  }

  override watch(): void {
    // Buffers go with the next `begin`, all at once.
  }

  override unwatch(): void {
    // As above.
  }

  /** Staging is taken anew for each call, with not a byte more than it asks for. */
  override get staged(): number {
    return -1;
  }

  override get staging(): number {
    return this.#find('staging')!.address;
  }

  override stage(_op: string, bytes: number): void {
    this.#remove('staging');
    // Tables of float64 are in there.
    this.#place('staging', bytes, 8);
  }

  /** Runs a driver with scratch of its own, of as many bytes as the kernels ask for, and looks at every byte of the memory. */
  override run(
    op: string,
    driver: Driver,
    descriptor: number,
    count: number,
    scratch: number,
    slab = 0,
    before?: (item: number) => void,
    whole = false,
  ): number {
    const name = DRIVERS[driversOf(this.kernels).indexOf(driver)]!;
    const { fields, scratch: asks } = ABOUT[name];
    const at = (field: string): number => (descriptor >>> 2) + fields.indexOf(field);
    if (fields === ATTENTION_ARGS) this.#moveMask(at('mask'));
    let own = 0;
    if (asks !== undefined) {
      this.#remove('scratch');
      const bytes = this.kernels[asks](descriptor);
      own = this.#place('scratch', bytes, 4);
      const there = this.words.u32.subarray(own >>> 2, (own + bytes) >>> 2);
      for (const i of this.found.length === 0 ? [] : there.keys())
        there[i] = this.found[i % this.found.length]!;
    }
    const writable = this.#writable(name, descriptor, at, scratch);
    if (before !== undefined) writable.push(this.#find('staging')!);
    const memory = this.words.u8;
    this.#before.set(memory);
    const runs = this.tamper?.(driver, at) ?? driver;
    const step = super.run(op, runs, descriptor, count, own, slab, before, whole);
    this.#after.set(memory);
    for (const { address, bytes } of writable) {
      this.#after.set(this.#before.subarray(address, address + bytes), address);
    }
    const word = firstDifference(new Uint32Array(this.#before.buffer), new Uint32Array(this.#after.buffer));
    if (word >= 0) {
      const byte = [0, 1, 2, 3].find((i) => this.#before[4 * word + i] !== this.#after[4 * word + i])!;
      expect.fail(`${op}, ${name}: wrote ${this.#where(4 * word + byte)}`);
    }
    return step;
  }

  // ---- buffers ----

  #place(name: string, bytes: number, grain: number): number {
    let unique = name;
    for (let i = 2; this.#find(unique) !== undefined; i++) unique = `${name} ${i}`;
    let address;
    if (unique === this.#last) {
      address = Math.floor((this.#end - bytes) / grain) * grain;
      this.#lastAt = address;
    } else {
      // At every alignment in turn, within a vector.
      address = this.#top + FENCE + grain * Math.floor((this.#next() * 16) / grain);
      this.#top = Math.ceil((address + bytes) / FENCE) * FENCE;
    }
    if (this.#top + FENCE > this.#lastAt) expect.fail(`${name}: too much for the memory`);
    this.#buffers.push({ name: unique, address, bytes });
    return address;
  }

  #find(name: string): Buffer | undefined {
    return this.#buffers.find((each) => each.name === name);
  }

  #remove(name: string): void {
    const found = this.#find(name);
    if (found === undefined) return;
    this.#buffers.splice(this.#buffers.indexOf(found), 1);
    this.#blank(found.address, found.bytes);
    if (name === this.#last) this.#lastAt = this.#end;
  }

  #blank(address: number, bytes: number): void {
    const { u32 } = this.words;
    const [first, end] = [Math.floor(address / 4), Math.ceil((address + bytes) / 4)];
    u32.set(this.#canaries.subarray(first, end), first);
  }

  /** A mask is staged, where its neighbours are other operands: it gets a place of its own. */
  #moveMask(at: number): void {
    const { u8, u32 } = this.words;
    const address = u32[at]!;
    if (address === 0 || this.#find('mask')?.address === address) return;
    this.#remove('mask');
    const own = this.#place('mask', this.maskBytes, 1);
    u8.copyWithin(own, address, address + this.maskBytes);
    u32[at] = own;
  }

  /** What a driver may write: its results, and its scratch. */
  #writable(name: Name, descriptor: number, at: (field: string) => number, scratch: number): Range[] {
    const { u32 } = this.words;
    const { fields, writes } = ABOUT[name];
    const ranges: Range[] = this.#buffers.filter((each) => each.name === 'scratch');
    if (name === 'append') {
      ranges.push({ address: 4 * at('found'), bytes: 4 });
      if (u32[at('mode')] === CHECK) return ranges;
    }
    // In staging what a driver writes ends where the next thing begins, at the latest.
    const begins = fields.filter((field) => ADDRESSES.includes(field)).map((field) => u32[at(field)]!);
    for (const field of writes) {
      const address = u32[at(field)]!;
      if (address === 0) continue;
      const buffer = this.#buffers.find(
        (each) => address >= each.address && address <= each.address + each.bytes,
      );
      if (buffer === undefined) return expect.fail(`${name}: ${field} lies in no buffer`);
      if (buffer.name !== 'staging') {
        ranges.push(buffer);
        continue;
      }
      const ends = [...begins, scratch, buffer.address + buffer.bytes].filter((each) => each > address);
      ranges.push({ address, bytes: Math.min(...ends) - address });
    }
    return ranges;
  }

  /** A byte, told by the nearest buffer. */
  #where(byte: number): string {
    for (const descriptor of [this.descriptor, this.attentionDescriptor]) {
      if (byte >= descriptor && byte < descriptor + DESCRIPTOR_BYTES) return 'into a descriptor';
    }
    const distances = this.#buffers.map(({ name, address, bytes }) => {
      if (byte < address) return { bytes: address - byte, text: `${address - byte} bytes before "${name}"` };
      const behind = byte - address - bytes;
      if (behind < 0) return { bytes: 0, text: `into "${name}"` };
      return { bytes: behind + 1, text: `${behind} bytes behind "${name}"` };
    });
    return distances.reduce((a, b) => (b.bytes < a.bytes ? b : a)).text;
  }
}

/** A call of an engine, its operands in fenced buffers: gives copies of its results. */
export type FencedCall = (fenced: Fenced) => readonly Float32Array[];

/** Fences a call in a memory that is as small as it can be, of the memories made for calls before it where one fits. */
export function fencesOf(build: Build, tile: Tile): (call: FencedCall) => void {
  const memories = new Map<number, Fenced>();
  const memoryOf = (pages: number): Fenced => {
    const made = memories.get(pages) ?? new Fenced(build, tile, pages);
    memories.set(pages, made);
    return made;
  };
  return (call) => {
    const large = memoryOf(MOST_PAGES);
    large.begin('');
    call(large);
    fence(memoryOf(large.pages), call);
  };
}

/** Enough for all cases of tests. */
const MOST_PAGES = 64;

/**
 * Makes a call once for each of its buffers, with that one at the end of the memory. No result may have a NaN, and where a buffer lies
 * changes no bit.
 */
export function fence(fenced: Fenced, call: FencedCall): void {
  fenced.begin('');
  const results = call(fenced);
  for (const [i, result] of results.entries()) {
    if (result.some(Number.isNaN)) expect.fail(`result ${i} has a NaN: [${result.findIndex(Number.isNaN)}]`);
  }
  const names = fenced.buffers.map(({ name }) => name);
  for (const last of names) {
    fenced.begin(last);
    const again = call(fenced);
    for (const [i, result] of results.entries()) {
      const differs = firstDifference(wordsOf(result), wordsOf(again[i]!));
      if (differs >= 0) expect.fail(`with "${last}" last result ${i} differs at [${differs}]`);
    }
  }
}

/** As in test/equal.ts; of words alone, as the sweep of all small shapes is little else. */
function firstDifference(a: Uint32Array, b: Uint32Array): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return i;
  return -1;
}

function wordsOf({ buffer, byteOffset, length }: Float32Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, length);
}
