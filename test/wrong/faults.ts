/**
 * Programs with a fault: what a kernel, a driver or a wrapper may get wrong. Those inside of attention's loop are blocks.ts with a
 * fault; the others are the engine, called as the fault would call it, or with its result changed.
 */
import type { Engine } from '../../src/index.ts';
import { halfValue } from '../halves.ts';
import type { Problem } from '../problems.ts';
import type { Side } from '../problems-options.ts';
import { rowsOf } from '../problems-options.ts';
import { blocks, offsetOf, type Wrong } from './blocks.ts';
import type { Cached, Check, Program } from './checks.ts';

/** heed, as the checks see it. */
export function heed(engine: Engine): Program {
  return {
    attention: ({ q, k, v, options }) => {
      const logSumExp = new Float32Array(rowsOf(options));
      return { out: engine.attention(q, k, v, { ...options, logSumExp }), logSumExp };
    },
    matmul: (a, b, options) => engine.matmul(a, b, options),
    rope: (x, options) => engine.rope(x, options),
    merge: (parts, shape) => engine.mergeAttention(parts, shape),
    attend: ({ dtype, ring, dims, q, k, v }) => {
      const { heads, kvHeads, headDim } = dims;
      const token = kvHeads * headDim;
      const tokens = k.length / token;
      const cache = engine.kvCache({
        ...{ kvHeads, headDim, dtype },
        ...(ring === undefined ? { capacity: tokens } : { capacity: ring, ring: true }),
      });
      for (let at = 0; at < k.length; at += 40 * token) {
        cache.append(k.subarray(at, at + 40 * token), v.subarray(at, at + 40 * token));
      }
      const out = cache.attend(q, { heads, ...(ring && { window: [ring - 1, 0] as const }) });
      cache.dispose();
      return out;
    },
  };
}

/** The same by hand, right or with a fault in attention. */
function byHand(right: Program, wrong?: Wrong): Program {
  return { ...right, attention: (problem) => blocks(problem, wrong) };
}

/** The right program, asked something else. */
const asked = (change: (problem: Problem) => Partial<Problem>) => {
  return (right: Program): Program => ({
    ...right,
    attention: (problem) => right.attention({ ...problem, ...change(problem) }),
  });
};
const options = (change: (options: Problem['options']) => Partial<Problem['options']>) => {
  return asked(({ options }) => ({ options: { ...options, ...change(options) } }));
};
const attend = (change: (cached: Cached) => Partial<Cached>) => {
  return (right: Program): Program => ({
    ...right,
    attend: (cached) => right.attend({ ...cached, ...change(cached) }),
  });
};

/** A bias whose rows have moved up by one. */
function shifted(given: Side<Float32Array>): Side<Float32Array> {
  if (given === undefined) return undefined;
  const row = given.shape[3];
  const { length } = given.data;
  return { ...given, data: given.data.map((_, e) => given.data[(e + row) % length]!) };
}

/** Towards zero, as a narrowing that drops bits. */
function cutToHalf(x: number): number {
  let low = 0;
  let high = 0x7c00;
  while (high - low > 1) {
    const bits = (low + high) >> 1;
    if (halfValue(bits) <= Math.abs(x)) low = bits;
    else high = bits;
  }
  return Math.sign(x) * halfValue(low);
}

const inLoop = (name: Wrong, by: Check): Fault => ({ name, by, of: (right) => byHand(right, name) });

/** A program with no fault but the way it is written: passes. */
export const rightByHand: (right: Program) => Program = (right) => byHand(right);

export interface Fault {
  readonly name: string;
  /** A check that must catch it; others may as well. */
  readonly by: Check;
  readonly of: (right: Program) => Program;
}

