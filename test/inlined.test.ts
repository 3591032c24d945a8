/**
 * The kernels as text inside the package: how it is decoded, and one build as what it differs from another by.
 *
 * @node it compares files, and no kernel computes anything
 */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { deltaOf } from '../scripts/delta.mjs';
import { BUILDS, bytesOf, changed } from '../src/wasm/inlined.ts';

type Bytes = Uint8Array<ArrayBuffer>;

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

const node = Buffer;
const fromHex = vi.fn((text: string) => Uint8Array.from(node.from(text, 'hex')));

it.each([
  ['a loop', undefined, undefined],
  ["Node's Buffer", node, undefined],
  ['fromHex, where there is one', undefined, fromHex],
] as const)('is decoded by %s', async (_, buffer, method) => {
  vi.resetModules();
  const fresh = await import('../src/wasm/inlined.ts');
  const own = Object.getOwnPropertyDescriptor(Uint8Array, 'fromHex');
  vi.stubGlobal('Buffer', buffer);
  Object.defineProperty(Uint8Array, 'fromHex', { value: method, configurable: true });
  const decoded = BUILDS.map((build) => fresh.bytesOf(build));
  Reflect.deleteProperty(Uint8Array, 'fromHex');
  if (own) Object.defineProperty(Uint8Array, 'fromHex', own);
  vi.unstubAllGlobals();
  for (const [i, build] of BUILDS.entries()) {
    const file = readFileSync(new URL(`../build/${build}.wasm`, import.meta.url));
    expect(Buffer.compare(decoded[i]!, file)).toBe(0);
  }
  expect(fromHex.mock.calls.length > 0).toBe(method !== undefined);
});

/** Numbers below 4, so that pieces come again. */
function few(length: number, seed: number): Bytes {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >>> 30;
  });
}

const some = few(500, 1);
const rows: readonly [name: string, base: Bytes, bytes: Bytes][] = [
  ['the same', some, some],
  ['nothing', some, new Uint8Array(0)],
  ['of nothing', new Uint8Array(0), some],
  ['nothing in common', some, some.map((x) => x + 4)],
  ['pieces in another order', some, Uint8Array.of(...some.subarray(300), 9, ...some.subarray(20, 310), 9, 9)],
  ['one piece again and again', some, Uint8Array.from({ length: 900 }, (_, i) => some[7 + (i % 12)]!)],
  ['chance', some, few(900, 2)],
  ['128 bytes, whose number takes two', some, few(128, 3)],
  ['the builds', bytesOf('relaxed'), bytesOf('baseline')],
];

describe('a delta', () => {
  it.each(rows)('of %s gives the bytes', (_, base, bytes) => {
    expect(Buffer.compare(changed(base, deltaOf(base, bytes)), bytes)).toBe(0);
  });
  it('says less than the bytes where they have much in common', () => {
    const [relaxed, baseline] = [bytesOf('relaxed'), bytesOf('baseline')];
    expect(deltaOf(relaxed, baseline).length).toBeLessThan(baseline.length / 2);
  });
  it('that is cut off, or damaged behind its length, ends in other bytes', () => {
    const bytes = Uint8Array.of(...some.subarray(300), 9, ...some.subarray(20, 310), 9, 9);
    const delta = deltaOf(some, bytes);
    for (let at = 2; at < delta.length; at++) {
      expect(Buffer.compare(changed(some, delta.subarray(0, at)), bytes)).not.toBe(0);
      const damaged = delta.with(at, delta[at]! ^ 0x80);
      expect(changed(some, damaged).length).toBe(bytes.length);
    }
  });
});
