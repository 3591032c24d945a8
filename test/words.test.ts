/** What messages call a value, what they advise for it, and which name they take for the one that was meant (src/words.ts). */
import { describe, expect, it } from 'vitest';
import { arrayHint, kindOf, nearest } from '../src/words.ts';

describe('the name that was meant', () => {
  const known = ['scale', 'causal', 'seqQ', 'softcap', 'keyLengths'];
  it.each([
    ['as it is', 'causal', 'causal'],
    ['in other letters', 'CAUSAL', 'causal'],
    ['a letter less', 'casal', 'causal'],
    ['a letter more', 'causaal', 'causal'],
    ['another letter', 'causol', 'causal'],
    ['neighbours swapped', 'cuasal', 'causal'],
    ['the first two swapped', 'acusal', 'causal'],
    ['the last two swapped', 'causla', 'causal'],
    ['two swaps, as far as a third of the letters', 'acuasl', 'causal'],
    ['the nearest of two', 'scals', 'scale'],
    ['swapped, and no longer than four letters', 'sqeQ', 'seqQ'],
  ])('%s: %s', (_, name, meant) => {
    expect(nearest(name, known)).toBe(meant);
  });
  it.each([
    ['more than a third of the letters away', 'cxyzal'],
    ['letters that come twice, but are not swapped', 'lasuac'],
    ['as long as one, but no letter alike', 'bbbbb'],
    ['much shorter', 'key'],
    ['nothing', ''],
    // Two edits: the second letter is the first of the other, but not the other way round.
    ['half a swap', 'qeQ'],
  ])('none, where it is %s: %s', (_, name) => {
    expect(nearest(name, known)).toBe(undefined);
  });
  it('half a swap is no swap: each letter counts', () => {
    expect(nearest('axy', ['azx'])).toBe(undefined);
    expect(nearest('axy', ['ayz'])).toBe(undefined);
    expect(nearest('abc', ['bac'])).toBe('bac');
    expect(nearest('abcdef', ['bcadef'])).toBe('bcadef');
    expect(nearest('abcdef', ['bcaedf'])).toBe(undefined);
    expect(nearest('xabcde', ['bxacde'])).toBe('bxacde');
    expect(nearest('xabcde', ['bxaced'])).toBe(undefined);
  });
  it('the first of several that are as near', () => {
    expect(nearest('abcx', ['abcy', 'abcz'])).toBe('abcy');
    expect(nearest('abcx', ['axcx', 'abc', 'abcx'])).toBe('abcx');
  });
});

describe('what is asked for, of what came instead', () => {
  it.each([
    ['Int32Array', ['Uint8Array'], 'Uint8Array.from(x, (y) => (y ? 1 : 0)) makes one'],
    ['Array', ['Uint8Array'], 'Uint8Array.from(x, (y) => (y ? 1 : 0)) makes one'],
    ['Float64Array', ['Int32Array'], 'new Int32Array(x) makes one'],
    ['Array', ['Int32Array', 'Uint32Array'], 'new Int32Array(x) makes one'],
    ['BigInt64Array', ['Int32Array'], undefined],
    ['BigUint64Array', ['Uint8Array'], undefined],
    ['ArrayBuffer', ['Int32Array'], undefined],
    ['number', ['Uint8Array'], undefined],
    ['Float64Array', ['Float32Array'], 'new Float32Array(x) makes one'],
    ['Float64Array', ['Uint8Array', 'Float32Array'], 'new Float32Array(x) makes one'],
    ['Array', ['Float32Array'], 'new Float32Array(x) makes one'],
    ['BigInt64Array', ['Float32Array'], 'Float32Array.from(x, Number) makes one'],
    ['number', ['Float32Array'], undefined],
  ])('%s where there may be %j', (kind, allowed, hint) => {
    expect(arrayHint(kind, allowed)).toBe(hint);
  });
});

it('a value is called by its class where that is sure, else by its type', () => {
  const revoked = Proxy.revocable([], {});
  revoked.revoke();
  const kinds: readonly [unknown, string][] = [
    [null, 'null'],
    [undefined, 'undefined'],
    [1, 'number'],
    [1n, 'bigint'],
    ['x', 'string'],
    [() => 0, 'function'],
    [Symbol('x'), 'symbol'],
    [new Float32Array(1), 'Float32Array'],
    [new BigInt64Array(1), 'BigInt64Array'],
    [new DataView(new ArrayBuffer(1)), 'DataView'],
    [new ArrayBuffer(1), 'ArrayBuffer'],
    [[], 'Array'],
    [{}, 'object'],
    [{ byteLength: 1, [Symbol.toStringTag]: 'ArrayBuffer' }, 'object'],
    [new Proxy(new Float32Array(1), {}), 'object'],
    [revoked.proxy, 'object'],
  ];
  for (const [x, kind] of kinds) expect(kindOf(x)).toBe(kind);
  if (typeof SharedArrayBuffer !== 'undefined') {
    expect(kindOf(new SharedArrayBuffer(1))).toBe('SharedArrayBuffer');
  }
});