export const FAULTS: readonly Fault[] = [
  inLoop('the last key is skipped', 'needles'),
  inLoop('the maximum is that of the first block', 'lawOf'),
  inLoop('l is not rescaled', 'lawOf'),
  inLoop('O is not rescaled', 'lawOf'),
  inLoop('the tail of headDim is dropped', 'lawOf'),
  inLoop('the tail of valueDim is dropped', 'means'),
  inLoop('key heads are taken in turn', 'lawOf'),
  inLoop('batches are headDim apart', 'lawOf'),
  inLoop('softcap comes after the bias', 'lawOf'),
  inLoop('a sink gives the first value', 'lawOf'),
  inLoop('the exponential has three terms', 'lawOf'),
  inLoop('a masked key counts with weight 0', 'hidden'),
  inLoop('logSumExp has base 2', 'lawOf'),
  {
    name: 'the scale is off by 0.1 %',
    by: 'lawOf',
    of: options(({ scale, headDim }) => ({ scale: 1.001 * (scale ?? 1 / Math.sqrt(headDim)) })),
  },
  {
    name: 'causal shows one key more',
    by: 'needles',
    of: options((given) => {
      const { batch, causal, window = [Infinity, Infinity] } = given;
      const queryOffset = Array.from({ length: batch }, (_, b) => offsetOf(given, b));
      if (!causal) return {};
      return { causal: false, queryOffset, window: [window[0], Math.min(window[1], 1)] };
    }),
  },
  {
    name: 'a window is one key short',
    by: 'needles',
    of: options(({ window }) => (window ? { window: [Math.max(0, window[0] - 1), window[1]] } : {})),
  },
  {
    name: 'lengths are one too long',
    by: 'needles',
    of: options((given) => {
      const { batch, seqK, keyLengths } = given;
      if (keyLengths === undefined) return {};
      const queryOffset = Array.from({ length: batch }, (_, b) => offsetOf(given, b));
      return { queryOffset, keyLengths: Array.from(keyLengths, (n) => Math.min(seqK, n + 1)) };
    }),
  },
  {
    name: 'a mask tells which keys are hidden',
    by: 'lawOf',
    of: options(({ mask }) => {
      const given = mask as Side<Uint8Array>;
      return given ? { mask: { ...given, data: given.data.map((x) => Number(x === 0)) } } : {};
    }),
  },
  {
    name: 'the bias is that of the next row',
    by: 'lawOf',
    of: options(({ bias }) => (bias ? { bias: shifted(bias as Side<Float32Array>)! } : {})),
  },
  {
    name: 'alibi has the other sign',
    by: 'lawOf',
    of: options(({ alibi }) => (alibi ? { alibi: alibi.map((x) => -x) } : {})),
  },
  {
    name: 'sinks are left out',
    by: 'lawOf',
    of: options(() => ({ sinks: undefined })),
  },
  {
    name: 'layouts are mixed up',
    by: 'lawOf',
    of: options(({ layout }) => ({ layout: layout === 'bhsd' ? 'bshd' : 'bhsd' })),
  },
  {
    name: 'values are those of the next key',
    by: 'needles',
    of: asked(({ v, options: { valueDim } }) => ({ v: v.map((_, e) => v[(e + valueDim) % v.length]!) })),
  },
  {
    name: 'float16 is cut, not rounded',
    by: 'caches',
    of: attend(({ dtype, k, v }) => (dtype === 'f16' ? { k: k.map(cutToHalf), v: v.map(cutToHalf) } : {})),
  },
  {
    name: 'a ring has its values one slot on',
    by: 'caches',
    of: attend(({ ring, v, dims: { kvHeads, headDim } }) => {
      const token = kvHeads * headDim;
      return ring ? { v: v.map((_, e) => v[(e + v.length - token) % v.length]!) } : {};
    }),
  },
  {
    name: 'rope takes the other pairs',
    by: 'turns',
    of: (right) => ({
      ...right,
      rope: (x, given) => right.rope(x, { ...given, interleaved: given.interleaved !== true }),
    }),
  },
  {
    name: 'rope begins one position late',
    by: 'turns',
    of: (right) => ({
      ...right,
      rope: (x, given) => right.rope(x, { ...given, offset: Number(given.offset ?? 0) + 1 }),
    }),
  },
  {
    name: 'parts are merged without their weights',
    by: 'merges',
    of: (right) => ({
      ...right,
      merge: (parts, shape) => {
        const { logSumExp } = right.merge(parts, shape);
        const mean = (_: number, e: number): number => {
          return parts.reduce((sum, { out }) => sum + out[e]!, 0) / parts.length;
        };
        return { out: parts[0]!.out.map(mean), logSumExp };
      },
    }),
  },
  {
    name: 'a product leaves out its last step',
    by: 'products',
    of: (right) => ({
      ...right,
      matmul: (a, b, given) =>
        right.matmul(
          a.map((x, e) => (e % given.K === given.K - 1 ? 0 : x)),
          b,
          given,
        ),
    }),
  },
  {
    name: 'a product adds the bias of the next column',
    by: 'products',
    of: (right) => ({
      ...right,
      matmul: (a, b, given) => {
        const bias = given.bias;
        return right.matmul(
          a,
          b,
          bias ? { ...given, bias: bias.map((_, n) => bias[(n + 1) % bias.length]!) } : given,
        );
      },
    }),
  },
];
