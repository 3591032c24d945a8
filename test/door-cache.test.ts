/**
 * The door of a cache: what making, appending and attending refuse, word for word (docs/reliability.md, faults 37 and 38, and
 * those of every argument), nothing lost. What a cache refuses for what is in it is in kv-cache-faults.
 */
import { describe, expect, it } from 'vitest';
import type { AttendOptions, HeedErrorCode } from '../src/index.ts';
import { forRing, type CacheState } from '../src/options/cache.ts';
import { builds, engineOf } from './builds.ts';
import { FAULTY, filled, untyped } from './caches.ts';
import { f32 } from './data.ts';
import { absent, resizable } from './door.ts';
import { fault, pattern, refuses, watch } from './nothing-lost.ts';
import { refusal } from './refusals.ts';

type Row = readonly [name: string, given: unknown, arg: string, code: HeedErrorCode, words: string];

const gone = f32(24);
structuredClone(gone.buffer, { transfer: [gone.buffer] });
const shrunk = ((): Float32Array => {
  const buffer = resizable(96);
  const view = new Float32Array(buffer, 0, 24);
  buffer.resize(8);
  return view;
})();

const dim = (min: number): string => `an integer from ${min} to 4294967296`;
const layouts = "'bshd' or 'bhsd'";

/** Of FAULTY. */
const making: readonly Row[] = [
  ['nothing', undefined, 'kvHeads', 'ERR_ARG_TYPE', absent],
  ['no object', 7, 'options', 'ERR_ARG_TYPE', 'an object, got number'],
  ['no capacity', { capacity: undefined }, 'capacity', 'ERR_ARG_TYPE', absent],
  ['no headDim', { headDim: undefined }, 'headDim', 'ERR_ARG_TYPE', absent],
  ['a string', { kvHeads: '2' }, 'kvHeads', 'ERR_ARG_TYPE', 'number, got string'],
  ['null', { valueDim: null }, 'valueDim', 'ERR_ARG_TYPE', 'number, got null'],
  ['NaN', { batch: NaN }, 'batch', 'ERR_DIM', `${dim(0)}, got NaN`],
  ['a fraction', { capacity: 1.5 }, 'capacity', 'ERR_DIM', `${dim(1)}, got 1.5`],
  ['negative', { capacity: -1 }, 'capacity', 'ERR_DIM', `${dim(1)}, got -1`],
  ['none', { capacity: 0 }, 'capacity', 'ERR_DIM', `${dim(1)}, got 0`],
  ['no heads', { kvHeads: 0 }, 'kvHeads', 'ERR_DIM', `${dim(1)}, got 0`],
  ['no dimension', { headDim: 0 }, 'headDim', 'ERR_DIM', `${dim(1)}, got 0`],
  ['beyond 2³²', { valueDim: 2 ** 32 + 8 }, 'valueDim', 'ERR_DIM', `${dim(1)}, got 4294967304`],
  ['a dtype', { dtype: 'bf16' }, 'dtype', 'ERR_OPTION', "'f32' or 'f16', got 'bf16'"],
  ['a dtype of no kind', { dtype: 16 }, 'dtype', 'ERR_ARG_TYPE', "'f32' or 'f16', got number"],
  ['ring', { ring: 1 }, 'ring', 'ERR_ARG_TYPE', 'boolean, got number'],
  [
    ...(['an unknown option', { seqLen: 5 }, 'seqLen', 'ERR_UNKNOWN_OPTION'] as const),
    'one of batch, kvHeads, headDim, valueDim, capacity, dtype, ring, got an unknown option',
  ],
  [
    ...(['too large', { capacity: 2 ** 30 }, 'k', 'ERR_SIZE'] as const),
    'at most 4294967296 bytes, got batch 2 × kvHeads 2 × capacity 1073741824 × headDim 3 × 4 bytes',
  ],
  [
    ...(['values too large', { valueDim: 2 ** 30 }, 'v', 'ERR_SIZE'] as const),
    'at most 4294967296 bytes, got batch 2 × kvHeads 2 × capacity 5 × valueDim 1073741824 × 4 bytes',
  ],
];

