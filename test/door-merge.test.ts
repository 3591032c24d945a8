/** The door of mergeAttention. Through an engine: door-rope. */
import { describe, expect, it } from 'vitest';
import { PLAIN } from '../src/checks/index.ts';
import { resolveMerge } from '../src/options/merge.ts';
import * as reference from '../src/reference.ts';
import { f32 } from './data.ts';
import { absent, table } from './door.ts';
import { fault } from './nothing-lost.ts';

const dim = (min: number): string => `an integer from ${min} to 4294967296`;
const layouts = "'bshd' or 'bhsd'";

describe('mergeAttention', () => {
  const good = { batch: 2, seqQ: 3, heads: 2, valueDim: 4 };
  const part = (more: object = {}) => ({ out: f32(48), logSumExp: f32(12), ...more });
  const resolve = (parts: unknown, more: object = {}) =>
    resolveMerge('mergeAttention', PLAIN, parts, { ...good, ...more });

  it('fills in the defaults', () => {
    const { parts, ...rest } = resolve([part(), part({ weights: f32(1) })]);
    expect(rest).toEqual({ tensors: false, layout: 'bshd', ...good });
    expect(parts.map(({ out, logSumExp }) => [out.arg, logSumExp.arg])).toEqual([
      ['parts[0].out', 'parts[0].logSumExp'],
      ['parts[1].out', 'parts[1].logSumExp'],
    ]);
    const one = resolveMerge('mergeAttention', PLAIN, [{ out: f32(8), logSumExp: f32(2) }], {
      seqQ: 2,
      valueDim: 4,
    });
    expect(one).toMatchObject({ batch: 1, heads: 1 });
  });
  const lengths = 'Float32Array of length 12 (batch 2 × heads 2 × seqQ 3), got length 11';
  const fit = 'batch 2 × heads 2 × seqQ 3 × valueDim 4';
  table(
    'mergeAttention',
    [
      [[undefined], 'parts', 'ERR_ARG_TYPE', 'an array, got undefined'],
      [[7], 'parts', 'ERR_ARG_TYPE', 'an array, got number'],
      [[null], 'parts', 'ERR_ARG_TYPE', 'an array, got null'],
      [[part()], 'parts.length', 'ERR_ARG_TYPE', 'number, got undefined'],
      [[[]], 'parts', 'ERR_SHAPE', 'length 1 to 65536, got length 0'],
      [[{ length: 65537 }], 'parts', 'ERR_SHAPE', 'length 1 to 65536, got length 65537'],
      [[[null]], 'parts[0]', 'ERR_ARG_TYPE', 'an object, got null'],
      [[[part(), f32(4)]], 'parts[1]', 'ERR_ARG_TYPE', 'an object, got Float32Array'],
      [[[part(), undefined]], 'parts[1].out', 'ERR_ARG_TYPE', 'Float32Array, got undefined'],
      [
        [[part({ logSumExp: undefined })]],
        'parts[0].logSumExp',
        'ERR_ARG_TYPE',
        'Float32Array, got undefined',
      ],
      [
        [[part({ logSumexp: f32(12) })]],
        'parts[0].logSumexp',
        'ERR_UNKNOWN_OPTION',
        'one of out, logSumExp, weights, got an unknown option — did you mean "logSumExp"?',
      ],
      [
        [[part({ out: new Float64Array(48) })]],
        'parts[0].out',
        'ERR_ARG_TYPE',
        'Float32Array, got Float64Array — new Float32Array(x) makes one',
      ],
      [
        [[part(), part({ out: f32(47) })]],
        'parts[1].out',
        'ERR_SHAPE',
        `Float32Array of length 48 (${fit}), got length 47`,
      ],
      [[[part(), part({ logSumExp: f32(11) })]], 'parts[1].logSumExp', 'ERR_SHAPE', lengths],
      [[[part()], { seqQ: undefined }], 'seqQ', 'ERR_ARG_TYPE', absent],
      [[[part()], { valueDim: undefined }], 'valueDim', 'ERR_ARG_TYPE', absent],
      [[[part()], { valueDim: 0 }], 'valueDim', 'ERR_DIM', `${dim(1)}, got 0`],
      [[[part()], { heads: 0 }], 'heads', 'ERR_DIM', `${dim(1)}, got 0`],
      [[[part()], { batch: NaN }], 'batch', 'ERR_DIM', `${dim(0)}, got NaN`],
      [[[part()], { layout: 'bsd' }], 'layout', 'ERR_OPTION', `${layouts}, got 'bsd'`],
      [
        [[part()], { headDim: 4 }],
        'headDim',
        'ERR_UNKNOWN_OPTION',
        'one of batch, seqQ, heads, valueDim, layout, got an unknown option',
      ],
      [
        [[part()], { batch: 2 ** 20, seqQ: 2 ** 10 }],
        'parts[0].out',
        'ERR_SIZE',
        'at most 4294967296 bytes, got batch 1048576 × heads 2 × seqQ 1024 × valueDim 4 × 4 bytes',
      ],
    ],
    (given) => resolve(...(given as [unknown, object?])),
  );
  it('the reference checks the same', () => {
    expect(fault(() => reference.mergeAttention([], good))).toMatchObject({
      op: 'mergeAttention',
      arg: 'parts',
    });
  });
});
