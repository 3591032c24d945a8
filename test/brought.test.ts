/**
 * The option `wasm`: kernels that the caller brings, as a compiled module or by their URL, and what is wrong with those that are not
 * heed's (docs/reliability.md, faults 61, 62).
 *
 * @node its bytes come from a server of Node
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ABI_VERSION } from '../common/abi.ts';
import { createEngine, type Engine, type EngineOptions } from '../src/index.ts';
import { sharedOf } from '../src/threads/shared.ts';
import { buildAt } from '../src/wasm/brought.ts';
import { EXPORTS } from '../src/wasm/exports.ts';
import { builds, engineOf } from './builds.ts';
import { makesNone } from './no-engine.ts';
import { golden, matches, rejection, type Refusal } from './nothing-lost.ts';
import { refusal, sentence } from './refusals.ts';
import { float, patched, trapping } from './wasm-bytes.ts';

const fileOf = (build: string): URL => new URL(`../build/${build}.wasm`, import.meta.url);
const bytesOf = (build: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(fileOf(build)));
const baseline = bytesOf('baseline');
// (global i32 (i32.const ABI_VERSION)), as the section of globals holds it.
const otherVersion = patched(baseline, [0x7f, 0x00, 0x41, ABI_VERSION, 0x0b], [0x7f, 0x00, 0x41, 63, 0x0b]);
const page = '<!doctype html>';

/** What a server has, and as what. */
const served: Readonly<Record<string, readonly [type: string, body: Uint8Array | string]>> = {
  '/baseline.wasm': ['application/wasm', baseline],
  '/relaxed.wasm': ['application/wasm', bytesOf('relaxed')],
  '/as-bytes.wasm': ['application/octet-stream', baseline],
  '/half.wasm': ['application/wasm', baseline.subarray(0, baseline.length / 2)],
  '/flipped.wasm': ['application/wasm', baseline.with(baseline.length - 1, baseline.at(-1)! ^ 1)],
  '/older.wasm': ['application/wasm', otherVersion],
  '/page.wasm': ['text/html', page],
  '/nothing.wasm': ['application/wasm', ''],
};
const server = createServer(({ url = '' }, response) => {
  const [type, body] = served[url] ?? ['text/html', page];
  // What `fetch` would keep to ask more of a server is none of heed's.
  const headers = { 'Content-Type': type, Connection: 'close' };
  response.writeHead(url in served ? 200 : 404, headers).end(body);
});
let address: string;

beforeAll(async () => {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.close();
});

const op = 'createEngine';

/** It is refused, and nothing is left. */
async function refused(options: EngineOptions, refusal: Refusal): Promise<void> {
  await makesNone(() => createEngine(options), refusal);
}

async function bits(engine: Engine): Promise<Uint32Array> {
  const result = golden(engine);
  engine.dispose();
  return Promise.resolve(result);
}

describe.each(builds)('%s', (build) => {
  it('as a module that is compiled: the same bits, one thread, and why', async () => {
    const wasm = await WebAssembly.compile(bytesOf(build));
    const engine = await createEngine({ wasm });
    expect(engine.features).toMatchObject({
      simd: build,
      threads: 1,
      reason: 'one thread: wasm is a compiled module, whose memory cannot be shared',
    });
    expect(await bits(engine)).toEqual(await bits(await engineOf(build)));
    const alone = await createEngine({ wasm, threads: 1, simd: build, maxMemory: 2 ** 20 });
    expect(alone.features.reason).toBe('');
    expect(alone.memory.limit).toBe(2 ** 20);
    alone.dispose();
  });
  it('as a module of another realm', async () => {
    const wasm = runInNewContext('new WebAssembly.Module(bytes)', { bytes: bytesOf(build) }) as object;
    expect(wasm instanceof WebAssembly.Module).toBe(false);
    expect(await bits(await createEngine({ wasm }))).toEqual(await bits(await engineOf(build)));
  });
  it.each(['text', 'URL', 'file'] as const)('by its URL: as %s', async (kind) => {
    const url = kind === 'file' ? fileOf(build) : new URL(`${address}/${build}.wasm`);
    const engine = await createEngine({ wasm: kind === 'text' ? url.href : url, threads: 1 });
    expect(engine.features).toMatchObject({ simd: build, threads: 1, reason: '' });
    expect(await bits(engine)).toEqual(await bits(await engineOf(build)));
  });
  it('by its URL, with threads', async () => {
    const engine = await createEngine({ wasm: fileOf(build), threads: 2, maxMemory: 2 ** 26 });
    expect(engine.features).toMatchObject({ simd: build, threads: 2 });
    expect(await bits(engine)).toEqual(await bits(await engineOf(build)));
  });
});

