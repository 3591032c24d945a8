/**
 * Fresh copies of the library, since a module remembers what it has found out of its machine; and some whose kernels fail. Only in Node:
 * they are those of its module runner.
 */
import { vi } from 'vitest';
import type { Driver } from '../src/wasm/exports.ts';
import type * as Instantiate from '../src/wasm/instantiate.ts';
import type { Build } from './builds.ts';
import type { Refusal } from './nothing-lost.ts';
import type { Library } from './plain-calls.ts';
import { sentence } from './refusals.ts';

/** A copy of the library that has not looked at the machine yet. */
export async function fresh(): Promise<Library> {
  vi.resetModules();
  return import('../src/index.ts');
}

/** After each test: the machine is as it was, and so is the library. */
export function forget(): void {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.doUnmock('../src/wasm/inlined.ts');
  vi.doUnmock('../src/wasm/instantiate.ts');
  vi.doUnmock('../src/threads/index.ts');
  vi.doUnmock('../src/memory/copy.ts');
  vi.resetModules();
}

/** A code and words of a copy's EnvironmentError, and its other fields. */
export type Told = Omit<Refusal, 'class' | 'op' | 'message'> & { readonly words: string };

export function told({ EnvironmentError }: Library, op: string, { words, ...rest }: Told): Refusal {
  return { ...sentence(op, rest.code, words), ...rest, class: EnvironmentError };
}

/** What kernels are told that compute something else. */
export const WRONG: Told = {
  code: 'ERR_WASM_INTEGRITY',
  words: 'the kernels compute wrong results — the package may be damaged: install it again',
};

const DRIVERS = ['attention', 'decode', 'weights', 'gemm', 'rope'] as const;
export type DriverName = (typeof DRIVERS)[number];

/**
 * A copy of the library with both builds, baseline kernels under either name, that fail where told to, with a trap if nobody says
 * otherwise, or compute nothing; and which instances it has made.
 */
export async function faulty(
  fails: (build: Build, driver: DriverName) => boolean,
  thrown: Error | 'nothing' = new WebAssembly.RuntimeError('unreachable'),
): Promise<{ library: Library; made: Build[] }> {
  const made: Build[] = [];
  const real = await vi.importActual<typeof Instantiate>('../src/wasm/instantiate.ts');
  vi.doMock('../src/wasm/instantiate.ts', () => ({
    ...real,
    supports: () => true,
    compile: () => Promise.resolve(),
    compileSync: () => undefined,
    instantiate(op: string, build: Build, maxMemory: number): Instantiate.Instance {
      made.push(build);
      const { memory, kernels } = real.instantiate(op, 'baseline', maxMemory);
      const drivers = DRIVERS.map((driver) => {
        const run = (...given: Parameters<Driver>): void => {
          if (!fails(build, driver)) kernels[driver](...given);
          else if (thrown !== 'nothing') throw thrown;
        };
        return [driver, run] as const;
      });
      return { build, memory, kernels: { ...kernels, ...Object.fromEntries(drivers) } };
    },
  }));
  return { library: await fresh(), made };
}
