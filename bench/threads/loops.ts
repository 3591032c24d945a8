/**
 * The roof of two threads: the loops of assembly/roof.ts on this thread alone, and on this one and another at the same time. Their
 * work is in pieces, which are claimed from one count as heed's items are: a core that is taken away for a while leaves its pieces to
 * the other, and so the speed-up is what the two cores could do. Both begin awake.
 *
 * The other thread runs this file too, bundled by itself (bench/shipped.ts).
 */
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import type { Build } from '../../test/builds.ts';
import { sharedOf } from '../../src/threads/shared.ts';
import { normal } from '../../test/data.ts';
import { BROADCASTS, CHAINS, PEAK_FLOPS, roofBytes, type Chains, type RoofExports } from '../roof-loops.ts';
import { settle } from '../sample.ts';

/** Words that both threads see. Counts that both write have a line of their own. */
const [GO, HERE, START, DONE, CHAIN, AT, BYTES, STOP, LEFT, PENDING, WORDS] = [
  0, 1, 2, 3, 4, 5, 6, 7, 16, 32, 48,
] as const;

const PAGE = 65536;
const MAX_PAGES = 32768;

/** Bytes of a piece that is read, in four streams: long enough to fetch ahead, few enough to share fairly. */
const PIECE = 2 ** 20;

interface Begin {
  readonly purpose: typeof PURPOSE;
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly words: Int32Array;
}

const PURPOSE = 'heed: roof loops';

/** An array that loops read. */
export interface LoopArray {
  readonly at: number;
  readonly pieces: number;
}

/** The loops of one build, on one thread or two. Two threads until `dispose`. */
export class Loops {
  /** The register loop that is best alone. */
  readonly chains: Chains;
  readonly #words = new Int32Array(new SharedArrayBuffer(4 * WORDS));
  readonly #memory: WebAssembly.Memory;
  readonly #member: Member;
  readonly #worker: Worker;
  #arrays = PAGE;

  /** @param script a bundle of this file */
  constructor(build: Build, script: URL) {
    const module = new WebAssembly.Module(sharedOf(roofBytes(build)));
    this.#memory = new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES, shared: true });
    const begin = { purpose: PURPOSE, module, memory: this.#memory, words: this.#words } as const;
    this.#member = new Member(begin);
    this.#worker = new Worker(script, { workerData: begin, execArgv: [] });
    this.#worker.unref();
    const times = CHAINS.map((chains) => [settle(() => this.peak(1, 4, chains), 10), chains] as const);
    this.chains = times.toSorted(([a], [b]) => a - b)[0]![1];
  }

  /** Milliseconds of so many pieces of multiply-adds, with one thread or two. */
  peak(threads: 1 | 2, pieces: number, chains: Chains = this.chains): number {
    return this.#run(threads, chains, 0, pieces);
  }

  /** Milliseconds of reading an array once. */
  read(threads: 1 | 2, { at, pieces }: LoopArray): number {
    return this.#run(threads, 0, at, pieces);
  }

  /** A further array of about so many bytes, which no other loop reads. */
  array(bytes: number): LoopArray {
    const pieces = Math.max(1, Math.round(bytes / PIECE));
    const at = this.#arrays;
    this.#arrays += pieces * PIECE;
    const missing = this.#arrays - this.#memory.buffer.byteLength;
    if (missing > 0) {
      this.#memory.grow(missing / PAGE);
      // Every page is touched before it is timed, by normal numbers, as subnormal ones are slow on some chips.
      const floats = new Float32Array(this.#memory.buffer, this.#arrays - missing, missing / 4);
      const seed = normal(PAGE / 4, 1);
      for (let i = 0; i < floats.length; i += seed.length) floats.set(seed, i);
    }
    return { at, pieces };
  }

  /** The next array is the first again. */
  clear(): void {
    this.#arrays = PAGE;
  }

  dispose(): void {
    Atomics.store(this.#words, STOP, 1);
    this.#wake();
    void this.#worker.terminate();
  }

  #wake(): number {
    const go = Atomics.add(this.#words, GO, 1) + 1;
    Atomics.notify(this.#words, GO);
    return go;
  }

  #run(threads: 1 | 2, chains: number, at: number, pieces: number): number {
    const words = this.#words;
    words[CHAIN] = chains;
    words[AT] = at;
    words[BYTES] = PIECE;
    Atomics.store(words, LEFT, pieces);
    Atomics.store(words, PENDING, pieces);
    const go = threads === 2 ? this.#wake() : 0;
    if (threads === 2) spinUntil(words, HERE, go);
    const start = performance.now();
    Atomics.store(words, START, go);
    this.#member.work();
    spinUntil(words, PENDING, 0);
    const milliseconds = performance.now() - start;
    if (threads === 2) spinUntil(words, DONE, go);
    return milliseconds;
  }
}

/** One of the two. */
class Member {
  readonly #loops: RoofExports;
  readonly #words: Int32Array;
  /** What the loops computed is added here, so that no engine may leave them out. */
  sink = 0;

  constructor({ module, memory, words }: Begin) {
    this.#loops = new WebAssembly.Instance(module, { env: { memory } }).exports as RoofExports;
    this.#words = words;
  }

  work(): void {
    const words = this.#words;
    const [chains, at, bytes] = [words[CHAIN]!, words[AT]!, words[BYTES]!];
    for (;;) {
      const piece = Atomics.sub(words, LEFT, 1) - 1;
      if (piece < 0) return;
      if (chains === 0) this.sink += this.#loops.read4(at + piece * bytes, bytes);
      else this.sink += this.#loops[`peak${chains as Chains}`](BROADCASTS, PEAK_FLOPS / (8 * chains));
      Atomics.sub(words, PENDING, 1);
    }
  }
}

/** Milliseconds for what is waited for. A thread that has died says nothing to a caller that waits. */
const PATIENCE = 60e3;

function spinUntil(words: Int32Array, at: number, value: number): void {
  for (let looks = 1, end = performance.now() + PATIENCE; Atomics.load(words, at) !== value; looks++)
    if (looks % 4096 === 0 && performance.now() > end) throw new Error('a thread of the roof loops has died');
}

function serve(begin: Begin): void {
  const { words } = begin;
  const member = new Member(begin);
  for (let seen = 0; ;) {
    Atomics.wait(words, GO, seen);
    seen = Atomics.load(words, GO);
    if (Atomics.load(words, STOP) !== 0) return;
    Atomics.store(words, HERE, seen);
    spinUntil(words, START, seen);
    member.work();
    Atomics.store(words, DONE, seen);
  }
}

// Behind the class that it is one of.
if (!isMainThread && (workerData as Partial<Begin> | null)?.purpose === PURPOSE) serve(workerData as Begin);
