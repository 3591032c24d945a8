/** The door of matmul, packMatrix, tensor and createEngine. What counts as a float array is in door-arrays. */
import { describe, expect, it } from 'vitest';
import { PLAIN } from '../src/checks/index.ts';
import { resolveEngine, resolveTensor } from '../src/options/engine.ts';
import { resolveMatmul, resolvePack } from '../src/options/matmul.ts';
import { matmul } from '../src/reference.ts';
import { f32 } from './data.ts';
import { absent, table, type Row } from './door.ts';
import { fault } from './nothing-lost.ts';

const dim = 'an integer from 0 to 4294967296';

describe('matmul', () => {
  const good = { M: 2, N: 4, K: 3 };
  const a = f32(6);
  const b = f32(12);
  const resolve = (more: object, x: unknown = a, y: unknown = b) =>
    resolveMatmul('matmul', PLAIN, x, y, { ...good, ...more }).problem;

  it('fills in the defaults', () => {
    const defaults = { batch: 1, transposeA: false, transposeB: false, sharedB: true, packed: false };
    expect(resolve({})).toEqual({
      tensors: false,
      outShape: [1, 2, 4],
      bias: undefined,
      ...defaults,
      ...good,
    });
  });
  it('knows by its length whether b is one matrix for all', () => {
    expect(resolve({ batch: 2 }, f32(12), f32(12)).sharedB).toBe(true);
    expect(resolve({ batch: 2 }, f32(12), f32(24)).sharedB).toBe(false);
    expect(resolve({ batch: 0 }, f32(0), f32(12)).sharedB).toBe(true);
    expect(resolve({ batch: 0 }, f32(0), f32(0)).sharedB).toBe(false);
  });
  it('takes 0 for M, N, K and batch, and transposed operands', () => {
    for (const name of ['M', 'N', 'K', 'batch']) {
      const dims = { ...good, batch: 1, [name]: 0 };
      const [x, y] = [f32(dims.batch * dims.M * dims.K), f32(dims.K * dims.N)];
      expect(() => resolve({ ...dims, transposeA: true, transposeB: true }, x, y)).not.toThrow();
    }
  });
  table(
    'matmul',
    [
      [{ M: undefined }, 'M', 'ERR_ARG_TYPE', absent],
      [{ N: undefined }, 'N', 'ERR_ARG_TYPE', absent],
      [{ K: undefined }, 'K', 'ERR_ARG_TYPE', absent],
      [{ M: '2' }, 'M', 'ERR_ARG_TYPE', 'number, got string'],
      [{ K: 3n }, 'K', 'ERR_ARG_TYPE', 'number, got bigint'],
      [{ M: -1 }, 'M', 'ERR_DIM', `${dim}, got -1`],
      [{ N: 1.5 }, 'N', 'ERR_DIM', `${dim}, got 1.5`],
      [{ batch: 2 ** 32 + 8 }, 'batch', 'ERR_DIM', `${dim}, got 4294967304`],
      [
        { tranposeB: true },
        'tranposeB',
        'ERR_UNKNOWN_OPTION',
        'one of M, N, K, batch, transposeA, transposeB, bias, out, got an unknown option — did you mean "transposeB"?',
      ],
      [{ transposeA: 1 }, 'transposeA', 'ERR_ARG_TYPE', 'boolean, got number'],
      [{ transposeB: null }, 'transposeB', 'ERR_ARG_TYPE', 'boolean, got null'],
      [{ bias: [1, 2] }, 'bias', 'ERR_ARG_TYPE', 'Float32Array, got Array — new Float32Array(x) makes one'],
      [{ bias: null }, 'bias', 'ERR_ARG_TYPE', 'Float32Array, got null'],
      [{ bias: f32(3) }, 'bias', 'ERR_SHAPE', 'Float32Array of length 4 (N 4), got length 3'],
      [{ out: f32(9) }, 'out', 'ERR_SHAPE', 'Float32Array of length 8 (batch 1 × M 2 × N 4), got length 9'],
      [{ M: 3 }, 'a', 'ERR_SHAPE', 'Float32Array of length 9 (batch 1 × M 3 × K 3), got length 6'],
      [
        { M: 3, transposeA: true },
        'a',
        'ERR_SHAPE',
        'Float32Array of length 9 (batch 1 × K 3 × M 3), got length 6',
      ],
      [{ N: 5 }, 'b', 'ERR_SHAPE', 'Float32Array of length 15 (batch 1 × K 3 × N 5), got length 12'],
      [
        { batch: 2, M: 1, N: 5, transposeB: true },
        'b',
        'ERR_SHAPE',
        'Float32Array of length 30 (batch 2 × N 5 × K 3), got length 12 — ' +
          'or length 15 (N 5 × K 3), one matrix for the whole batch',
      ],
      [
        { batch: 2, M: 1, N: 5 },
        'b',
        'ERR_SHAPE',
        'Float32Array of length 30 (batch 2 × K 3 × N 5), got length 12 — ' +
          'or length 15 (K 3 × N 5), one matrix for the whole batch',
      ],
      [{ batch: 2, M: 3 }, 'a', 'ERR_SHAPE', 'Float32Array of length 18 (batch 2 × M 3 × K 3), got length 6'],
      [
        { batch: 2 ** 16, M: 2 ** 16, K: 2 },
        'a',
        'ERR_SIZE',
        'at most 4294967296 bytes, got batch 65536 × M 65536 × K 2 × 4 bytes',
      ],
      [
        { M: 2 ** 15, N: 2 ** 16, K: 0 },
        'out',
        'ERR_SIZE',
        'at most 4294967296 bytes, got batch 1 × M 32768 × N 65536 × 4 bytes',
      ],
      [
        { batch: 2 ** 20, M: 1, N: 2 ** 10 },
        'b',
        'ERR_SIZE',
        'at most 4294967296 bytes, got batch 1048576 × K 3 × N 1024 × 4 bytes',
      ],
    ],
    (more) => resolve(more as object),
  );
  it('the operands, in the words of attention', () => {
    expect(fault(() => resolve({}, new Float64Array(6))).message).toBe(
      'matmul: "a" expected Float32Array, got Float64Array — new Float32Array(x) makes one [ERR_ARG_TYPE]',
    );
    expect(fault(() => resolveMatmul('matmul', PLAIN, a, undefined, good)).message).toBe(
      'matmul: "b" expected Float32Array, got undefined [ERR_ARG_TYPE]',
    );
    expect(fault(() => resolveMatmul('matmul', PLAIN, a, b, null)).arg).toBe('options');
  });
  it('the reference checks the same, and writes nothing before it throws', () => {
    const out = f32(8);
    expect(fault(() => matmul(a, b, { ...good, out, bias: f32(5) }))).toMatchObject({
      op: 'matmul',
      arg: 'bias',
    });
    expect(fault(() => matmul(a, b, { ...good, out, bais: 1 } as typeof good)).hint).toBe(
      'did you mean "bias"?',
    );
    expect(out.every((x) => x === 0.5)).toBe(true);
  });
  it('out may overlap a, b and bias', () => {
    const memory = f32(20);
    const more = { out: memory.subarray(2, 10), bias: memory.subarray(9, 13) };
    expect(() => resolve(more, memory.subarray(0, 6), memory.subarray(4, 16))).not.toThrow();
  });
});

