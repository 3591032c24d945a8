/**
 * What docs/embedding.md and heed/wasm/abi.json tell an embedder is what was compiled.
 *
 * @node it compares files, and starts workers of Node's from files
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import * as constants from '../common/abi.ts';
import { abiJson, readAbi } from '../scripts/abi.mjs';
import { documentAbi } from '../scripts/document-abi.ts';
import { createEngine } from '../src/index.ts';
import { matmul } from '../src/reference.ts';
import { builds, testingModule, type Build } from './builds.ts';
import { normal } from './data.ts';
import { expectSameBits } from './problems.ts';

const pathOf = (file: string): string => fileURLToPath(new URL(`../${file}`, import.meta.url));
const page = pathOf('docs/embedding.md');

it('abi.json: every constant with its value', () => {
  expect((JSON.parse(abiJson()) as { constants: object }).constants).toEqual({ ...constants });
});

describe.each(builds)('%s', (build) => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const instance = new WebAssembly.Instance(testingModule(build), {
    env: { memory, abort: () => undefined },
  });
  /** By struct: offsets by field, and the size, as the kernels have them. */
  const compiled: Record<string, Record<string, number>> = {};
  for (const [name, value] of Object.entries(instance.exports)) {
    const [, struct, field] = /^([A-Z]\w*(?:Args|Item)|Sequence)_(\w+)$/.exec(name) ?? [];
    if (struct && field) (compiled[struct] ??= {})[field] = (value as WebAssembly.Global<'i32'>).value;
  }

  it('every struct, with all of its fields where the kernels read them', () => {
    const told = readAbi().structs.map(({ name, bytes, fields }) => {
      return [name, { ...Object.fromEntries(fields.map(({ name, offset }) => [name, offset])), size: bytes }];
    });
    expect(Object.fromEntries(told)).toEqual(compiled);
  });

  it('every export is on the page', () => {
    const text = readFileSync(page, 'utf8');
    const shipped = new WebAssembly.Module(readFileSync(pathOf(`build/${build}.wasm`)));
    const names = WebAssembly.Module.exports(shipped).map(({ name }) => name);
    expect(names.filter((name) => !new RegExp(`^\\|.*\`${name}\\b.*\\|`, 'm').test(text))).toEqual([]);
  });
});

it("the page's tables are those of the sources: npm run docs:abi", async () => {
  // Beside the sources, where prettier finds how this repository is formatted.
  const copy = pathOf('build/embedding.md');
  copyFileSync(page, copy);
  try {
    expect(await documentAbi(copy)).toBeUndefined();
    expect(readFileSync(copy, 'utf8')).toBe(readFileSync(page, 'utf8'));
  } finally {
    rmSync(copy);
  }
});

it('the page has every struct, and its constants', () => {
  const names = [...readFileSync(page, 'utf8').matchAll(/^<!-- abi: (.*) -->$/gm)].map(([, name]) => name);
  expect(names.sort()).toEqual(['constants', ...readAbi().structs.map(({ name }) => name)].sort());
});

