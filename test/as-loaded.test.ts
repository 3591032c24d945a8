/**
 * What modules make as they load: the classes of errors, what a buffer is known by, what is asked of a module of kernels, and what threads
 * go by. Some of it is said elsewhere too, of modules that were loaded before a mutant was switched on (docs/mutants.md): here they load
 * within the test.
 *
 * @node fresh copies of modules are those of Node's module runner
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { KernelExports } from '../src/wasm/exports.ts';
import { BUILDS, bytesOf } from '../src/wasm/inlined.ts';
import { forget } from './fresh-copies.ts';

beforeEach(() => {
  vi.resetModules();
});

// What a test has loaded, perhaps without shared memory, is not for others.
afterEach(forget);

it.each([
  ['HeedTypeError', TypeError],
  ['HeedRangeError', RangeError],
  ['MemoryLimitError', RangeError],
  ['StateError', Error],
  ['EnvironmentError', Error],
  ['WorkerError', Error],
  ['KernelTrapError', Error],
] as const)('%s has its name as a built-in error has, and is one of those', async (name, Base) => {
  const Class = (await import('../src/errors.ts'))[name] as unknown as new (
    code: string,
    details: object,
  ) => Error;
  expect(Class.name).toBe(name);
  expect(Object.getPrototypeOf(Class)).toBe(Base);
  const own = Object.getOwnPropertyDescriptor(Class.prototype, 'name');
  expect(own).toEqual({ ...Object.getOwnPropertyDescriptor(Base.prototype, 'name'), value: name });
  const error = new Class('ERR_CODE', { op: 'matmul', problem: 'is wrong' });
  expect(Object.prototype.toString.call(error)).toBe('[object Error]');
  expect(String(error)).toBe(`${name}: matmul: is wrong [ERR_CODE]`);
  expect(Object.keys(error)).toEqual(['code', 'op']);
});

it('buffers are known by their class', async () => {
  const { kindOf } = await import('../src/words.ts');
  expect(kindOf(new ArrayBuffer(1))).toBe('ArrayBuffer');
  expect(kindOf(new SharedArrayBuffer(1))).toBe('SharedArrayBuffer');
  expect(kindOf({ byteLength: 1 })).toBe('object');
});

it('without SharedArrayBuffer, as in a page that is not isolated: ArrayBuffer alone', async () => {
  const shared = new SharedArrayBuffer(1);
  vi.stubGlobal('SharedArrayBuffer', undefined);
  const { kindOf } = await import('../src/words.ts');
  expect(kindOf(new ArrayBuffer(1))).toBe('ArrayBuffer');
  expect(kindOf(shared)).toBe('object');
});

it('every export of the kernels is asked for', async () => {
  const { EXPORTS } = await import('../src/wasm/exports.ts');
  const exported = WebAssembly.Module.exports(new WebAssembly.Module(bytesOf('baseline')));
  // The memory is the host's own.
  const names = exported.map(({ name }) => name).filter((name) => name !== 'memory');
  expect([...EXPORTS].sort()).toEqual(names.sort());
});

describe('of threads', () => {
  it('drivers are told of by their place among nine', async () => {
    const { driversOf } = await import('../src/wasm/exports.ts');
    const names = 'attention decode combine append weights gemm pack rope merge'.split(' ');
    const kernels = Object.fromEntries(names.map((name) => [name, vi.fn()]));
    expect(driversOf(kernels as unknown as KernelExports)).toEqual(names.map((name) => kernels[name]));
  });
  it('the control block has a state for each of them, then room for each step', async () => {
    const { CONTROL_BYTES, MOST_STEPS, MOST_THREADS, stateOf, stepAt } =
      await import('../src/threads/protocol.ts');
    expect(stepAt(0)).toBe(stateOf(MOST_THREADS));
    expect(CONTROL_BYTES).toBe(4 * stepAt(MOST_STEPS));
  });
  it('calls that are worth waking them take longer than those worth sharing with who is awake', async () => {
    const { WORTH_ASLEEP, WORTH_AWAKE } = await import('../src/threads/team.ts');
    for (const build of BUILDS) expect(WORTH_ASLEEP[build]).toBeGreaterThan(WORTH_AWAKE);
  });
  it('a page is told of the two headers', async () => {
    const { HEADERS } = await import('../src/threads/machine.ts');
    const words = 'threads need shared memory, which a page has only with the headers';
    const headers = 'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp';
    expect(HEADERS).toBe(`${words} ${headers}`);
  });
});
