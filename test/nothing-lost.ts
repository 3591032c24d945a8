/**
 * The one helper of all fault tests: what a call throws, and that nothing is lost by it (docs/reliability.md):
 *
 *   (a) inputs, outputs, caches (their memory and lengths) and `engine.memory.used` are as they were
 *   (b) a promise settles, with the error
 *   (c) the next valid calls on that engine give the bits of a fresh one
 *   (d) nothing is left that would keep the process alive (in Node; nobody tells a page)
 */
import { expect } from 'vitest';
import { KVCache, Tensor, type Engine, type HeedError, type HeedErrorCode } from '../src/index.ts';
import { runtimeOf } from '../src/engine.ts';
import { engineOf, type Build } from './builds.ts';
import { normal } from './data.ts';
import { equal } from './equal.ts';

/** What a test expects of an error. */
export interface Refusal {
  readonly class: abstract new (...given: never[]) => Error;
  readonly code: HeedErrorCode;
  /** Word for word; with figures that only the error itself can know, made of it. */
  readonly message: string | ((error: HeedError) => string);
  readonly op?: string;
  readonly arg?: string;
  /** Fields of some errors, each as `toMatchObject` takes it. */
  readonly worker?: unknown;
  readonly jobId?: unknown;
  readonly exitCode?: unknown;
  readonly needed?: number;
  readonly limit?: number;
  readonly inUse?: number;
  readonly instances?: unknown;
  readonly url?: string;
  readonly status?: number;
  readonly contentType?: string;
  readonly cause?: unknown;
}

/** What must not change while a call is refused. */
export interface Watch {
  readonly engine: Engine;
  /** Bits of a fresh engine of the same build. */
  readonly fresh: Uint32Array;
  readonly memory: readonly Watched[];
  /** Copies that a worker may still write to, of which nothing is heard, stay in use: nobody else is given their memory. */
  readonly quarantine?: true;
}

/** A cache must be one of the watched engine's. */
type Watched = ArrayBufferView | Tensor | KVCache;

/** What a call throws, which must be one of heed's errors. */
export function fault(call: () => unknown): HeedError {
  try {
    call();
  } catch (error) {
    return heedError(error);
  }
  throw new Error('nothing was thrown');
}

/** What a promise is rejected with, which must be one of heed's errors. One that never settles ends by the test's time. */
export async function rejection(promise: Promise<unknown>): Promise<HeedError> {
  try {
    await promise;
  } catch (error) {
    return heedError(error);
  }
  throw new Error('nothing was rejected');
}

const freshBits = new Map<Build, Uint32Array>();

/** Bits of an engine that nothing has happened to. */
async function freshOf(build: Build): Promise<Uint32Array> {
  let fresh = freshBits.get(build);
  if (fresh === undefined) {
    const other = await engineOf(build);
    fresh = golden(other);
    other.dispose();
    freshBits.set(build, fresh);
  }
  return fresh;
}

/** That an engine has them. */
export async function goldenIs(engine: Engine): Promise<void> {
  expect(equal(golden(engine), await freshOf(engine.features.simd))).toBe(true);
}

/** Names what a refused call on this engine must leave alone: its arrays, tensors and caches, outputs filled with a pattern. */
export async function watch(engine: Engine, ...memory: readonly Watched[]): Promise<Watch> {
  const fresh = await freshOf(engine.features.simd);
  return { engine, fresh, memory };
}

/** An array for results that nobody has written: no two neighbours are equal, none is zero. */
export function pattern(length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => 1000.5 + (i % 127));
}

/** The call is refused as expected, and nothing is lost. */
export function refuses(call: () => unknown, refusal: Refusal, watched: Watch): HeedError {
  const before = stateOf(watched);
  const error = fault(call);
  matches(error, refusal);
  nothingLost(watched, before);
  return error;
}

/** The promise is rejected as expected, and nothing is lost. */
export async function rejects(
  call: () => Promise<unknown>,
  refusal: Refusal,
  watched: Watch,
): Promise<HeedError> {
  return losesNothing(async () => {
    const error = await rejection(call());
    matches(error, refusal);
    return error;
  }, watched);
}

/** Of a fault that is no error of heed's, or none at all: when it is over nothing is lost. */
export async function losesNothing<T>(work: () => T | Promise<T>, watched: Watch): Promise<T> {
  const before = stateOf(watched);
  const result = await work();
  // What a settled promise leaves may take a while to go: a worker that comes in another's place, on a busy machine.
  for (let i = 0; i < 1000 && left(before).length > 0; i++) await new Promise((r) => setTimeout(r, 10));
  nothingLost(watched, before);
  return result;
}

/** A fault: what is called, and what it is refused with. */
export interface Faulty {
  readonly call: () => unknown;
  readonly refusal: Refusal;
}

/** Faults in turn: after each of them all is as it was, and after the last the engine goes on as a fresh one. */
export async function refusesEach(faults: Iterable<Faulty>, watched: Watch): Promise<void> {
  const before = stateOf(watched);
  let count = 0;
  for (const { call, refusal } of faults) {
    matches(
      refusal.op?.endsWith('Async') ? await rejection(call() as Promise<unknown>) : fault(call),
      refusal,
    );
    unchanged(watched, before);
    count++;
  }
  expect(count).toBeGreaterThan(0);
  goesOn(watched);
}

/** What the caller's own code throws inside a call passes through, and nothing is lost. */
export async function passesOn(error: unknown, call: () => unknown, watched: Watch): Promise<void> {
  const before = stateOf(watched);
  await expect(Promise.resolve().then(call)).rejects.toBe(error);
  unchanged(watched, before);
}

