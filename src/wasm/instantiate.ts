/**
 * From the inlined bytes to a running module: which build this engine can take, its memory, its instance. Whether the
 * instance computes right is the self-test's to say (`src/self-test.ts`).
 */
import { ABI_VERSION } from '../../common/abi.ts';
import { EnvironmentError } from '../errors.ts';
import type { KernelExports } from './exports.ts';
import { BUILDS, bytesOf, type Build } from './inlined.ts';

/** Bytes of a page of linear memory. */
export const PAGE = 65536;

/** Most pages of a memory: one less than there can be, so that one past the last byte is still a 32-bit address. */
export const MAX_PAGES = 65535;

/** A module that is compiled, and what kind of memory it is for. */
export interface Compiled {
  readonly module: WebAssembly.Module;
  readonly shared: boolean;
}

/** A module over its memory. */
export interface Instance {
  readonly build: Build;
  readonly memory: WebAssembly.Memory;
  readonly kernels: KernelExports;
}

const valid = new Map<Build, boolean>();
const modules = new Map<Build, WebAssembly.Module>();
/** The same over shared memory. */
const sharedModules = new Map<Build, WebAssembly.Module>();
let memories = 0;

/** Whether this engine has the instructions of a build. */
export function supports(build: Build): boolean {
  let known = valid.get(build);
  if (known === undefined) {
    known = hasWebAssembly() && (modules.has(build) || WebAssembly.validate(bytesOf(build)));
    valid.set(build, known);
  }
  return known;
}

/** Not so under `node --jitless`, and in a browser's lockdown mode. */
function hasWebAssembly(): boolean {
  return typeof WebAssembly !== 'undefined';
}

/** The build's module, compiled once. Asynchronous compilation leaves the thread free. ERR_NO_SIMD, ERR_CSP. */
export async function compile(op: string, build: Build): Promise<void> {
  if (modules.has(build)) return;
  requireSimd(op, build);
  try {
    modules.set(build, await WebAssembly.compile(bytesOf(build)));
  } catch (cause) {
    throw refusedToCompile(op, cause);
  }
}

/** The build's module for shared memory, compiled once, from bytes that `sharedOf` makes. As above. */
export async function compileShared(
  op: string,
  build: Build,
  sharedOf: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>,
): Promise<WebAssembly.Module> {
  let module = sharedModules.get(build);
  if (module === undefined) {
    requireSimd(op, build);
    try {
      module = await WebAssembly.compile(sharedOf(bytesOf(build)));
    } catch (cause) {
      throw refusedToCompile(op, cause);
    }
    sharedModules.set(build, module);
  }
  return module;
}

/**
 * Compiles the best build that compiles, for a call that cannot wait and would validate first: that takes as long again.
 * What is wrong where none compiles is found out, and said, by who goes on.
 */
export function compileSync(): void {
  for (const build of BUILDS) {
    if (modules.has(build)) return;
    try {
      modules.set(build, new WebAssembly.Module(bytesOf(build)));
      return;
    } catch {
      // An instruction that is not there, a policy, damage.
    }
  }
}

/**
 * A new instance over a new memory of at most `maxMemory` bytes, of the bytes inside the package or of what is compiled from elsewhere.
 * ERR_MEMORY_RESERVE, ERR_WASM_INTEGRITY, as above.
 */
export function instantiate(op: string, build: Build, maxMemory: number, compiled?: Compiled): Instance {
  const module = compiled?.module ?? modules.get(build) ?? compileNow(op, build);
  const memory = reserve(op, Math.min(MAX_PAGES, Math.floor(maxMemory / PAGE)), compiled?.shared === true);
  const kernels = kernelsOf(op, module, memory);
  if (kernels.abi.value !== ABI_VERSION) {
    const problem = `the ${build} kernels speak ABI ${kernels.abi.value}, this code ABI ${ABI_VERSION}`;
    throw new EnvironmentError('ERR_WASM_INTEGRITY', { op, problem });
  }
  return { build, memory, kernels };
}

/** An instance's exports. ERR_CSP: WebKit lets a page compile what it may not instantiate. A LinkError passes. */
export function kernelsOf(op: string, module: WebAssembly.Module, memory: WebAssembly.Memory): KernelExports {
  try {
    return new WebAssembly.Instance(module, { env: { memory } }).exports as KernelExports;
  } catch (cause) {
    throw refusedToCompile(op, cause);
  }
}

function compileNow(op: string, build: Build): WebAssembly.Module {
  requireSimd(op, build);
  try {
    const module = new WebAssembly.Module(bytesOf(build));
    modules.set(build, module);
    return module;
  } catch (cause) {
    throw refusedToCompile(op, cause);
  }
}

/** A module of one SIMD function: () → i8x16.popcnt(i8x16.splat(0)). */
const SIMD = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123],
  ...[3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
);

/** ERR_NO_SIMD, or ERR_WASM_INTEGRITY where it is the kernels' bytes that are at fault. */
function requireSimd(op: string, build: Build): void {
  if (supports(build)) return;
  if (hasWebAssembly() && WebAssembly.validate(SIMD)) {
    const damaged = {
      problem: 'the bytes of the kernels are no valid module',
      hint: 'install the package again',
    };
    throw new EnvironmentError('ERR_WASM_INTEGRITY', { op, ...damaged });
  }
  const problem = `this JavaScript engine has no WebAssembly${hasWebAssembly() ? ' SIMD' : ''}`;
  const hint = hasWebAssembly()
    ? 'it is in Node 16.4, Chrome 91, Firefox 89, Safari 16.4 and later'
    : "node --jitless and a browser's lockdown mode leave it out";
  throw new EnvironmentError('ERR_NO_SIMD', { op, problem, hint });
}

/** The bytes are valid, so what refused them is a policy. Anything but a CompileError (memory, the stack) passes as it is. */
function refusedToCompile(op: string, cause: unknown): unknown {
  if (!(cause instanceof WebAssembly.CompileError)) return cause;
  const problem = 'WebAssembly may not be compiled here';
  const hint =
    "a page's Content-Security-Policy needs script-src 'wasm-unsafe-eval'; " +
    'where no policy allows it, createEngine takes a module: { wasm }';
  return new EnvironmentError('ERR_CSP', { op, problem, hint, cause });
}

/** A memory of at most so many pages. ERR_MEMORY_RESERVE. */
export function reserve(op: string, maximum: number, shared: boolean): WebAssembly.Memory {
  try {
    const memory = new WebAssembly.Memory({ initial: Math.min(1, maximum), maximum, shared });
    memories++;
    return memory;
  } catch (cause) {
    const instances = memories;
    const kind = shared ? 'shared memory' : 'memory';
    const problem = `no address space for one more ${kind} beside the ${instances} that this process has made`;
    const hint =
      instances > 0
        ? 'share one engine instead of making many, and dispose of those that are done'
        : 'the system lets this process have too little of it (ulimit -v)';
    throw new EnvironmentError('ERR_MEMORY_RESERVE', { op, problem, hint, instances, cause });
  }
}
