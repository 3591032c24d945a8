/**
 * Faults of the machine underneath (docs/reliability.md, faults 24, 52, 57–59, 61), played in fresh copies of the library. Kernels
 * that fail at work are in a test of their own.
 *
 * @node fresh copies of the library are those of Node's module runner
 */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ABI_VERSION } from '../common/abi.ts';
import * as inlined from '../src/wasm/inlined.ts';
import { createEngine, type Engine } from '../src/index.ts';
import type { Build } from './builds.ts';
import { f32 } from './data.ts';
import { faulty, forget, fresh, told, WRONG, type Told } from './fresh-copies.ts';
import { makesNone } from './no-engine.ts';
import { fault, golden, matches, rejection, watch } from './nothing-lost.ts';
import { calls, type Library, type Plain } from './plain-calls.ts';
import { float, patched, trapping } from './wasm-bytes.ts';

const shape = { seqQ: 2, headDim: 2 };

const baseline = inlined.bytesOf('baseline');
const validate = WebAssembly.validate.bind(WebAssembly);
const { Module } = WebAssembly;
const relaxed = inlined.bytesOf('relaxed');

/** A copy of the library whose baseline build has these bytes. */
async function freshOn(bytes: Uint8Array): Promise<Library> {
  vi.doMock('../src/wasm/inlined.ts', () => ({
    ...inlined,
    bytesOf: (build: Build) => (build === 'relaxed' ? relaxed : bytes),
  }));
  // No other build may step in.
  validateOnly((given) => Buffer.compare(given, relaxed) !== 0);
  return fresh();
}

/** WebAssembly validates and compiles only what passes `test` too. */
function validateOnly(test: (bytes: Uint8Array) => boolean): void {
  vi.spyOn(WebAssembly, 'validate').mockImplementation(
    (bytes) => test(bytes as Uint8Array) && validate(bytes),
  );
  vi.spyOn(WebAssembly, 'Module').mockImplementation(function compile(bytes) {
    if (!test(bytes as Uint8Array)) throw new WebAssembly.CompileError('invalid opcode');
    return new Module(bytes);
  });
}

/** An engine on the machine as it is, beside those that cannot be made. */
let beside: Engine;

beforeAll(async () => {
  beside = await createEngine({ threads: 1 });
  await watch(beside);
});

afterAll(() => {
  beside.dispose();
});

/** Refused where the copy has its default engine made, and where one is asked for; then the machine is as it was. */
async function refusedBoth(library: Library, wanted: Told, during: typeof now = now): Promise<void> {
  const { createEngine: make, attention } = library;
  matches(
    await rejection(during(() => attention(f32(4), f32(4), f32(4), shape))),
    told(library, 'attention', wanted),
  );
  const refusal = told(library, 'createEngine', wanted);
  await makesNone(() => during(() => make({ threads: 1, simd: 'baseline' })), refusal, {
    beside,
    next: asItIs,
  });
}

async function now<T>(call: () => T | Promise<T>): Promise<T> {
  return await call();
}

/** Calls where there is no WebAssembly, but for those who have taken it before. */
async function without<T>(call: () => T | Promise<T>): Promise<T> {
  vi.stubGlobal('WebAssembly', undefined);
  try {
    return await call();
  } finally {
    vi.unstubAllGlobals();
  }
}

/** An engine of a machine that nothing is wrong with any more. */
function asItIs(): Promise<Engine> {
  vi.restoreAllMocks();
  return createEngine({ threads: 1 });
}

afterEach(forget);