const whole = 'Float32Array whose length is a multiple of 12 (batch 2 × kvHeads 2 × headDim 3)';
const valuesOf = 'batch 2 × tokens 1 × kvHeads 2 × valueDim 4';
/** { k, v, options } */
const appending: readonly Row[] = [
  [
    'full (fault 37)',
    { k: f32(36), v: f32(48) },
    'k',
    'ERR_CACHE_FULL',
    'at most 2 tokens more in sequence 0 (3 of 5 in use), got 3',
  ],
  [
    ...([
      'one sequence full',
      { k: f32(60), v: f32(80), options: { counts: [2, 5] } },
      'k',
      'ERR_CACHE_FULL',
    ] as const),
    'at most 4 tokens more in sequence 1 (1 of 5 in use), got 5',
  ],
  ['another headDim (fault 38)', { k: f32(16) }, 'k', 'ERR_SHAPE', `${whole}, got length 16`],
  [
    'another valueDim',
    { v: f32(12) },
    'v',
    'ERR_SHAPE',
    `Float32Array of length 16 (${valuesOf}), got length 12`,
  ],
  [
    'fewer values than keys',
    { k: f32(24) },
    'v',
    'ERR_SHAPE',
    'Float32Array of length 32 (batch 2 × tokens 2 × kvHeads 2 × valueDim 4), got length 16',
  ],
  ['no k', { k: undefined }, 'k', 'ERR_ARG_TYPE', 'Float32Array, got undefined'],
  [
    'float64',
    { v: new Float64Array(16) },
    'v',
    'ERR_ARG_TYPE',
    'Float32Array, got Float64Array — new Float32Array(x) makes one',
  ],
  [
    'detached',
    { k: gone },
    'k',
    'ERR_DETACHED',
    'Float32Array on a live buffer, got one whose buffer was transferred, or shrunk below it',
  ],
  [
    'shrunk',
    { v: shrunk },
    'v',
    'ERR_DETACHED',
    'Float32Array on a live buffer, got one whose buffer was transferred, or shrunk below it',
  ],
  ['layout', { options: { layout: 'sbhd' } }, 'layout', 'ERR_OPTION', `${layouts}, got 'sbhd'`],
  ['options', { options: [] }, 'options', 'ERR_ARG_TYPE', 'an object, got Array'],
  [
    'an unknown option',
    { options: { count: 1 } },
    'count',
    'ERR_UNKNOWN_OPTION',
    'one of counts, layout, got an unknown option — did you mean "counts"?',
  ],
  [
    'counts of no kind',
    { options: { counts: 1 } },
    'counts',
    'ERR_ARG_TYPE',
    '[batch] of integers, got number',
  ],
  ['too few counts', { options: { counts: [1] } }, 'counts', 'ERR_SHAPE', 'length 2, got length 1'],
  [
    'a count beyond n',
    { options: { counts: [0, 2] } },
    'counts[1]',
    'ERR_RANGE',
    'an integer from 0 to 1, got another',
  ],
  [
    'a negative count',
    { options: { counts: [-1, 0] } },
    'counts[0]',
    'ERR_RANGE',
    'an integer from 0 to 1, got another',
  ],
  [
    'a fraction',
    { options: { counts: [0.5, 0] } },
    'counts[0]',
    'ERR_RANGE',
    'an integer from 0 to 1, got a number that is none',
  ],
  [
    'a count of no kind',
    { options: { counts: [1, '1'] } },
    'counts[1]',
    'ERR_ARG_TYPE',
    'an integer from 0 to 1, got string',
  ],
];

