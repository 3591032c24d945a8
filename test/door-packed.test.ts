/** The door of packed sequences (cuSeqlensQ, cuSeqlensK), word for word, as in door-scores. */
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { PLAIN } from '../src/checks/index.ts';
import { resolveAttention } from '../src/options/attention.ts';
import { attention, attentionWeights } from '../src/reference.ts';
import { f32 } from './data.ts';
import { packed, resolve, table, type Row } from './door.ts';
import { fault } from './nothing-lost.ts';

const u8 = (n: number): Uint8Array => new Uint8Array(n).fill(1);
const i32 = (...starts: number[]): Int32Array => Int32Array.of(...starts);
const view = (bytes: number): DataView => new DataView(new ArrayBuffer(bytes));

describe('packed sequences (faults 71, 73)', () => {
  const make = ' — new Int32Array(x) makes one';
  const top = 2 ** 31 - 1;
  for (const name of ['cuSeqlensQ', 'cuSeqlensK']) {
    table<unknown>(
      'attention',
      [
        [null, name, 'ERR_ARG_TYPE', 'Int32Array, got null'],
        [2, name, 'ERR_ARG_TYPE', 'Int32Array, got number'],
        [[0, 2, 6], name, 'ERR_ARG_TYPE', `Int32Array, got Array${make}`],
        [new Uint32Array([0, 2, 6]), name, 'ERR_ARG_TYPE', `Int32Array, got Uint32Array${make}`],
        [f32(3), name, 'ERR_ARG_TYPE', `Int32Array, got Float32Array${make}`],
        [new BigInt64Array(3), name, 'ERR_ARG_TYPE', 'Int32Array, got BigInt64Array'],
        [view(12), name, 'ERR_ARG_TYPE', 'Int32Array, got DataView'],
        [new Proxy(i32(0, 2, 6), {}), name, 'ERR_ARG_TYPE', 'Int32Array, got object'],
        [i32(), name, 'ERR_SHAPE', 'length 1 to 4294967296, got length 0'],
        [i32(1, 2, 6), `${name}[0]`, 'ERR_RANGE', 'an integer from 0 to 0, got 1'],
        [i32(-1, 2, 6), `${name}[0]`, 'ERR_RANGE', 'an integer from 0 to 0, got -1'],
        [i32(0, 3, 2), `${name}[2]`, 'ERR_RANGE', `an integer from 3 to ${top}, got 2`],
        [i32(0, -1, 6), `${name}[1]`, 'ERR_RANGE', `an integer from 0 to ${top}, got -1`],
      ],
      (value) => resolve(packed, { [name]: value }),
    );
  }
  const beside = (what: string): string => `${what} beside packed sequences (cuSeqlensQ), got`;
  const excluded: Row<object>[] = Object.entries({
    ...{ batch: 2, seqQ: 4, seqK: 5, mask: u8(1), bias: f32(1), keyLengths: [5, 2] },
  }).map(([name, x]) => [{ [name]: x }, name, 'ERR_OPTION', `${beside('undefined')} a value`]);
  table(
    'attention',
    [
      ...excluded,
      [{ batch: NaN }, 'batch', 'ERR_OPTION', `${beside('undefined')} a value`],
      [{ mask: null }, 'mask', 'ERR_OPTION', `${beside('undefined')} a value`],
      [{ layout: 'bhsd' }, 'layout', 'ERR_OPTION', `${beside("'bshd'")} 'bhsd'`],
      [{ layout: 'sbhd' }, 'layout', 'ERR_OPTION', "'bshd' or 'bhsd', got 'sbhd'"],
      [{ cuSeqlensQ: undefined }, 'cuSeqlensQ', 'ERR_ARG_TYPE', 'Int32Array, got undefined'],
      [{ cuSeqlensK: i32(0, 7) }, 'cuSeqlensK', 'ERR_SHAPE', 'length 3, as cuSeqlensQ, got length 2'],
      [{ cuSeqlensQ: i32(0) }, 'cuSeqlensK', 'ERR_SHAPE', 'length 1, as cuSeqlensQ, got length 3'],
      [
        { cuSeqlensQ: i32(0, 2, 5) },
        'q',
        'ERR_SHAPE',
        'Float32Array of length 40 (totalQ 5 × heads 2 × headDim 4), got length 48',
      ],
      [
        { cuSeqlensK: undefined },
        'k',
        'ERR_SHAPE',
        'Float32Array of length 24 (totalK 6 × kvHeads 1 × headDim 4), got length 28',
      ],
      [
        { valueDim: 3 },
        'v',
        'ERR_SHAPE',
        'Float32Array of length 21 (totalK 7 × kvHeads 1 × valueDim 3), got length 28',
      ],
      [
        { out: f32(47) },
        'out',
        'ERR_SHAPE',
        'Float32Array of length 48 (totalQ 6 × heads 2 × valueDim 4), got length 47',
      ],
      [
        { logSumExp: f32(8) },
        'logSumExp',
        'ERR_SHAPE',
        'Float32Array of length 12 (heads 2 × totalQ 6), got length 8',
      ],
      [{ queryOffset: [1] }, 'queryOffset', 'ERR_SHAPE', 'length 2, got length 1'],
      [{ sinks: f32(3) }, 'sinks', 'ERR_SHAPE', 'Float32Array of length 2 (heads 2), got length 3'],
      [
        { headDim: undefined },
        'headDim',
        'ERR_ARG_TYPE',
        'number, got undefined — a flat array has no shape, so it must be stated',
      ],
    ],
    (more) => resolve(packed, more),
  );
  it('weights are for sequences of one length', () => {
    const untyped = attentionWeights as (...all: unknown[]) => unknown;
    expect(fault(() => untyped(f32(48), f32(28), f32(28), packed)).message).toBe(
      'attentionWeights: "cuSeqlensQ" expected undefined, got packed sequences — call it for each sequence [ERR_OPTION]',
    );
  });
  it('pass from any realm, empty ones too, and nothing at all', () => {
    const cuSeqlensQ: unknown = runInNewContext('new Int32Array([0, 0, 6])');
    expect(resolve(packed, { cuSeqlensQ })).toMatchObject({ seqQ: 6 });
    const none = { headDim: 4, cuSeqlensQ: i32(0) };
    expect(attention(f32(0), f32(0), f32(0), none)).toHaveLength(0);
    expect(resolveAttention('attention', PLAIN, f32(0), f32(0), f32(0), none).problem).toMatchObject({
      batch: 0,
    });
    const { sequence } = resolve(packed, {});
    expect(sequence(1)).toEqual({ queries: 4, keys: 2, firstQuery: 2, firstKey: 5, offset: -2 });
  });
});
