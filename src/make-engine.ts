/**
 * How an engine is made: which build runs, on which memory, with how many threads; each tested before it is given out. Plain
 * functions share a default engine that is made at the first call; `createEngine` gives one of your own.
 */
import { EnvironmentError, HeedRangeError } from './errors.ts';
import { MAX_BYTES } from './checks/index.ts';
import { Engine, runtimeOf } from './engine.ts';
import { DEFAULT, resolveEngine, type EngineOptions, type EngineProblem } from './options/engine.ts';
import { ALL, Runtime } from './runtime.ts';
import { passesSelfTest } from './self-test.ts';
import { buildAt, buildOf } from './wasm/brought.ts';
import { compile, compileShared, compileSync, supports } from './wasm/instantiate.ts';
import type { Build } from './wasm/inlined.ts';

/**
 * An engine of your own: its memory, its build, its threads, zero-copy tensors.
 *
 * @param options `threads`: 'auto' (default: the cores there are, at most 8) or 1 … 64; `simd`: 'auto' (default: relaxed SIMD where
 *   there is), 'relaxed', 'baseline'; `maxMemory`: bytes, default 4 GiB, with threads 1 GiB; `tile`: 'auto', '4x8', '6x8', '3x12',
 *   '4x16', '6x16'; `wasm`: a compiled module of the kernels, or their file's URL; `workerFactory`: see {@link EngineOptions}
 * @throws HeedTypeError, HeedRangeError; EnvironmentError ERR_NO_SIMD, ERR_NO_RELAXED_SIMD, ERR_NO_THREADS, ERR_WORKER_START,
 *   ERR_MEMORY_RESERVE, ERR_CSP, ERR_WASM_LOAD, ERR_WASM_INTEGRITY — all by rejection
 * @example
 * import { createEngine } from 'heed';
 *
 * const engine = await createEngine();
 * console.log(engine.features.threads, engine.features.simd, engine.memory.reserved);
 * engine.dispose();
 */
export async function createEngine(options?: EngineOptions): Promise<Engine> {
  const op = 'createEngine';
  const given = resolveEngine(options);
  if (typeof given.wasm === 'object') return makeOver(op, given, given.wasm);
  const problem =
    given.wasm === undefined ? given : { ...given, simd: agreed(op, given, await buildAt(op, given.wasm)) };
  let why = '';
  if (problem.threads !== 1) {
    const made = await makeThreaded(op, problem);
    if (made instanceof Engine) return made;
    why = made;
  }
  for (const build of candidates(op, problem)) await compile(op, build);
  return makeEngine(op, problem, ALL, why);
}

let shared: Engine | undefined;

/**
 * The engine of the plain functions: made at the first call, synchronously, on one thread. Its kernels are tested when a call is
 * about to run them, as a first call waits for it: see {@link prove}.
 */
export function defaultEngine(op: string): Engine {
  if (shared === undefined) {
    compileSync();
    shared = makeEngine(op, DEFAULT, 0, '');
  }
  return shared;
}

/**
 * Tests kernels of the default engine. Should they fail, another engine takes over, as plain functions leave nothing on the old
 * one, and a layer has had all of them tested. (A call whose options, read, made a call that found this out, ends with ERR_DISPOSED.)
 */
function prove(runtime: Runtime, op: string, kernels: number): Runtime {
  const untested = runtime.untested & ~kernels;
  if (passesSelfTest(runtime, op, kernels)) {
    runtime.untested = untested;
    return runtime;
  }
  releaseMemory();
  shared = makeEngine(op, DEFAULT, ALL & ~untested, '');
  return runtimeOf(op, shared);
}

/**
 * Drops the default engine and its memory; the next call makes a new one. Layers on the old one are gone.
 *
 * @example
 * import { matmul, releaseMemory } from 'heed';
 *
 * matmul(new Float32Array(1 << 20), new Float32Array(1 << 20), { M: 1024, N: 1024, K: 1024 });
 * releaseMemory();   // gives back what these took
 */
export function releaseMemory(): void {
  shared?.dispose();
  shared = undefined;
}

/** Builds to try, best first. ERR_NO_RELAXED_SIMD. */
function candidates(op: string, { simd, wasm }: EngineProblem): Build[] {
  if (simd === 'baseline') return ['baseline'];
  if (supports('relaxed')) return simd === 'auto' ? ['relaxed', 'baseline'] : ['relaxed'];
  if (simd === 'auto') return ['baseline'];
  throw new EnvironmentError('ERR_NO_RELAXED_SIMD', {
    op,
    problem: 'this JavaScript engine has no relaxed SIMD',
    hint:
      wasm === undefined
        ? "Node has it from version 22 on; simd: 'auto' takes what there is"
        : 'give it the baseline build, or no wasm at all',
  });
}

/** The first build whose kernels compute right: these, and the others when they are asked for. `why`: one thread. */
function makeEngine(op: string, problem: EngineProblem, kernels: number, why: string): Engine {
  const maxMemory = problem.maxMemory ?? MAX_BYTES;
  const reasons = why === '' ? [] : [`one thread: ${why}`];
  const { runtime, notes } = firstRight(op, problem, candidates(op, problem), kernels, (build) => {
    return new Runtime(op, build, maxMemory, problem.tile);
  });
  runtime.untested = ALL & ~kernels;
  if (runtime.untested !== 0) runtime.prove = prove;
  return Engine.make(runtime, [...reasons, ...notes].join('; '));
}