const queries = 'batch 2 × heads 4 × seqQ 1 × headDim 3';
const causal = 'undefined, got a value — a cache is causal and knows its lengths';
/** { q, options } */
const attending: readonly Row[] = [
  ['heads missing', { options: { heads: undefined } }, 'heads', 'ERR_ARG_TYPE', absent],
  ['heads', { options: { heads: 3 } }, 'heads', 'ERR_HEADS', 'a multiple of kvHeads 2, got 3'],
  ['no heads', { options: { heads: 0 } }, 'heads', 'ERR_DIM', `${dim(1)}, got 0`],
  ['seqQ', { options: { seqQ: -1 } }, 'seqQ', 'ERR_DIM', `${dim(0)}, got -1`],
  [
    'another headDim (fault 38)',
    { q: f32(32) },
    'q',
    'ERR_SHAPE',
    `Float32Array of length 24 (${queries}), got length 32`,
  ],
  [
    'another seqQ',
    { options: { seqQ: 2 } },
    'q',
    'ERR_SHAPE',
    'Float32Array of length 48 (batch 2 × heads 4 × seqQ 2 × headDim 3), got length 24',
  ],
  [
    'detached',
    { q: gone },
    'q',
    'ERR_DETACHED',
    'Float32Array on a live buffer, got one whose buffer was transferred, or shrunk below it',
  ],
  ['no q', { q: [1] }, 'q', 'ERR_ARG_TYPE', 'Float32Array, got Array — new Float32Array(x) makes one'],
  ['causal', { options: { causal: true } }, 'causal', 'ERR_OPTION', causal],
  ['causal false', { options: { causal: false } }, 'causal', 'ERR_OPTION', causal],
  ['queryOffset', { options: { queryOffset: 0 } }, 'queryOffset', 'ERR_OPTION', causal],
  ['keyLengths', { options: { keyLengths: [1, 1] } }, 'keyLengths', 'ERR_OPTION', causal],
  [
    'a mask by capacity',
    { options: { mask: new Uint8Array(5) } },
    'mask',
    'ERR_SHAPE',
    'Uint8Array of length 3 (seqQ 1 × seqK 3), got length 5',
  ],
  [
    'the shape of a bias',
    { options: { bias: { data: f32(5), shape: [1, 1, 1, 5] } } },
    'bias.shape',
    'ERR_SHAPE',
    '[batch 2 or 1, heads 4 or 1, seqQ 1 or 1, seqK 3 or 1], got [1, 1, 1, 5]',
  ],
  [
    'window',
    { options: { window: [1, -1] } },
    'window[1]',
    'ERR_RANGE',
    'Infinity or an integer from 0 to 9007199254740991, got -1',
  ],
  ['scale', { options: { scale: NaN } }, 'scale', 'ERR_RANGE', 'a finite number, got NaN'],
  ['softcap', { options: { softcap: -1 } }, 'softcap', 'ERR_RANGE', 'a finite number from 0 on, got -1'],
  [
    'alibi',
    { options: { alibi: f32(2) } },
    'alibi',
    'ERR_SHAPE',
    'Float32Array of length 4 (heads 4), got length 2',
  ],
  [
    'sinks',
    { options: { sinks: f32(2) } },
    'sinks',
    'ERR_SHAPE',
    'Float32Array of length 4 (heads 4), got length 2',
  ],
  [
    'out',
    { options: { out: pattern(24) } },
    'out',
    'ERR_SHAPE',
    'Float32Array of length 32 (batch 2 × heads 4 × seqQ 1 × valueDim 4), got length 24',
  ],
  [
    'logSumExp',
    { options: { logSumExp: pattern(4) } },
    'logSumExp',
    'ERR_SHAPE',
    'Float32Array of length 8 (batch 2 × heads 4 × seqQ 1), got length 4',
  ],
  ['layout', { options: { layout: 'bhds' } }, 'layout', 'ERR_OPTION', `${layouts}, got 'bhds'`],
  [
    ...(['an unknown option', { options: { seqK: 5 } }, 'seqK', 'ERR_UNKNOWN_OPTION'] as const),
    'one of heads, seqQ, layout, window, mask, bias, scale, softcap, alibi, sinks, out, logSumExp, causal, queryOffset, ' +
      'keyLengths, got an unknown option — did you mean "seqQ"?',
  ],
];