describe('packMatrix', () => {
  const resolve = (given: unknown, b: unknown = f32(12)) => resolvePack('packMatrix', PLAIN, b, given);
  it('resolves', () => {
    expect(resolve({ K: 3, N: 4 })).toEqual({ tensors: false, K: 3, N: 4, transposeB: false });
    expect(resolve({ K: 3, N: 4, transposeB: true }).transposeB).toBe(true);
  });
  table(
    'packMatrix',
    [
      [{ K: 3 }, 'N', 'ERR_ARG_TYPE', absent],
      [undefined, 'K', 'ERR_ARG_TYPE', absent],
      [{ K: 3, N: NaN }, 'N', 'ERR_DIM', `${dim}, got NaN`],
      [{ K: 3, N: 5 }, 'b', 'ERR_SHAPE', 'Float32Array of length 15 (K 3 × N 5), got length 12'],
      [
        { K: 3, N: 5, transposeB: true },
        'b',
        'ERR_SHAPE',
        'Float32Array of length 15 (N 5 × K 3), got length 12',
      ],
      [
        { K: 2 ** 16, N: 2 ** 16 },
        'b',
        'ERR_SIZE',
        'at most 4294967296 bytes, got K 65536 × N 65536 × 4 bytes',
      ],
      [{ K: 3, N: 4, transposeB: 1 }, 'transposeB', 'ERR_ARG_TYPE', 'boolean, got number'],
      [{ K: 3, N: 4, M: 1 }, 'M', 'ERR_UNKNOWN_OPTION', 'one of K, N, transposeB, got an unknown option'],
    ],
    resolve,
  );
});

describe('tensor', () => {
  const resolve = (shape: unknown, data?: unknown) => resolveTensor('tensor', shape, data);
  it('resolves, and copies the shape', () => {
    const [shape, data] = [[2, 3], f32(6)];
    const problem = resolve(shape, data);
    expect(problem).toEqual({ shape: [2, 3], data });
    expect(problem.data).toBe(data);
    expect(problem.shape).not.toBe(shape);
    expect(resolve(new Int32Array([0, 4])).shape).toEqual([0, 4]);
    expect(resolve([1, 1, 1, 1, 1, 1, 1, 2]).data).toBeUndefined();
  });
  table(
    'tensor',
    [
      [[undefined], 'shape', 'ERR_ARG_TYPE', 'an array of 1 to 8 dimensions, got undefined'],
      [[6], 'shape', 'ERR_ARG_TYPE', 'an array of 1 to 8 dimensions, got number'],
      [[[]], 'shape', 'ERR_SHAPE', 'length 1 to 8, got length 0'],
      [[new Array(9).fill(1)], 'shape', 'ERR_SHAPE', 'length 1 to 8, got length 9'],
      [[[2, '3']], 'shape[1]', 'ERR_ARG_TYPE', 'number, got string'],
      [[[2, -3]], 'shape[1]', 'ERR_DIM', `${dim}, got -3`],
      [
        [[2 ** 16, 2 ** 16]],
        'shape',
        'ERR_SIZE',
        'at most 4294967296 bytes, got shape[0] 65536 × shape[1] 65536 × 4 bytes',
      ],
      [[[2, 3], [1]], 'data', 'ERR_ARG_TYPE', 'Float32Array, got Array — new Float32Array(x) makes one'],
      [[[2, 3], null], 'data', 'ERR_ARG_TYPE', 'Float32Array, got null'],
      [
        [[2, 3], f32(5)],
        'data',
        'ERR_SHAPE',
        'Float32Array of length 6 (shape[0] 2 × shape[1] 3), got length 5',
      ],
    ],
    (given) => resolve(...(given as [unknown, unknown])),
  );
});

