/** In place of test/builds.ts: the one build of which there are mutants, and the mutant of the moment. */
import { createEngine, releaseMemory, type Engine } from '../../../src/index.ts';
import type { Build } from '../../../src/wasm/inlined.ts';

export type { Build };

/** The build, once it is known. */
export const builds: Build[] = [];
export const missing: readonly string[] = [];
let current: WebAssembly.Module | undefined;

/** Functions that the module of the moment has entered, if it tells. */
export const touched: Set<number> = new Set<number>();
/** How often it may still go round loops. */
export const rounds: WebAssembly.Global<'i32'> = new WebAssembly.Global({ value: 'i32', mutable: true }, 0);
const env = {
  rounds,
  touch: (func: number) => touched.add(func),
  abort: (_message: number, _file: number, line: number): never => {
    throw new Error(`assertion failed at line ${line}`);
  },
};
const { Instance } = WebAssembly;
/** Whatever module is asked for, by an engine's makers too, it is an instance of the mutant that comes of it. */
WebAssembly.Instance = class extends Instance {
  constructor(module: WebAssembly.Module, imports?: WebAssembly.Imports) {
    super(current ?? module, { env: { ...env, ...imports?.env } });
  }
};

/** From now on this module is the build. The default engine, over the one before, is no more. */
export function use(module: WebAssembly.Module): void {
  releaseMemory();
  current = module;
}

export function testingModule(): WebAssembly.Module {
  if (current === undefined) throw new Error('no mutant yet');
  return current;
}

export function engineOf(build: Build): Promise<Engine> {
  return createEngine({ simd: build, threads: 1 });
}