describe.each(builds)('%s: a product in several runs over K', (build) => {
  const { KC, TILE_4X8: tile } = constants;

  it.each([
    ['whole panels', { M: 5, N: 16, K: 2 * KC + 40 }],
    ['a last panel that is not full, and a bias', { M: 7, N: 20, K: 3 * KC, withBias: true }],
  ])('has the bits of one, with B packed whole or run by run: %s', (_, { M, N, K, ...more }) => {
    const bare = bareModule(build);
    const [a, b] = [normal(M * K, 1), normal(K * N, 2)];
    const bias = 'withBias' in more ? bare.put(normal(N, 3)) : 0;
    const shape = { M, N, K, tile, lda: 4 * K, ldb: 4 * N, ldc: 4 * N, bias };
    const call = { ...shape, a: bare.put(a), b: bare.put(b) };
    const whole = bare.take(32 * K * Math.ceil(N / 8));
    bare.run('pack', { ...call, packed: whole, panel: 32 * K }, { rows: K, cols: N });
    const product = (steps: number, packedOf: (k0: number, k1: number) => object): Float32Array => {
      const c = bare.take(4 * M * N);
      for (let k0 = 0; k0 < K; k0 += steps) {
        const k1 = Math.min(K, k0 + steps);
        bare.run('gemm', { ...call, c, k0, k1, ...packedOf(k0, k1) }, { rows: M, cols: N });
      }
      return bare.floats(c, M * N).slice();
    };

    const one = product(K, () => ({ packed: whole, panel: 32 * K }));
    expectSameBits(
      product(KC, (k0) => ({ packed: whole + 32 * k0, panel: 32 * K })),
      one,
    );
    const apart = bare.take(32 * KC * Math.ceil(N / 8));
    const inPieces = product(KC, (k0, k1) => {
      const piece = { packed: apart, panel: 32 * (k1 - k0) };
      bare.run('pack', { ...call, ...piece, b: call.b + 4 * N * k0 }, { rows: k1 - k0, cols: N });
      return piece;
    });
    expectSameBits(inPieces, one);

    const truth = matmul(a, b, { M, N, K, ...(bias !== 0 && { bias: normal(N, 3) }) });
    for (let i = 0; i < truth.length; i++) expect(one[i]).toBeCloseTo(truth[i]!, 3);
  });
});

/** The module that is shipped, structs written by the names of their fields, and memory that is only ever taken. */
function bareModule(build: Build) {
  const { structs } = JSON.parse(abiJson()) as {
    structs: Record<string, { bytes: number; fields: Record<string, { offset: number }> }>;
  };
  const memory = new WebAssembly.Memory({ initial: 16 });
  const module = new WebAssembly.Module(readFileSync(pathOf(`build/${build}.wasm`)));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const kernels = exports as Record<string, (...numbers: number[]) => number>;
  let top = kernels['heapBase']!();
  const take = (bytes: number): number => {
    const address = Math.ceil(top / 64) * 64;
    top = address + bytes;
    return address;
  };
  const write = (name: string, row: object): number => {
    const { bytes, fields } = structs[name]!;
    const address = take(bytes);
    const view = new DataView(memory.buffer, address);
    for (const [field, value] of Object.entries(row))
      view.setInt32(fields[field]!.offset, value as number, true);
    return address;
  };
  const floats = (address: number, length: number): Float32Array =>
    new Float32Array(memory.buffer, address, length);
  return {
    take,
    floats,
    put(array: Float32Array): number {
      const address = take(array.byteLength);
      floats(address, array.length).set(array);
      return address;
    },
    /** A driver, for one item. */
    run(driver: 'pack' | 'gemm', call: object, item: object): void {
      const args = write('GemmArgs', { ...call, items: write('GemmItem', item) });
      kernels[driver]!(args, 0, 1, take(kernels['gemmScratch']!(args)));
    },
  };
}

describe("what a worker of the embedder's own needs before heed/worker", () => {
  // Says when heed/worker asks for its port.
  const first = `
    import { parentPort } from 'node:worker_threads';
    const { getBuiltinModule } = process;
    process.getBuiltinModule = (id) => {
      parentPort.postMessage('first');
      return getBuiltinModule(id);
    };`;
  const heed = JSON.stringify(pathToFileURL(pathOf('build/worker.js')).href);

  it.each([
    ['stands in a module imported above it', `import './first.mjs'; import ${heed};`, true],
    ['is too late in lines above the import', `${first} import ${heed};`, false],
    ['may be followed by an import() at the end, in Node', `${first} await import(${heed});`, true],
  ])('%s', async (_, source, isFirst) => {
    const folder = mkdtempSync(join(tmpdir(), 'heed-worker-'));
    const script = join(folder, 'worker.mjs');
    writeFileSync(join(folder, 'first.mjs'), first);
    writeFileSync(script, source);
    const heard: unknown[] = [];
    const workerFactory = (): Worker => {
      const worker = new Worker(script, { execArgv: [] });
      worker.on('message', (said) => heard.push(said));
      return worker;
    };
    try {
      const engine = await createEngine({ threads: 2, maxMemory: 2 ** 26, workerFactory });
      expect(engine.features.threads).toBe(2);
      engine.dispose();
      expect(heard.includes('first')).toBe(isFirst);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
