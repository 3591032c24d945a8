/** What the tests of the door share: tables of faults, and arrays on buffers that shrink. */
import { expect, it } from 'vitest';
import { HeedRangeError, HeedTypeError } from '../src/errors.ts';
import type { HeedErrorCode } from '../src/errors.ts';
import { fault, type Refusal } from './nothing-lost.ts';

/** A fault: what is given, then the argument, the code, and what stands between "expected" and the code. */
export type Row<Given = unknown> = readonly [given: Given, arg: string, code: string, words: string];

/** What a missing dimension is told. */
export const absent = 'number, got undefined — a flat array has no shape, so it must be stated';

const TYPES: readonly string[] = ['ERR_ARG_TYPE', 'ERR_UNKNOWN_OPTION', 'ERR_DETACHED'];

/** A fault of an argument, word for word. */
export function refusal(op: string, arg: string, code: HeedErrorCode, words: string): Refusal {
  const Class = TYPES.includes(code) ? HeedTypeError : HeedRangeError;
  return { class: Class, code, op, arg, message: `${op}: "${arg}" expected ${words} [${code}]` };
}

/** A test for each row: class, code, op, arg and message, word for word. */
export function table<Given>(op: string, rows: readonly Row<Given>[], call: (given: Given) => unknown): void {
  for (const [i, [given, arg, code, words]] of rows.entries()) {
    it(`${i + 1}: ${arg} ${code}`, () => {
      const error = fault(() => call(given));
      expect(error.message).toBe(`${op}: "${arg}" expected ${words} [${code}]`);
      expect(error).toMatchObject({ op, arg, code });
      expect(error).toBeInstanceOf(TYPES.includes(code) ? HeedTypeError : HeedRangeError);
    });
  }
}

/** A resizable buffer; TypeScript's library of ES2023 does not know them yet. */
export function resizable(
  bytes: number,
  maxByteLength: number = bytes,
): ArrayBuffer & { resize(bytes: number): void } {
  const Buffer = ArrayBuffer as unknown as new (
    n: number,
    o: object,
  ) => ArrayBuffer & { resize(n: number): void };
  return new Buffer(bytes, { maxByteLength });
}