describe('createEngine', () => {
  it('resolves', () => {
    const defaults = {
      threads: 'auto',
      maxMemory: undefined,
      simd: 'auto',
      tile: 'auto',
      workerFactory: undefined,
      wasm: undefined,
    };
    expect(resolveEngine(undefined)).toEqual(defaults);
    expect(resolveEngine({ threads: 'auto', maxMemory: undefined })).toEqual(defaults);
    expect(resolveEngine({ maxMemory: 2 ** 40 })).toEqual({ ...defaults, maxMemory: 2 ** 32 });
    const workerFactory = (): never => {
      throw new Error('no worker');
    };
    const wasm = 'https://example.org/baseline.wasm';
    const given = { threads: 64, maxMemory: 65536, simd: 'baseline', tile: '6x8', workerFactory, wasm };
    expect(resolveEngine(given)).toEqual(given);
    expect(resolveEngine({ wasm: new URL(wasm) }).wasm).toBe(wasm);
    const module = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
    expect(resolveEngine({ wasm: module }).wasm).toBe(module);
  });
  const threads = "'auto' or an integer from 1 to 64";
  const sources = 'WebAssembly.Module, URL or string';
  const bytes = 'an integer from 1 to 9007199254740991';
  const tiles = "'auto' or '4x8' or '6x8' or '3x12' or '4x16' or '6x16'";
  table(
    'createEngine',
    [
      ...[0, -1, 1.5, NaN, 65, 1000, Infinity].map((n): Row => [
        { threads: n },
        'threads',
        'ERR_RANGE',
        `${threads}, got ${n}`,
      ]),
      [{ threads: '4' }, 'threads', 'ERR_ARG_TYPE', `${threads}, got string`],
      [{ threads: null }, 'threads', 'ERR_ARG_TYPE', `${threads}, got null`],
      ...[0, -1, 0.5, NaN, Infinity].map((n): Row => [
        { maxMemory: n },
        'maxMemory',
        'ERR_RANGE',
        `${bytes}, got ${n}`,
      ]),
      [{ maxMemory: 1n }, 'maxMemory', 'ERR_ARG_TYPE', `${bytes}, got bigint`],
      [{ simd: 'fast' }, 'simd', 'ERR_OPTION', "'auto' or 'relaxed' or 'baseline', got 'fast'"],
      [{ simd: true }, 'simd', 'ERR_ARG_TYPE', "'auto' or 'relaxed' or 'baseline', got boolean"],
      [{ tile: '8x8' }, 'tile', 'ERR_OPTION', `${tiles}, got '8x8'`],
      [{ tile: 48 }, 'tile', 'ERR_ARG_TYPE', `${tiles}, got number`],
      [{ workerFactory: 'worker.js' }, 'workerFactory', 'ERR_ARG_TYPE', 'function, got string'],
      ...[1, null, () => 1].map((wasm): Row => [
        { wasm },
        'wasm',
        'ERR_ARG_TYPE',
        `${sources}, got ${wasm === null ? 'null' : typeof wasm}`,
      ]),
      ...[Promise.resolve(), new Response(), {}, { href: 1 }].map((wasm): Row => [
        { wasm },
        'wasm',
        'ERR_ARG_TYPE',
        `${sources}, got object — not a promise of one, nor a Response or an Instance`,
      ]),
      ...[new Uint8Array(8), new ArrayBuffer(8), new DataView(new ArrayBuffer(8))].map((wasm): Row => [
        { wasm },
        'wasm',
        'ERR_ARG_TYPE',
        `${sources}, got ${wasm.constructor.name} — await WebAssembly.compile(x) makes one`,
      ]),
      [
        { thread: 1 },
        'thread',
        'ERR_UNKNOWN_OPTION',
        'one of threads, maxMemory, simd, tile, workerFactory, wasm, got an unknown option — did you mean "threads"?',
      ],
      [null, 'options', 'ERR_ARG_TYPE', 'an object, got null'],
    ],
    resolveEngine,
  );
});
