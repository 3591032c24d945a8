/** The options of an engine, the arguments of a tensor, and their resolvers: as in `attention.ts`. */
import * as check from '../checks.ts';
import { MAX_BYTES, or, PLAIN, type Filled } from '../checks.ts';
import { TILE_WORDS, type Tile } from '../tile.ts';

/** How an engine is made. */
export interface EngineOptions {
  /** Computing threads: 1 … 64 (ERR_RANGE) or `'auto'`, the default. */
  readonly threads?: number | 'auto' | undefined;
  /** Most bytes of memory: an integer from 1 (ERR_RANGE). Default, and most that there can be: 4 GiB. */
  readonly maxMemory?: number | undefined;
  /** Instruction set. Default `'auto'`: the best there is. Another word: ERR_OPTION. */
  readonly simd?: 'auto' | 'relaxed' | 'baseline' | undefined;
  /** Register tile of the matmul kernels, rows × columns. Default `'auto'`: the best here. Another word: ERR_OPTION. */
  readonly tile?: 'auto' | Tile | undefined;
}

/** A tensor to make. */
export interface TensorProblem {
  readonly shape: readonly number[];
  readonly data: Float32Array | undefined;
}

/** An engine to make; `'auto'` threads are one for now. */
export interface EngineProblem extends Filled<Omit<EngineOptions, 'threads'>> {
  readonly threads: number;
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

const ENGINE = new check.Known((absent) => ({ ...absent }), 'threads', 'maxMemory', 'simd', 'tile');

/** What the default engine is made of: what `resolveEngine(undefined)` gives, which a first call so does not wait for. */
export const DEFAULT: EngineProblem = { threads: 1, maxMemory: MAX_BYTES, simd: 'auto', tile: 'auto' };

/** `createEngine(options)`. `threads` above 1 pass: whether they can be had is the engine's to say. @throws as above. */
export function resolveEngine(options: unknown): EngineProblem {
  const op = 'createEngine';
  const o = check.options(op, options, ENGINE);
  const threads = or(o.threads, 'auto');
  const maxMemory = check.integer(op, 'maxMemory', or(o.maxMemory, MAX_BYTES), 1, Number.MAX_SAFE_INTEGER);
  return {
    threads: threads === 'auto' ? 1 : check.integer(op, 'threads', threads, 1, 64, "'auto' or "),
    maxMemory: Math.min(maxMemory, MAX_BYTES),
    simd: check.word(op, 'simd', o.simd, ['auto', 'relaxed', 'baseline']),
    tile: check.word(op, 'tile', o.tile, ['auto', ...TILE_WORDS]),
  };
}
