/** The builds that this JavaScript engine can run, and an engine for each. Every suite runs on all of them. */
import { readFileSync } from 'node:fs';
import { createEngine, type Engine } from '../src/index.ts';
import { supports } from '../src/wasm/instantiate.ts';
import { BUILDS, type Build } from '../src/wasm/inlined.ts';

export type { Build };

/** What can run here. */
export const builds: readonly Build[] = BUILDS.filter(supports);

/** What cannot, with the reason. */
export const missing: readonly string[] = BUILDS.filter((build) => !supports(build)).map(
  (build) => `${build}: not run, this JavaScript engine lacks its instructions (Node has them from 22 on)`,
);

/** One engine of a build. */
export function engineOf(build: Build): Promise<Engine> {
  return createEngine({ simd: build, threads: 1 });
}

/** The test-only module of a build: kernels by name, field offsets. */
export function testingModule(build: Build): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(new URL(`../build/${build}-testing.wasm`, import.meta.url)));
}