it('as another type than its own, as it is not streamed', async () => {
  const engine = await createEngine({ wasm: `${address}/as-bytes.wasm`, threads: 1 });
  expect(engine.features.simd).toBe('baseline');
  engine.dispose();
});

it.each([
  ['no process, as in a page', undefined],
  [
    "a process without Node's modules",
    Object.create(process, { getBuiltinModule: { value: undefined } }) as object,
  ],
])('as a file where there is %s: `fetch` may have files', async (_, host) => {
  const asked = vi.fn(() => Promise.resolve(new Response(baseline)));
  vi.stubGlobal('fetch', asked);
  vi.stubGlobal('process', host);
  const build = await buildAt(op, fileOf('baseline').href).finally(() => vi.unstubAllGlobals());
  expect(build).toBe('baseline');
  expect(asked.mock.calls).toEqual([[fileOf('baseline').href]]);
});

const deploy =
  'deploy the files of dist/wasm with each version; a build of your own is taken as a compiled module';

it('as a data: URL, which no message repeats', async () => {
  const urlOf = (bytes: Uint8Array): string =>
    `data:application/wasm;base64,${Buffer.from(bytes).toString('base64')}`;
  const engine = await createEngine({ wasm: urlOf(baseline), threads: 1 });
  expect(engine.features.simd).toBe('baseline');
  engine.dispose();
  const url = urlOf(otherVersion);
  const words = `${url.slice(0, 119)}… is none of the builds of this version — ${deploy}`;
  await refused({ wasm: url }, { ...sentence(op, 'ERR_WASM_INTEGRITY', words), url });
});

it('threads of a compiled module: ERR_NO_THREADS', async () => {
  const wasm = new WebAssembly.Module(baseline);
  const words =
    "1 or 'auto' with such a wasm, got 2 — wasm is a compiled module, whose memory cannot be shared";
  await refused({ wasm, threads: 2 }, refusal(op, 'threads', 'ERR_NO_THREADS', words));
});

it('and a simd that it is not: ERR_OPTION', async () => {
  for (const wasm of [new WebAssembly.Module(baseline), fileOf('baseline')]) {
    const words = "'auto' or 'baseline', which wasm is, got 'relaxed'";
    await refused({ wasm, simd: 'relaxed' }, refusal(op, 'simd', 'ERR_OPTION', words));
  }
});

it.skipIf(builds.includes('relaxed'))('relaxed SIMD by its URL where there is none', async () => {
  const words = 'this JavaScript engine has no relaxed SIMD — give it the baseline build, or no wasm at all';
  await refused({ wasm: fileOf('relaxed') }, sentence(op, 'ERR_NO_RELAXED_SIMD', words));
});