/** Bytes of shared memory, which are reserved as a whole: half of that where the system refuses, down to the least. */
const SHARED_BYTES = 2 ** 30;
const LEAST_SHARED = 2 ** 24;

/** Over a module that the caller has compiled. ERR_NO_THREADS, ERR_OPTION, ERR_WASM_INTEGRITY. */
function makeOver(op: string, problem: EngineProblem, module: WebAssembly.Module): Engine {
  const { threads, tile } = problem;
  const why = 'wasm is a compiled module, whose memory cannot be shared';
  if (threads !== 'auto' && threads > 1) {
    throw noThreads(op, threads, "1 or 'auto' with such a wasm", why);
  }
  const simd = agreed(op, problem, buildOf(op, module));
  const { runtime, notes } = firstRight(op, { ...problem, simd }, [simd], ALL, (build) => {
    return new Runtime(op, build, problem.maxMemory ?? MAX_BYTES, tile, { module, shared: false });
  });
  return Engine.make(runtime, [...(threads === 1 ? [] : [`one thread: ${why}`]), ...notes].join('; '));
}

function noThreads(op: string, threads: number, expected: string, hint: string): EnvironmentError {
  const received = `${threads}`;
  return new EnvironmentError('ERR_NO_THREADS', { op, arg: 'threads', expected, received, hint });
}

/** The build of the kernels that the caller brings. ERR_OPTION where another is asked for, ERR_NO_RELAXED_SIMD. */
function agreed(op: string, { simd }: EngineProblem, build: Build): Build {
  if (simd === 'auto' || simd === build) return build;
  throw new HeedRangeError('ERR_OPTION', {
    op,
    arg: 'simd',
    expected: `'auto' or '${build}', which wasm is`,
    received: `'${simd}'`,
  });
}

/** The same over shared memory, with workers; or why there is one thread, in words. ERR_NO_THREADS, ERR_WORKER_START. */
async function makeThreaded(op: string, problem: EngineProblem): Promise<Engine | string> {
  const auto = problem.threads === 'auto';
  let library;
  try {
    library = await import('./threads/index.ts');
  } catch (cause) {
    const words = "threads.js beside the package's code could not be loaded";
    if (auto) return words;
    throw new EnvironmentError('ERR_WORKER_START', { op, problem: words, hint: 'deploy it too', cause });
  }
  const { Team, sharedOf, cores, whyNoThreads, CONTROL_BYTES } = library;
  const threads = problem.threads === 'auto' ? cores() : problem.threads;
  if (threads === 1) return 'this machine has one core';
  const why = whyNoThreads(problem.workerFactory !== undefined);
  if (why !== '') {
    if (auto) return why;
    throw noThreads(op, threads, "1 or 'auto' here", why);
  }
  const modules = new Map<Build, WebAssembly.Module>();
  const builds = candidates(op, problem);
  for (const build of builds) modules.set(build, await compileShared(op, build, sharedOf));
  let runtime: Runtime | undefined;
  try {
    const right = firstRight(op, problem, builds, ALL, (build) => {
      return sharedRuntime(op, build, problem, modules.get(build)!);
    });
    runtime = right.runtime;
    runtime.team = await Team.start(op, runtime, {
      ...runtime.controlBlock(op, CONTROL_BYTES),
      module: modules.get(runtime.build)!,
      kernels: runtime.kernels,
      threads,
      factory: problem.workerFactory,
    });
    return Engine.make(runtime, right.notes.join('; '));
  } catch (error) {
    runtime?.dispose();
    const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
    const forThreads = code === 'ERR_WORKER_START' || code === 'ERR_MEMORY_RESERVE';
    if (!auto || !forThreads) throw error;
    return String(message).replace(/^createEngine: | \[\w+\]$/g, '');
  }
}

function sharedRuntime(
  op: string,
  build: Build,
  { maxMemory, tile }: EngineProblem,
  module: WebAssembly.Module,
): Runtime {
  for (let bytes = maxMemory ?? SHARED_BYTES; ; bytes /= 2) {
    try {
      return new Runtime(op, build, bytes, tile, { module, shared: true });
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      if (code !== 'ERR_MEMORY_RESERVE' || maxMemory !== undefined || bytes <= LEAST_SHARED) throw error;
    }
  }
}

/** A runtime of the first build that passes its test, and what is to be said of it. */
function firstRight(
  op: string,
  problem: EngineProblem,
  builds: readonly Build[],
  kernels: number,
  make: (build: Build) => Runtime,
): { runtime: Runtime; notes: string[] } {
  const notes: string[] = [];
  if (problem.simd === 'auto' && !supports('relaxed')) {
    notes.push('baseline SIMD: this JavaScript engine has no relaxed SIMD');
  }
  for (const build of builds) {
    const runtime = make(build);
    if (problem.tile !== 'auto' && runtime.tile !== problem.tile) {
      notes.push(`tile ${runtime.tile}: the ${build} build has no ${problem.tile}`);
    }
    if (passesSelfTest(runtime, op, kernels)) return { runtime, notes };
    runtime.dispose();
    notes.push(`not ${build} SIMD: this JavaScript engine computes it wrongly`);
  }
  const hint =
    typeof problem.wasm === 'object' ? 'wasm may be damaged' : 'the package may be damaged: install it again';
  throw new EnvironmentError('ERR_WASM_INTEGRITY', {
    op,
    problem: 'the kernels compute wrong results',
    hint,
  });
}
