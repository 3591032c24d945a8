/** Damage to a module's bytes, for tests of what is noticed. */
import { expect } from 'vitest';

/** The bytes with each occurrence of a pattern replaced. */
export function patched(bytes: Uint8Array, from: readonly number[], to: readonly number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  let found = 0;
  for (let i = 0; i + from.length <= copy.length; i++) {
    if (!from.every((byte, at) => bytes[i + at] === byte)) continue;
    copy.set(to, i);
    found++;
  }
  expect(found).toBeGreaterThan(0);
  return copy;
}

/** A constant in a module's data. */
export function float(x: number): readonly number[] {
  return [...new Uint8Array(Float32Array.of(x).buffer)];
}

/** The bytes of a module whose exported function `name` traps where it begins, called from inside too. No function is imported. */
export function trapping(bytes: Uint8Array, name: string): Uint8Array {
  const copy = Uint8Array.from(bytes);
  let at = 8;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = copy[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  let index = -1;
  while (at < copy.length) {
    const section = copy[at++]!;
    const end = number() + at;
    if (section === 7) {
      for (let left = number(); left > 0; left--) {
        const length = number();
        const word = Buffer.from(copy.subarray(at, at + length)).toString();
        at += length + 1;
        const found = number();
        if (word === name) index = found;
      }
    }
    if (section === 10) {
      for (let i = number(); i > 0; i--) {
        const next = number() + at;
        if (index-- === 0) {
          for (let locals = number(); locals > 0; locals--) {
            number();
            at++;
          }
          // local.get or i32.const, with their number: they become unreachable, and nop.
          const first = at;
          expect([0x20, 0x41]).toContain(copy[at++]);
          number();
          copy.fill(0x01, first, at);
          copy[first] = 0x00;
          return copy;
        }
        at = next;
      }
    }
    at = end;
  }
  throw new Error(`no function ${name}`);
}