describe('a JavaScript engine', () => {
  const noCompiling =
    "WebAssembly may not be compiled here — a page's Content-Security-Policy needs script-src 'wasm-unsafe-eval'; " +
    'where no policy allows it, createEngine takes a module: { wasm }';

  it('without SIMD: ERR_NO_SIMD (fault 57)', async () => {
    validateOnly(() => false);
    await refusedBoth(await fresh(), {
      code: 'ERR_NO_SIMD',
      words:
        'this JavaScript engine has no WebAssembly SIMD — it is in Node 16.4, Chrome 91, Firefox 89, Safari 16.4 and later',
    });
  });
  it('without WebAssembly: ERR_NO_SIMD, which says so (fault 57)', async () => {
    const words =
      "this JavaScript engine has no WebAssembly — node --jitless and a browser's lockdown mode leave it out";
    await refusedBoth(await fresh(), { code: 'ERR_NO_SIMD', words }, without);
  });
  it('without WebAssembly: each plain function says its own name (fault 57)', async () => {
    const library = await fresh();
    const words =
      "this JavaScript engine has no WebAssembly — node --jitless and a browser's lockdown mode leave it out";
    const named = {
      ...{ prefill: 'attention', decoding: 'attention', packed: 'attention', weights: 'attentionWeights' },
      ...{ matmul: 'matmul', rope: 'rope', merge: 'mergeAttention', layer: 'MultiHeadAttention' },
    };
    for (const [plain, op] of Object.entries(named)) {
      const refused = await rejection(without(async () => Promise.resolve(calls[plain as Plain](library))));
      matches(refused, told(library, op, { code: 'ERR_NO_SIMD', words }));
    }
  });
  it('without SharedArrayBuffer, as a page that is not isolated: all but threads', async () => {
    vi.stubGlobal('SharedArrayBuffer', undefined);
    const library = await fresh();
    expect(library.matmul(f32(4), f32(4), { M: 2, N: 2, K: 2 })).toEqual(f32(4));
    const engine = await library.createEngine({ threads: 1 });
    expect(golden(engine)).toEqual(golden(beside));
    engine.dispose();
    const refused = await rejection(library.createEngine({ threads: 2 }));
    expect(refused.code).toBe('ERR_NO_THREADS');
  });
  it("without relaxed SIMD: 'auto' takes baseline and says so, 'relaxed' is ERR_NO_RELAXED_SIMD (fault 58)", async () => {
    validateOnly((bytes) => Buffer.compare(bytes, baseline) === 0);
    const library = await fresh();
    const { createEngine: make } = library;
    const none = 'baseline SIMD: this JavaScript engine has no relaxed SIMD';
    const other = 'tile 4x8: the baseline build has no 6x8';
    const module = new Module(baseline);
    for (const [options, reason] of [
      [{ threads: 1 }, none],
      [{ threads: 1, simd: 'baseline' }, ''],
      [{ threads: 1, tile: '6x8' }, `${none}; ${other}`],
      [{ threads: 2, tile: '6x8', maxMemory: 2 ** 24 }, `${none}; ${other}`],
      [
        { wasm: module, tile: '6x8' },
        `one thread: wasm is a compiled module, whose memory cannot be shared; ${other}`,
      ],
    ] as const) {
      const engine = await make(options);
      expect(engine.features).toMatchObject({ simd: 'baseline', reason });
      engine.dispose();
    }
    const wasm = new URL('../build/relaxed.wasm', import.meta.url);
    const bring =
      'this JavaScript engine has no relaxed SIMD — give it the baseline build, or no wasm at all';
    const brought = told(library, 'createEngine', { code: 'ERR_NO_RELAXED_SIMD', words: bring });
    matches(await rejection(make({ threads: 1, wasm })), brought);
    const hint = "Node has it from version 22 on; simd: 'auto' takes what there is";
    const words = `this JavaScript engine has no relaxed SIMD — ${hint}`;
    const refusal = told(library, 'createEngine', { code: 'ERR_NO_RELAXED_SIMD', words });
    await makesNone(() => make({ threads: 1, simd: 'relaxed' }), refusal, { beside, next: asItIs });
  });
  it('whose page forbids compilation: ERR_CSP with the directive (fault 59)', async () => {
    const cause = new WebAssembly.CompileError('Refused to compile or instantiate WebAssembly module');
    vi.spyOn(WebAssembly, 'compile').mockRejectedValue(cause);
    vi.spyOn(WebAssembly, 'Module').mockImplementation(function refuse() {
      throw cause;
    });
    const library = await fresh();
    await refusedBoth(library, { code: 'ERR_CSP', words: noCompiling, cause });
    expect(library.attention(f32(4), f32(4), f32(4), shape)).toEqual(f32(4));
  });
  it('whose page forbids instances: ERR_CSP too (fault 59)', async () => {
    const cause = new WebAssembly.CompileError('Refused to create a WebAssembly object');
    const module = new Module(baseline);
    vi.spyOn(WebAssembly, 'Instance').mockImplementation(function refuse() {
      throw cause;
    });
    const library = await fresh();
    const { createEngine: make } = library;
    const refusal = told(library, 'createEngine', { code: 'ERR_CSP', words: noCompiling, cause });
    const refused = vi.mocked(WebAssembly.Instance).getMockImplementation()!;
    for (const wasm of [undefined, module]) {
      vi.spyOn(WebAssembly, 'Instance').mockImplementation(refused);
      await makesNone(() => make({ threads: 1, wasm }), refusal, { beside, next: asItIs });
    }
  });
  it('without address space for one more memory: ERR_MEMORY_RESERVE (fault 24)', async () => {
    const library = await fresh();
    const engine = await library.createEngine({ threads: 1, simd: 'baseline' });
    const cause = new RangeError('WebAssembly.Memory(): could not allocate memory');
    vi.spyOn(WebAssembly, 'Memory').mockImplementation(function refuse() {
      throw cause;
    });
    await refusedBoth(library, {
      code: 'ERR_MEMORY_RESERVE',
      words:
        'no address space for one more memory beside the 1 that this process has made — ' +
        'share one engine instead of making many, and dispose of those that are done',
      instances: 1,
      cause,
    });
    const again = await library.createEngine({ threads: 1, simd: 'baseline' });
    expect(golden(again)).toEqual(golden(engine));
  });
});

