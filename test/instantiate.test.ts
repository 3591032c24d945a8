/**
 * From bytes to a running module: how often a build is validated and compiled, what refuses it, and how large its memory may become.
 *
 * @node fresh copies of a module are those of Node's module runner
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type * as Instantiate from '../src/wasm/instantiate.ts';
import { bytesOf } from '../src/wasm/inlined.ts';
import { forget } from './fresh-copies.ts';
import { fault, rejection } from './nothing-lost.ts';
import { sentence } from './refusals.ts';

const op = 'createEngine';
const build = 'baseline';
const mebibyte = 2 ** 20;
const { CompileError, Memory, Module } = WebAssembly;
const validate = WebAssembly.validate.bind(WebAssembly);

/** A copy that has compiled nothing and made no memory. */
async function fresh(): Promise<typeof Instantiate> {
  vi.resetModules();
  return import('../src/wasm/instantiate.ts');
}

// A copy that thinks there is no SIMD is not for others.
afterEach(forget);

describe('a build', () => {
  /** How often one is validated, and how many modules come of it, at once and later. */
  function counted(): () => { validated: number; now: number; later: number } {
    const validated = vi.spyOn(WebAssembly, 'validate');
    const later = vi.spyOn(WebAssembly, 'compile');
    let now = 0;
    vi.spyOn(WebAssembly, 'Module').mockImplementation(function compile(bytes) {
      const module = new Module(bytes);
      now++;
      return module;
    });
    return () => ({ validated: validated.mock.calls.length, now, later: later.mock.calls.length });
  }

  it('is validated once', async () => {
    const { supports } = await fresh();
    const count = counted();
    for (let i = 0; i < 3; i++) expect(supports(build)).toBe(true);
    expect(count()).toEqual({ validated: 1, now: 0, later: 0 });
  });
  it('is compiled once, where a call cannot wait', async () => {
    const { instantiate } = await fresh();
    const count = counted();
    for (let i = 0; i < 3; i++) expect(instantiate(op, build, mebibyte).build).toBe(build);
    expect(count()).toEqual({ validated: 1, now: 1, later: 0 });
  });
  it('is compiled once, where it can', async () => {
    const { compile, instantiate } = await fresh();
    const count = counted();
    for (let i = 0; i < 3; i++) await compile(op, build);
    instantiate(op, build, mebibyte);
    expect(count()).toEqual({ validated: 1, now: 0, later: 1 });
  });
  it('is compiled and not validated before, for the first of calls that cannot wait', async () => {
    const { compileSync, instantiate, supports } = await fresh();
    const count = counted();
    for (let i = 0; i < 3; i++) compileSync();
    expect(count()).toEqual({ validated: 0, now: 1, later: 0 });
    const best = validate(bytesOf('relaxed')) ? 'relaxed' : 'baseline';
    expect(supports(best)).toBe(true);
    instantiate(op, best, mebibyte);
    expect(count()).toEqual({ validated: 0, now: 1, later: 0 });
  });
  it('is compiled once for shared memory', async () => {
    const { compileShared } = await fresh();
    const count = counted();
    const sharedOf = vi.fn((bytes: Uint8Array<ArrayBuffer>) => bytes);
    const first = await compileShared(op, build, sharedOf);
    expect(await compileShared(op, build, sharedOf)).toBe(first);
    expect(first).toBeInstanceOf(Module);
    expect(sharedOf).toHaveBeenCalledTimes(1);
    expect(Buffer.compare(sharedOf.mock.calls[0]![0], bytesOf(build))).toBe(0);
    expect(count()).toEqual({ validated: 1, now: 0, later: 1 });
  });
});

describe('what cannot be compiled, later or now', () => {
  const ways = {
    later: ({ compile }: typeof Instantiate) => compile(op, build),
    'for shared memory': ({ compileShared }: typeof Instantiate) => compileShared(op, build, (same) => same),
    now: ({ instantiate }: typeof Instantiate) =>
      Promise.resolve().then(() => instantiate(op, build, mebibyte)),
  };

  describe.each(Object.entries(ways))('%s', (_, way) => {
    it('a policy: ERR_CSP', async () => {
      const cause = new CompileError('Refused to compile or instantiate WebAssembly module');
      refuseWith(cause);
      expect(await rejection(way(await fresh()))).toMatchObject({ code: 'ERR_CSP', op, cause });
    });
    it('anything else passes', async () => {
      const cause = new RangeError('Out of memory');
      refuseWith(cause);
      await expect(way(await fresh())).rejects.toBe(cause);
    });
    it('SIMD that is not there: ERR_NO_SIMD, before it is tried', async () => {
      const tried = refuseWith(new CompileError('invalid opcode'));
      vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
      expect(await rejection(way(await fresh()))).toMatchObject({ code: 'ERR_NO_SIMD', op });
      expect(tried()).toBe(0);
    });
    it('bytes that are damaged where there is SIMD: ERR_WASM_INTEGRITY', async () => {
      vi.spyOn(WebAssembly, 'validate').mockImplementation(
        (bytes) => bytes.byteLength < 100 && validate(bytes),
      );
      expect(await rejection(way(await fresh()))).toMatchObject({ code: 'ERR_WASM_INTEGRITY', op });
    });
  });

  /** Every way to compile ends so; how often it was tried. */
  function refuseWith(cause: Error): () => number {
    const later = vi.spyOn(WebAssembly, 'compile').mockRejectedValue(cause);
    const now = vi.spyOn(WebAssembly, 'Module').mockImplementation(function refuse() {
      throw cause;
    });
    return () => later.mock.calls.length + now.mock.calls.length;
  }
});

describe('a memory', () => {
  it.each([
    [2 ** 20, 16],
    [2 ** 20 + 65535, 16],
    [2 ** 20 + 65536, 17],
    [2 ** 32 - 65536, 65535],
    [2 ** 32, 65535],
  ])('of at most %i bytes has at most %i pages', async (maxMemory, maximum) => {
    const { instantiate } = await fresh();
    const made = vi.spyOn(WebAssembly, 'Memory').mockImplementation(function small(descriptor) {
      return new Memory({ ...descriptor, maximum: 16 });
    });
    instantiate(op, build, maxMemory);
    expect(made.mock.calls).toEqual([[{ initial: 1, maximum, shared: false }]]);
  });
  it.each([
    [false, 'memory'],
    [true, 'shared memory'],
  ])('that the system refuses, shared %s: ERR_MEMORY_RESERVE, and what to do', async (shared, kind) => {
    const { reserve } = await fresh();
    const cause = new RangeError('WebAssembly.Memory(): could not allocate memory');
    const hints = [
      'the system lets this process have too little of it (ulimit -v)',
      'share one engine instead of making many, and dispose of those that are done',
    ];
    for (const [instances, hint] of hints.entries()) {
      const made = vi.spyOn(WebAssembly, 'Memory').mockImplementation(function refuse() {
        throw cause;
      });
      const refused = fault(() => reserve(op, 16, shared));
      const problem = `no address space for one more ${kind} beside the ${instances} that this process has made`;
      const { code, message } = sentence(op, 'ERR_MEMORY_RESERVE', `${problem} — ${hint}`);
      expect(refused).toMatchObject({ code, message, op, instances, cause });
      made.mockRestore();
      reserve(op, 16, shared);
    }
  });
});