/** Class, code, message, op, arg and other fields. */
export function matches(error: HeedError, refusal: Refusal): void {
  const { class: Class, message, ...fields } = refusal;
  expect(error.message).toBe(typeof message === 'string' ? message : message(error));
  expect(error).toMatchObject(fields);
  expect(error).toBeInstanceOf(Class);
  expect(error.message.endsWith(`[${refusal.code}]`)).toBe(true);
}

/** The bits of what an engine computes: every operation once, on plain arrays and on tensors. */
export function golden(engine: Engine): Uint32Array {
  const [q, k, v, w] = [
    normal(2 * 9 * 4 * 7, 11),
    normal(2 * 13 * 2 * 7, 12),
    normal(2 * 13 * 2 * 5, 13),
    normal(91, 14),
  ];
  const shape = { batch: 2, seqQ: 9, seqK: 13, heads: 4, kvHeads: 2, headDim: 7, valueDim: 5, causal: true };
  const { out, weights, logSumExp } = engine.attentionWeights(q, k, v, shape);
  const packed = engine.packMatrix(w, { K: 7, N: 13 });
  const scope = engine.scope();
  const [Q, K, V] = [
    scope.tensor([2, 9, 4, 7], q),
    scope.tensor([2, 13, 2, 7], k),
    scope.tensor([2, 13, 2, 5], v),
  ];
  const merged = engine.mergeAttention([{ out, logSumExp }], { batch: 2, seqQ: 9, heads: 4, valueDim: 5 });
  const attended = scope.attention(Q, K, V, { causal: true });
  const turned = scope.rope(V, { rotaryDim: 4, interleaved: true });
  const results = [
    ...[out, weights, logSumExp, engine.attention(q, k, v, shape)],
    engine.matmul(q, w, { M: 72, K: 7, N: 13, bias: w.subarray(0, 13) }),
    engine.matmul(q, packed, { M: 72 }),
    engine.rope(q, { batch: 2, seq: 9, heads: 4, headDim: 7, rotaryDim: 6, offset: 3 }),
    ...[decoded(engine, 'f32'), decoded(engine, 'f16')],
    ...[merged.out, merged.logSumExp],
  ];
  // Those of tensors last: a call may have written there that had no business to, and one that grows the memory moves them.
  results.push(attended.data, turned.data);
  const bits = results.flatMap((each) => [...new Uint32Array(each.slice().buffer)]);
  scope.dispose();
  packed.dispose();
  return Uint32Array.from(bits);
}

/** A few tokens through a cache of the engine. */
function decoded(engine: Engine, dtype: 'f32' | 'f16'): Float32Array {
  const cache = engine.kvCache({ kvHeads: 2, headDim: 7, valueDim: 5, capacity: 9, dtype });
  cache.append(normal(9 * 14, 15), normal(9 * 10, 16));
  const out = cache.attend(normal(2 * 4 * 7, 17), { heads: 4, seqQ: 2 });
  cache.dispose();
  return out;
}

interface State {
  readonly used: number;
  readonly bytes: readonly Uint8Array[];
  readonly resources: readonly string[];
}

function stateOf({ engine, memory }: Watch): State {
  return {
    used: engine.memory.used,
    bytes: memory.flatMap((x) => bytesOf(x, engine)),
    resources: resources(),
  };
}

function nothingLost(watched: Watch, before: State): void {
  unchanged(watched, before);
  goesOn(watched);
}

function unchanged(watched: Watch, before: State): void {
  const after = stateOf(watched);
  if (watched.quarantine) expect(after.used).toBeGreaterThan(before.used);
  else expect(after.used).toBe(before.used);
  expect(after.bytes.every((bytes, i) => equal(bytes, before.bytes[i]!))).toBe(true);
  expect(left(before)).toEqual([]);
}

/** The next valid calls give the bits of a fresh engine, and keep nothing. */
export function goesOn({ engine, fresh }: Watch): void {
  const { used } = engine.memory;
  expect(equal(golden(engine), fresh)).toBe(true);
  expect(engine.memory.used).toBe(used);
}

/** Copies. Of a tensor it is taken anew, as growth may have moved it. */
function bytesOf(x: Watched, engine: Engine): Uint8Array[] {
  if (x instanceof KVCache) return cacheBytes(x, engine);
  const view = x instanceof Tensor ? x.data : x;
  return [new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice()];
}

/** Keys, values, lengths, and what is the oldest token that a ring holds. */
export function cacheBytes(cache: KVCache, engine: Engine): Uint8Array[] {
  const { batch, kvHeads, capacity, headDim, valueDim, dtype, lengths, oldest, special } = cache.stateOf();
  const { keys, values } = cache.addressesOf('test');
  const { u8 } = runtimeOf('test', engine).words;
  const numbers = batch * kvHeads * capacity * (dtype === 'f16' ? 2 : 4);
  const state = Float64Array.of(...lengths, ...oldest, Number(special));
  return [
    u8.slice(keys, keys + numbers * headDim),
    u8.slice(values, values + numbers * valueDim),
    new Uint8Array(state.buffer),
  ];
}

/** What keeps the process alive. */
function resources(): string[] {
  const { process } = globalThis as { readonly process?: Partial<NodeJS.Process> };
  return process?.getActiveResourcesInfo?.() ?? [];
}

/** What will keep the process alive, and does not now. */
export function keepers(): () => readonly string[] {
  const now = { resources: resources() };
  return () => left(now);
}

/** What would keep the process alive, and did not before. (What did may have ended.) */
function left(state: Pick<State, 'resources'>): string[] {
  const before = [...state.resources];
  return resources().filter((name) => {
    const at = before.indexOf(name);
    if (at >= 0) before.splice(at, 1);
    return at < 0;
  });
}

function heedError(error: unknown): HeedError {
  if ((error as Partial<HeedError>).isHeedError === true) return error as HeedError;
  throw error;
}
