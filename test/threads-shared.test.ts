/** The kernels' bytes for shared memory: those for memory of one thread, with other limits (src/threads/shared.ts). */
import { describe, expect, it } from 'vitest';
import { sharedOf } from '../src/threads/shared.ts';

describe('bytes for shared memory', () => {
  /** \0asm, version 1, then sections. */
  const moduleOf = (...sections: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> =>
    Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flat()]);
  const [e, m] = [0x65, 0x6d];
  /** (import "e" "m" …) */
  const imports = (...kind: readonly number[]): number[] => [2, 5 + kind.length, 1, 1, e, 1, m, ...kind];
  /** A type () → (), and a custom section of 200 bytes, whose length takes two. */
  const types = [1, 4, 1, 0x60, 0, 0];
  const custom = [0, 0xc8, 1, 1, 0x78, ...new Array<number>(198).fill(2)];
  /** One whose length is 128, the first that takes two. */
  const shorter = [0, 0x80, 1, 1, 0x78, ...new Array<number>(126).fill(2)];
  /** (import "e" "m…" (memory 3)), with a name of so many letters. */
  const named = (letters: number): number[] => [
    ...[2, 7 + letters, 1, 1, e, letters],
    ...[...new Array<number>(letters).fill(m), 2, 0, 3],
  ];

  it('differ in the limits of the memory, wherever its section lies', () => {
    for (const before of [[], [custom], [shorter], [types], [types, custom]]) {
      const patched = sharedOf(moduleOf(...before, imports(2, 0, 3), custom));
      expect([...patched]).toEqual([...moduleOf(...before, imports(2, 3, 3, 0x80, 0x80, 4), custom)]);
      expect(WebAssembly.validate(patched)).toBe(true);
    }
    // As long as a section may get: 127 bytes.
    expect(WebAssembly.validate(sharedOf(moduleOf(named(117))))).toBe(true);
  });
  it.each([
    ['a function', [types, imports(0, 0)]],
    ['a memory with a maximum', [imports(2, 1, 3, 4)]],
    ['two memories', [[2, 13, 2, 1, e, 1, m, 2, 0, 3, 1, e, 1, m, 2, 0]]],
    ['nothing', [types]],
    ['a memory with a long name', [named(118)]],
  ])('refuse a module that imports %s', (_, sections) => {
    expect(() => sharedOf(moduleOf(...sections))).toThrow('the kernels import something else than a memory');
  });
});