describe("a module that is not heed's: ERR_WASM_INTEGRITY (fault 61)", () => {
  const roof = "the module given as wasm is not heed's kernels";
  const hint = 'a module is made of heed/wasm/relaxed.wasm or heed/wasm/baseline.wasm';
  const rows: readonly [name: string, bytes: Uint8Array<ArrayBuffer>, problem: string][] = [
    ['an empty one', Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0), roof],
    ['one of other functions', bytesOf('baseline-roof'), roof],
    ['one that wants more than a memory', bytesOf('baseline-testing'), roof],
    [
      'for shared memory',
      sharedOf(baseline),
      'the module given as wasm cannot be instantiated over plain memory',
    ],
    [
      'of another version',
      otherVersion as Uint8Array<ArrayBuffer>,
      `the module given as wasm speaks ABI 63, this code ABI ${ABI_VERSION}`,
    ],
  ];
  it.each(rows)('%s', async (_, bytes, problem) => {
    const wasm = new WebAssembly.Module(bytes);
    await refused({ wasm }, sentence(op, 'ERR_WASM_INTEGRITY', `${problem} — ${hint}`));
  });
  it('without any one of its exports', async () => {
    const exported = WebAssembly.Module.exports(new WebAssembly.Module(baseline)).map(({ name }) => name);
    // The memory is the host's own.
    const names = exported.filter((name) => name !== 'memory').sort();
    expect([...EXPORTS].sort()).toEqual(names);
    for (const name of names) {
      const letters = (word: string): number[] => [word.length, ...Buffer.from(word)];
      const wasm = new WebAssembly.Module(
        patched(baseline, letters(name), letters(`${name.slice(0, -1)}~`)) as Uint8Array<ArrayBuffer>,
      );
      const foreign = sentence(op, 'ERR_WASM_INTEGRITY', `${roof} — ${hint}`);
      matches(await rejection(createEngine({ wasm })), foreign);
    }
  });
  it.each([
    ['computes wrongly', patched(baseline, float(-0.306852788), float(0.306852788))],
    ['traps', trapping(baseline, 'rowsAdd')],
  ])('one that %s', async (_, bytes) => {
    const wasm = new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
    const words = 'the kernels compute wrong results — wasm may be damaged';
    await refused({ wasm }, sentence(op, 'ERR_WASM_INTEGRITY', words));
  });
});

describe('a file that is none of this version: ERR_WASM_INTEGRITY (fault 61)', () => {
  it.each(['half', 'flipped', 'older'])('%s', async (name) => {
    const url = `${address}/${name}.wasm`;
    const words = `${url} is none of the builds of this version — ${deploy}`;
    await refused({ wasm: url }, { ...sentence(op, 'ERR_WASM_INTEGRITY', words), url });
  });
});

describe('what is not there, or something else: ERR_WASM_LOAD (fault 62)', () => {
  const code = 'ERR_WASM_LOAD';
  const hint = 'where there is no such file a server may answer with a page';
  it.each([
    ['absent', 404, 'text/html', 'could not be loaded: status 404'],
    ['page', 200, 'text/html', `is no WebAssembly, of type text/html — ${hint}`],
    ['nothing', 200, 'application/wasm', `is no WebAssembly, of type application/wasm — ${hint}`],
  ])('%s', async (name, status, contentType, words) => {
    const url = `${address}/${name}.wasm`;
    await refused({ wasm: url }, { ...sentence(op, code, `${url} ${words}`), url, status, contentType });
  });
  it.each([
    ['what begins like one for a byte', 'data:application/wasm;base64,AAEBAQ==', 'application/wasm'],
    ['an address of 120 letters, which is shown', `data:text/plain,${'x'.repeat(104)}`, 'text/plain'],
  ])('%s', async (_, url, contentType) => {
    const words = `${url} is no WebAssembly, of type ${contentType} — ${hint}`;
    await refused({ wasm: url }, { ...sentence(op, code, words), url, status: 200, contentType });
  });
  it('a file that is none, of no type', async () => {
    const wasm = new URL('../package.json', import.meta.url);
    const words = `${wasm.href} is no WebAssembly — ${hint}`;
    await refused({ wasm }, { ...sentence(op, code, words), url: wasm.href });
  });
  it('a file that is not there, with what the system says', async () => {
    const wasm = new URL('absent.wasm', fileOf('baseline'));
    const url = wasm.href;
    const absent = sentence(op, code, `${url} could not be loaded`);
    await refused({ wasm }, { ...absent, url, cause: { code: 'ENOENT' } });
  });
  it('a server that is not there, and what is no URL', async () => {
    const hint = ' — it is no URL: pathToFileURL or import.meta.resolve makes one';
    for (const [url, words] of [
      ['http://127.0.0.1:1/baseline.wasm', ''],
      [fileURLToPath(fileOf('baseline')), hint],
      ['heed/wasm/baseline.wasm', hint],
    ] as const) {
      const cause = expect.any(TypeError) as TypeError;
      const absent = sentence(op, code, `${url} could not be loaded${words}`);
      await refused({ wasm: url }, { ...absent, url, cause });
    }
  });
});
