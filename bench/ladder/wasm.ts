/**
 * The rungs in WebAssembly: compiled with the settings of heed's own kernels, each into a file of its own under build/ladder/,
 * and given a memory of its own.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compile } from '../../scripts/asc.mjs';
import type { Build } from '../../test/builds.ts';

type Kernel = (...addressesAndSizes: number[]) => void;

const root = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = 65536;

/** The page below is the compiler's: constants of the exponentials. */
const FIRST = PAGE;

/** What may be read past an array: rows of a tile that ends behind the last row. */
const SLACK = 4096;

/** A kernel with its inputs in its memory. */
export interface Loaded {
  readonly run: () => void;
  /** What it writes, on its memory. */
  readonly out: Float32Array;
}

/**
 * The function `name` of an AssemblyScript file, to be called with the addresses of the inputs and of the result, then `sizes`, then
 * the address of so many floats of scratch.
 */
export async function load(
  file: string,
  build: Build,
  name: string,
  inputs: readonly Float32Array[],
  outLength: number,
  sizes: readonly number[],
  scratch: number,
): Promise<Loaded> {
  const lengths = [...inputs.map(({ length }) => length), outLength, scratch];
  const addresses: number[] = [];
  let end = FIRST;
  for (const length of lengths) {
    addresses.push(end);
    end += Math.ceil((4 * length + SLACK) / 64) * 64;
  }
  const memory = new WebAssembly.Memory({ initial: Math.ceil(end / PAGE) });
  for (const [i, input] of inputs.entries()) new Float32Array(memory.buffer, addresses[i]).set(input);
  const module = await moduleOf(file, build);
  const kernel = new WebAssembly.Instance(module, { env: { memory } }).exports[name] as Kernel;
  const out = new Float32Array(memory.buffer, addresses[inputs.length], outLength);
  const given = [...addresses.slice(0, -1), ...sizes, ...addresses.slice(-1)];
  return {
    out,
    run: () => {
      kernel(...given);
    },
  };
}

const modules = new Map<string, Promise<WebAssembly.Module>>();

/** The module of a rung, compiled once. The text that is written beside it (.wat) is for readers. */
function moduleOf(file: string, build: Build): Promise<WebAssembly.Module> {
  const path = `build/ladder/${file}-${build}`;
  const module = modules.get(path) ?? compileTo(path, file, build);
  modules.set(path, module);
  return module;
}

async function compileTo(path: string, file: string, build: Build): Promise<WebAssembly.Module> {
  const settings = ['--baseDir', root, '--config', 'asconfig.json', '--target', build];
  await compile(
    `bench/ladder/${file}.as.ts`,
    ...settings,
    '--outFile',
    `${path}.wasm`,
    '--textFile',
    `${path}.wat`,
  );
  return new WebAssembly.Module(readFileSync(`${root}/${path}.wasm`));
}
