/** In place of test/builds.ts: the one build of which there are mutants, and the mutant of the moment. */
import { Engine } from '../../src/engine.ts';
import { MAX_BYTES } from '../../src/checks/index.ts';
import { Runtime } from '../../src/runtime.ts';
import type { Build } from '../../src/wasm/inlined.ts';

export type { Build };

/** The build, then the module. */
export const builds: Build[] = [];
export const missing: readonly string[] = [];
let current: WebAssembly.Module | undefined;
let engines: Engine[] = [];

/** From now on this module is the build. Engines of the one before are no more. */
export function use(module: WebAssembly.Module): void {
  for (const engine of engines) engine.dispose();
  engines = [];
  current = module;
}

export function testingModule(build: Build): WebAssembly.Module {
  if (current === undefined || !builds.includes(build)) throw new Error(`no mutant of ${build}`);
  return current;
}

/** Without the test that engines do of themselves: it is the suite that shall find the fault. */
export function engineOf(build: Build): Promise<Engine> {
  const compiled = { module: testingModule(build), shared: false };
  const engine = Engine.make(new Runtime('mutant', build, MAX_BYTES, 'auto', compiled), '');
  engines.push(engine);
  return Promise.resolve(engine);
}