describe('damaged kernels (fault 61)', () => {
  it('bytes that are no module', async () => {
    for (const bytes of [baseline.subarray(0, baseline.length / 2), baseline.subarray(8), Uint8Array.of()]) {
      await refusedBoth(await freshOn(bytes), {
        code: 'ERR_WASM_INTEGRITY',
        words: 'the bytes of the kernels are no valid module — install the package again',
      });
    }
  });
  it('another version', async () => {
    // (global i32 (i32.const ABI_VERSION)), as the section of globals holds it.
    const other = patched(baseline, [0x7f, 0x00, 0x41, ABI_VERSION, 0x0b], [0x7f, 0x00, 0x41, 63, 0x0b]);
    await refusedBoth(await freshOn(other), {
      code: 'ERR_WASM_INTEGRITY',
      words: `the baseline kernels speak ABI 63, this code ABI ${ABI_VERSION}`,
    });
  });
  it.each([
    ['f32x4.add → sub', [0xfd, 0xe4, 0x01], [0xfd, 0xe5, 0x01]],
    ['f32x4.mul → add', [0xfd, 0xe6, 0x01], [0xfd, 0xe4, 0x01]],
    ['f32x4.div → mul', [0xfd, 0xe7, 0x01], [0xfd, 0xe6, 0x01]],
    ['the sign of a coefficient of 2^x', float(-0.306852788), float(0.306852788)],
    ['one bit of the next one', float(0.240226552), float(0.240226552 - 2 ** -5)],
  ] as const)('wrong arithmetic: %s', async (_, from, to) => {
    await refusedBoth(await freshOn(patched(baseline, from, to)), WRONG);
  });
  it('a kernel that traps is not trusted either', async () => {
    const { library } = await faulty(() => true);
    await refusedBoth(library, WRONG);
  });
  it('tiles that add, and no others: a bias, or a sum of more than one depth block', async () => {
    const bytes = trapping(baseline, 'rowsAdd');
    const other = await freshOn(bytes);
    const make = other.createEngine({ threads: 1, simd: 'baseline' });
    matches(await rejection(make), told(other, 'createEngine', WRONG));
    // A second later tiles are timed, before any is tested.
    for (const later of [0, 1000]) {
      const library = await freshOn(bytes);
      const now = vi.spyOn(performance, 'now').mockReturnValue(0);
      expect(library.attention(f32(4), f32(4), f32(4), shape)).toEqual(f32(4));
      now.mockReturnValue(later);
      const multiply = (): unknown => library.matmul(f32(4), f32(4), { M: 2, N: 2, K: 2 });
      matches(fault(multiply), told(library, 'matmul', WRONG));
    }
  });
  it('one build at fault: the next one runs, and the reason is told', async () => {
    const { library } = await faulty((build) => build === 'relaxed');
    const engine = await library.createEngine({ threads: 1 });
    expect(engine.features.simd).toBe('baseline');
    expect(engine.features.reason).toContain('not relaxed SIMD: this JavaScript engine computes it wrongly');
    expect(engine.attention(f32(4), f32(4), f32(4), shape)).toEqual(f32(4));
    const make = library.createEngine({ threads: 1, simd: 'relaxed' });
    matches(await rejection(make), told(library, 'createEngine', WRONG));
  });
});

it('a realm without a clock, as a bare one of Node is: calls compute', async () => {
  const { matmul } = await fresh();
  const clock = Object.getOwnPropertyDescriptor(globalThis, 'performance')!;
  try {
    Reflect.deleteProperty(globalThis, 'performance');
    expect(() => performance.now()).toThrow(ReferenceError);
    const x = Float32Array.of(1, 2, 3, 4);
    expect([...matmul(x, x, { M: 2, N: 2, K: 2 })]).toEqual([7, 10, 15, 22]);
  } finally {
    Object.defineProperty(globalThis, 'performance', clock);
  }
});

it('threads.js that is not there: ERR_WORKER_START, one thread with the reason (fault 52)', async () => {
  vi.doMock('../src/threads/index.ts', () => {
    throw new Error('not found');
  });
  const library = await fresh();
  const reason = "threads.js beside the package's code could not be loaded";
  const refusal = told(library, 'createEngine', {
    ...{ code: 'ERR_WORKER_START', cause: expect.any(Error) as Error },
    words: `${reason} — deploy it too`,
  });
  const next = (): Promise<Engine> => library.createEngine({ threads: 1 });
  await makesNone(() => library.createEngine({ threads: 2 }), refusal, { beside, next });
  const engine = await library.createEngine();
  expect(engine.features.threads).toBe(1);
  expect(engine.features.reason).toContain(`one thread: ${reason}`);
  engine.dispose();
});
