/** What the tests of the door share: tables of faults, arrays on buffers that shrink, calls that faults start from. */
import { expect, it } from 'vitest';
import { PLAIN } from '../src/checks/index.ts';
import type { HeedErrorCode } from '../src/errors.ts';
import { resolveAttention, type AttentionProblem } from '../src/options/attention.ts';
import { attention } from '../src/reference.ts';
import { f32 } from './data.ts';
import { fault, matches } from './nothing-lost.ts';
import { refusal } from './refusals.ts';

/** A fault: what is given, then the argument, the code, and what stands between "expected" and the code. */
export type Row<Given = unknown> = readonly [given: Given, arg: string, code: HeedErrorCode, words: string];

/** What a missing dimension is told. */
export const absent = 'number, got undefined — a flat array has no shape, so it must be stated';

/** A test for each row: class, code, op, arg and message, word for word. */
export function table<Given>(op: string, rows: readonly Row<Given>[], call: (given: Given) => unknown): void {
  for (const [i, [given, arg, code, words]] of rows.entries()) {
    it(`${i + 1}: ${arg} ${code}`, () => {
      matches(
        fault(() => call(given)),
        refusal(op, arg, code, words),
      );
    });
  }
}

/** Rows for values of a kind that is never taken: what is given, and what it is called. */
export function wrongKinds(
  arg: string,
  expected: string,
  given: readonly (readonly [x: unknown, kind: string])[],
): Row[] {
  return given.map(([x, kind]) => [x, arg, 'ERR_ARG_TYPE', `${expected}, got ${kind}`]);
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

/** SharedArrayBuffer. A page that is not isolated has it without a name. */
export const SharedBuffer: SharedArrayBufferConstructor = Reflect.get(
  new WebAssembly.Memory({ initial: 0, maximum: 1, shared: true }).buffer,
  'constructor',
) as SharedArrayBufferConstructor;

// ---- calls of attention that pass, for faults to start from ----

type Dims = Readonly<Record<'heads' | 'kvHeads' | 'headDim', number>>;

/** Two sequences of 3 queries and 5 keys, two heads on one. */
export const good: Dims & Readonly<Record<'batch' | 'seqQ' | 'seqK', number>> = {
  ...{ batch: 2, seqQ: 3, seqK: 5 },
  ...{ heads: 2, kvHeads: 1, headDim: 4 },
};
/** Sequences of 2 and 4 queries, 5 and 2 keys. */
export const packed: Dims & Readonly<Record<'cuSeqlensQ' | 'cuSeqlensK', Int32Array>> = {
  ...{ cuSeqlensQ: Int32Array.of(0, 2, 6), cuSeqlensK: Int32Array.of(0, 5, 7) },
  ...{ heads: 2, kvHeads: 1, headDim: 4 },
};

/** The kernels' door, after checking that the reference refuses the same in the same words, or lets the same pass. */
export function resolve(shape: typeof good | typeof packed, more: object): AttentionProblem {
  const keys = 'batch' in shape ? 40 : 28;
  const given = [f32(48), f32(keys), f32(keys)] as const;
  const untyped = attention as (...all: unknown[]) => unknown;
  try {
    const { problem } = resolveAttention('attention', PLAIN, ...given, { ...shape, ...more });
    untyped(...given, { ...shape, ...more });
    return problem;
  } catch (error) {
    const { message } = error as Error;
    const both = message.replace(/ expected Float32Array(?! of)/, ' expected Float32Array or Float64Array');
    expect([both, message]).toContain(fault(() => untyped(...given, { ...shape, ...more })).message);
    throw error;
  }
}
