/**
 * Kernels that a caller brings: which build a compiled module is, and which one the file at a URL. A module can only be asked what it
 * imports and exports, the self-test is its proof. A file is held to the package's own bytes, as a page without https has no SHA-384
 * to compare; so it says which build it is, and what is compiled are the bytes inside, which are the same. It is not streamed, which
 * is refused all the same where bytes are (Chromium).
 */
import { ABI_VERSION } from '../../common/abi.ts';
import { EnvironmentError, type ErrorDetails } from '../errors.ts';
import { EXPORTS } from './exports.ts';
import { BUILDS, bytesOf, type Build } from './inlined.ts';
import { kernelsOf, reserve } from './instantiate.ts';
import { holds } from '../words.ts';

/** The build that a compiled module is. ERR_WASM_INTEGRITY for anything but this version's kernels over plain memory. */
export function buildOf(op: string, module: WebAssembly.Module): Build {
  const foreign = (problem: string, cause?: unknown): EnvironmentError => {
    const hint = 'a module is made of heed/wasm/relaxed.wasm or heed/wasm/baseline.wasm';
    return new EnvironmentError('ERR_WASM_INTEGRITY', { op, problem, hint, cause });
  };
  const exported = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  const imported = WebAssembly.Module.imports(module).map(({ module, name }) => `${module}.${name}`);
  const isKernels = imported.join() === 'env.memory' && EXPORTS.every((name) => exported.has(name));
  if (!isKernels) throw foreign("the module given as wasm is not heed's kernels");
  const memory = reserve(op, 1, false);
  let kernels;
  try {
    kernels = kernelsOf(op, module, memory);
  } catch (cause) {
    if (!(cause instanceof WebAssembly.LinkError)) throw cause;
    throw foreign('the module given as wasm cannot be instantiated over plain memory', cause);
  }
  const { abi, relaxed } = kernels;
  if (abi.value !== ABI_VERSION) {
    throw foreign(`the module given as wasm speaks ABI ${abi.value}, this code ABI ${ABI_VERSION}`);
  }
  return relaxed.value === 1 ? 'relaxed' : 'baseline';
}

/** The build whose file is at a URL. ERR_WASM_LOAD, ERR_WASM_INTEGRITY. */
export async function buildAt(op: string, url: string): Promise<Build> {
  const loaded = await load(op, url);
  const build = BUILDS.find((each) => same(loaded, bytesOf(each)));
  if (build !== undefined) return build;
  const problem = `${shown(url)} is none of the builds of this version`;
  const hint =
    'deploy the files of dist/wasm with each version; a build of your own is taken as a compiled module';
  throw new EnvironmentError('ERR_WASM_INTEGRITY', { op, problem, hint, url });
}

interface Host {
  readonly location?: { readonly href: string };
  readonly process?: {
    getBuiltinModule?(id: string): { readFile(path: URL): Promise<Uint8Array> } | undefined;
  };
}

/** What every module begins with. */
const MAGIC = [0, 97, 115, 109] as const;

/** The bytes of a module, as a whole. ERR_WASM_LOAD. */
async function load(op: string, url: string): Promise<Uint8Array> {
  const failed = (words: string, details: ErrorDetails): EnvironmentError => {
    return new EnvironmentError('ERR_WASM_LOAD', { op, problem: `${shown(url)} ${words}`, url, ...details });
  };
  let loaded: Loaded;
  try {
    loaded = (await fromFile(url)) ?? (await fromServer(url));
  } catch (cause) {
    const hint = isUrl(url) ? undefined : 'it is no URL: pathToFileURL or import.meta.resolve makes one';
    throw failed('could not be loaded', { cause, hint });
  }
  const { bytes, ...said } = loaded;
  if (said.status !== undefined && (said.status < 200 || said.status > 299)) {
    throw failed(`could not be loaded: status ${said.status}`, said);
  }
  if (MAGIC.every((byte, i) => bytes[i] === byte)) return bytes;
  const type = said.contentType === undefined ? '' : `, of type ${said.contentType}`;
  const hint = 'where there is no such file a server may answer with a page';
  throw failed(`is no WebAssembly${type}`, { ...said, hint });
}

interface Loaded {
  readonly bytes: Uint8Array;
  /** What a server says of it. */
  readonly status: number | undefined;
  readonly contentType: string | undefined;
}

/** Node's fetch has no files. */
async function fromFile(url: string): Promise<Loaded | undefined> {
  const { process } = globalThis as Host;
  const files = url.startsWith('file:') ? process?.getBuiltinModule?.('node:fs/promises') : undefined;
  return files && { bytes: await files.readFile(new URL(url)), status: undefined, contentType: undefined };
}

async function fromServer(url: string): Promise<Loaded> {
  const response = await fetch(url);
  const { status, headers } = response;
  const contentType = headers.get('Content-Type') ?? undefined;
  return { bytes: new Uint8Array(await response.arrayBuffer()), status, contentType };
}

/** By itself, or seen from the page. */
function isUrl(url: string): boolean {
  // URL.canParse is younger than SIMD: not in Safari 16.4, Chrome 91.
  return holds(() => new URL(url, (globalThis as Host).location?.href));
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** A URL in a message: one may hold a whole file. */
function shown(url: string): string {
  return url.length <= 120 ? url : `${url.slice(0, 119)}…`;
}