const ringed: readonly Row[] = [
  ['mask', { mask: new Uint8Array(3) }, 'mask', 'ERR_OPTION', 'undefined with a ring cache, got a value'],
  ['bias', { bias: f32(3) }, 'bias', 'ERR_OPTION', 'undefined with a ring cache, got a value'],
  [
    'no window',
    {},
    'window',
    'ERR_CACHE_WINDOW',
    '[before, 0] with before + seqQ at most capacity 96, got none, which is open',
  ],
  [
    'a wide window',
    { window: [96, 0] },
    'window',
    'ERR_CACHE_WINDOW',
    '[before, 0] with before + seqQ at most capacity 96, got before 96 with seqQ 1',
  ],
];

it('a ring of two sequences that has lost tokens of one', () => {
  const state = { capacity: 96, ring: true, lengths: [20, 190], oldest: [0, 100] } as unknown as CacheState;
  const call = (before: number) => (): void => {
    forRing('attend', state, { mask: undefined, bias: undefined, before }, 2);
  };
  expect(call(88)).not.toThrow();
  expect(fault(call(89)).message).toBe(
    'attend: "window" expected one that reaches no token that has fallen out of the ring, ' +
      'got before 89 with seqQ 2 [ERR_CACHE_WINDOW]',
  );
});

describe.each(builds)('%s', async (build) => {
  const engine = await engineOf(build);
  const [cache, half, ring] = [
    filled(engine),
    filled(engine, { dtype: 'f16' }),
    filled(engine, { ring: true }),
  ];
  const watched = await watch(engine, cache, half, ring);

  it.each(making)('kvCache: %s', (_, given, arg, code, words) => {
    const options = typeof given === 'object' ? { ...FAULTY, ...given } : given;
    const make = engine.kvCache.bind(engine) as (options: unknown) => unknown;
    refuses(() => make(options), refusal('kvCache', arg, code, words), watched);
  });

  it.each(appending)('append: %s', (_, given, arg, code, words) => {
    const { k, v, options } = { k: pattern(12), v: pattern(16), options: {}, ...(given as object) };
    const arrays = [k, v].filter((x) => ArrayBuffer.isView(x) && x !== gone && x !== shrunk);
    const all = { ...watched, memory: [...watched.memory, ...arrays] };
    for (const each of [cache, half]) {
      refuses(() => untyped(each, 'append', k, v, options), refusal('append', arg, code, words), all);
    }
  });

  it('append: tokens of no sequences', () => {
    const none = engine.kvCache({ batch: 0, kvHeads: 2, headDim: 3, capacity: 5 });
    const words = 'Float32Array of length 0 (batch 0 × tokens 0 × kvHeads 2 × headDim 3), got length 6';
    const call = (): void => {
      none.append(f32(6), f32(0));
    };
    refuses(call, refusal('append', 'k', 'ERR_SHAPE', words), watched);
    expect(() => {
      none.append(f32(0), f32(0));
    }).not.toThrow();
    none.dispose();
  });

  it.each(attending)('attend: %s', (_, given, arg, code, words) => {
    const { q, options } = { q: pattern(24), ...(given as { options?: object }) };
    const { out, logSumExp }: AttendOptions = { heads: 4, ...options };
    const all = { ...watched, memory: [...watched.memory, out ?? f32(1), logSumExp ?? f32(1)] };
    for (const each of [cache, half]) {
      const call = (): unknown => untyped(each, 'attend', q, { heads: 4, ...options });
      refuses(call, refusal('attend', arg, code, words), all);
    }
  });

  it.each(ringed)('attend to a ring: %s', (_, given, arg, code, words) => {
    const call = (): unknown => untyped(ring, 'attend', f32(24), { heads: 4, ...(given as object) });
    refuses(call, refusal('attend', arg, code, words), watched);
  });
});
