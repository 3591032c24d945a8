/** The options of an engine, the arguments of a tensor, and their resolvers: as in `attention.ts`. */
import * as check from '../checks/index.ts';
import { MAX_BYTES, or, PLAIN, type Filled } from '../checks/index.ts';
import type { WorkerFactory } from '../threads/spawn.ts';
import { TILE_WORDS, type Tile } from '../tile.ts';

/** How an engine is made. */
export interface EngineOptions {
  /**
   * Computing threads: 1 … 64 (ERR_RANGE). A synchronous call uses its caller and workers, one less than that; an asynchronous one
   * the workers alone. Default `'auto'`: the cores that there are, at most 8; one where threads can't be had, and then
   * `features.reason` says why. More than one where they can't be had: ERR_NO_THREADS.
   */
  readonly threads?: number | 'auto' | undefined;
  /**
   * Most bytes of memory: an integer from 1 (ERR_RANGE). Default 4 GiB, and no more than that; with threads, whose memory must
   * be reserved as a whole, 1 GiB, or less where the system refuses that.
   */
  readonly maxMemory?: number | undefined;
  /** Instruction set. Default `'auto'`: the best there is. Another word: ERR_OPTION. */
  readonly simd?: 'auto' | 'relaxed' | 'baseline' | undefined;
  /** Register tile of the matmul kernels, rows × columns. Default `'auto'`: the best here. Another word: ERR_OPTION. */
  readonly tile?: 'auto' | Tile | undefined;
  /**
   * Makes a worker that runs `heed/worker`, where neither a `blob:` nor the package's own file may be a worker's source. Default: the
   * first of those two that works. No function: ERR_ARG_TYPE. As below for webpack and Vite; other bundlers are told of one more
   * entry, a script that imports `heed/worker`.
   *
   * @example
   * import { createEngine } from 'heed';
   *
   * const workerFactory = () => new Worker(new URL('heed/worker', import.meta.url), { type: 'module' });
   * const engine = await createEngine({ workerFactory });
   */
  readonly workerFactory?: WorkerFactory | undefined;
  /**
   * Kernels that the caller brings, of `heed/wasm/relaxed.wasm` or `heed/wasm/baseline.wasm`; `simd` is then that of the file. A
   * `WebAssembly.Module`, for where bytes may not be compiled (Cloudflare's workers, a policy without `'wasm-unsafe-eval'`); it has
   * one thread, as compiled kernels cannot be given shared memory. Or the URL of such a file as it is deployed (in Node `file:` too): it
   * is loaded and compared, byte by byte, with what the package has inside, which then runs. One that differs is ERR_WASM_INTEGRITY,
   * none ERR_WASM_LOAD. Another kind of value: ERR_ARG_TYPE; a `simd` that it is not: ERR_OPTION.
   *
   * @example
   * import { createEngine } from 'heed';
   *
   * const engine = await createEngine({ wasm: new URL(import.meta.resolve('heed/wasm/baseline.wasm')) });
   * console.log(engine.features.simd);   // baseline
   * engine.dispose();
   */
  readonly wasm?: WasmModule | WasmUrl | undefined;
}

/** A `WebAssembly.Module`, of which types say no more than what it is not: bytes, or a promise. */
export interface WasmModule {
  /** Of bytes: they are to be compiled first. */
  readonly byteLength?: never;
  /** Of a promise: it is to be awaited first. */
  readonly then?: never;
}

/** A URL, or what it says. */
export type WasmUrl =
  | string
  | {
      /** What it says. */
      readonly href: string;
    };

/** A tensor to make. */
export interface TensorProblem {
  readonly shape: readonly number[];
  readonly data: Float32Array | undefined;
}

/** An engine to make. */
export interface EngineProblem extends Filled<Omit<EngineOptions, 'maxMemory' | 'workerFactory' | 'wasm'>> {
  /** Undefined: what is usual. */
  readonly maxMemory: number | undefined;
  readonly workerFactory: WorkerFactory | undefined;
  /** Undefined: what is inside the package. */
  readonly wasm: WebAssembly.Module | string | undefined;
}

/** `tensor(shape, data?)`: 1 to 8 dimensions, and as many elements of data. @throws HeedTypeError, HeedRangeError. */
export function resolveTensor(op: string, shape: unknown, data: unknown): TensorProblem {
  const list = check.arrayLike(op, 'shape', shape, 'an array of 1 to 8 dimensions');
  const given = check.values(op, 'shape', list, 1, 8);
  const D = check.optional(op, PLAIN, 'data', data);
  const names = given.map((_, axis) => `shape[${axis}]`);
  const sizes = check.dims(op, names, ...given);
  check.size(op, 'shape', names.join(' × '), sizes);
  if (D) check.fitsLength(op, 'data', D.value, names.join(' × '), sizes);
  return { shape: sizes, data: D?.value as Float32Array | undefined };
}

const ENGINE = new check.Known(
  (absent) => ({ ...absent }),
  'threads',
  'maxMemory',
  'simd',
  'tile',
  'workerFactory',
  'wasm',
);

/** What the default engine is made of: it is made in a call that does not wait, so it has one thread. */
export const DEFAULT: EngineProblem = {
  threads: 1,
  maxMemory: undefined,
  simd: 'auto',
  tile: 'auto',
  workerFactory: undefined,
  wasm: undefined,
};

/** `createEngine(options)`. `threads` above 1 pass: whether they can be had is the engine's to say. @throws as above. */
export function resolveEngine(options: unknown): EngineProblem {
  const op = 'createEngine';
  const o = check.options(op, options, ENGINE);
  const threads = or(o.threads, 'auto');
  const { maxMemory } = o;
  return {
    threads: threads === 'auto' ? threads : check.integer(op, 'threads', threads, 1, 64, "'auto' or "),
    maxMemory:
      maxMemory === undefined
        ? undefined
        : Math.min(check.integer(op, 'maxMemory', maxMemory, 1, Number.MAX_SAFE_INTEGER), MAX_BYTES),
    simd: check.word(op, 'simd', o.simd, ['auto', 'relaxed', 'baseline']),
    tile: check.word(op, 'tile', o.tile, ['auto', ...TILE_WORDS]),
    workerFactory: check.optionalFunction(op, 'workerFactory', o.workerFactory) as WorkerFactory | undefined,
    wasm: check.moduleOrUrl(op, 'wasm', o.wasm),
  };
}
