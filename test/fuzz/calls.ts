/** Every public function and method: a valid call of it, made of random parts. */
import * as heed from '../../src/index.ts';
import * as reference from '../../src/reference.ts';
import { PackedMatrix } from '../../src/index.ts';
import { attention } from './attention.ts';
import { append, attend, construct, kvCache, pass, truncate } from './caches.ts';
import { itemsOf, own, shapeOf, times, type FuzzCall, type Make, type Options } from './lengths.ts';
import { product, type Parts } from './parts.ts';

function matmul(self: (parts: Parts) => object, method: string, tensors?: boolean): Make {
  return (parts) => {
    const { batch, seqQ: M, seqK: N, headDim: K } = parts.dims;
    const [transposeA, transposeB] = [parts.on(0), parts.on(1)];
    const asTensors = tensors ?? parts.on(18);
    const make = (...sizes: number[]): unknown => (asTensors ? parts.tensor(...sizes) : parts.f32(...sizes));
    const o: Options = asTensors ? {} : { M, N, K, batch };
    if (transposeA) o['transposeA'] = true;
    const a = transposeA ? make(batch, K, M) : make(batch, M, K);
    let b: unknown;
    if (tensors !== false && parts.on(2)) {
      const packed = parts.engine.packMatrix(parts.f32(K, N), { K, N });
      parts.made.push(packed);
      b = packed;
    } else {
      if (transposeB) o['transposeB'] = true;
      const each = transposeB ? [N, K] : [K, N];
      b = parts.on(3) ? make(...each) : make(batch, ...each);
    }
    if (parts.on(4)) o['bias'] = parts.f32(N);
    if (parts.on(16)) o['out'] = make(batch, M, N);
    const lengths = ([a, b, o]: readonly unknown[]): number[] => {
      const [A, B] = [shapeOf(a), b instanceof PackedMatrix ? [b.K, b.N] : shapeOf(b)];
      const batchOf = (shape?: readonly number[]): unknown => (shape?.length === 3 ? shape[0] : undefined);
      return [
        times(
          [own(o, 'batch'), batchOf(A), batchOf(B), 1],
          [own(o, 'M'), A?.at(own(o, 'transposeA') === true ? -1 : -2)],
          [own(o, 'N'), B?.at(own(o, 'transposeB') === true ? -2 : -1)],
        ),
      ];
    };
    return { self: self(parts), method, args: [a, b, o], lengths };
  };
}

function rope(self: (parts: Parts) => object, tensors?: boolean): Make {
  return (parts) => {
    const { batch, heads, seqQ: seq, headDim: half } = parts.dims;
    const headDim = 2 * half;
    const asTensors = tensors ?? parts.on(18);
    const o: Options = asTensors ? {} : { batch, seq, heads, headDim };
    if (parts.on(0)) o['layout'] = 'bhsd';
    const shape = parts.on(0) ? [batch, heads, seq, headDim] : [batch, seq, heads, headDim];
    const make = (): unknown => (asTensors ? parts.tensor(...shape) : parts.f32(...shape));
    const x = make();
    if (parts.on(1)) o['offset'] = parts.on(2) ? Array.from({ length: batch }, () => parts.upTo(9)) : 7;
    else if (parts.on(3)) o['positions'] = parts.i32(...Array.from({ length: batch * seq }, (_, i) => i));
    if (parts.on(4)) o['theta'] = 100;
    if (parts.on(5)) o['rotaryDim'] = 2;
    if (parts.on(6)) o['interleaved'] = true;
    if (parts.on(7)) o['scaling'] = 2;
    if (parts.on(16)) o['out'] = parts.on(8) ? x : make();
    const lengths = ([x, o]: readonly unknown[]): number[] => {
      const X = shapeOf(x);
      const [S, H] = own(o, 'layout') === 'bhsd' ? [2, 1] : [1, 2];
      return [
        times(
          [own(o, 'batch'), X?.[0], 1],
          [own(o, 'seq'), X?.[S]],
          [own(o, 'heads'), X?.[H]],
          [own(o, 'headDim'), X?.[3]],
        ),
      ];
    };
    return { self: self(parts), method: 'rope', args: [x, o], lengths };
  };
}

function merge(self: (parts: Parts) => object, tensors?: boolean): Make {
  return (parts) => {
    const { batch, heads, seqQ, valueDim } = parts.dims;
    const asTensors = tensors ?? parts.on(18);
    const make = (...sizes: number[]): unknown => (asTensors ? parts.tensor(...sizes) : parts.f32(...sizes));
    const bhsd = parts.on(0);
    const shape = bhsd ? [batch, heads, seqQ, valueDim] : [batch, seqQ, heads, valueDim];
    const list = Array.from({ length: 1 + parts.upTo(2) }, () => ({
      out: make(...shape),
      logSumExp: make(batch, heads, seqQ),
    }));
    const o: Options = asTensors ? {} : { batch, heads, seqQ, valueDim };
    if (bhsd) o['layout'] = 'bhsd';
    const lengths = ([list, o]: readonly unknown[]): number[] => {
      const shape = shapeOf(own((list as unknown[])[0], 'out'));
      const [S, H] = own(o, 'layout') === 'bhsd' ? [2, 1] : [1, 2];
      const rows = times(
        [own(o, 'batch'), shape?.[0], 1],
        [own(o, 'heads'), shape?.[H], 1],
        [own(o, 'seqQ'), shape?.[S]],
      );
      return [rows * times([own(o, 'valueDim'), shape?.[3]]), rows];
    };
    return { self: self(parts), method: 'mergeAttention', args: [list, o], lengths };
  };
}

function packMatrix(parts: Parts): FuzzCall {
  const { seqK: K, headDim: N } = parts.dims;
  const transposeB = parts.on(0);
  const sizes = transposeB ? [N, K] : [K, N];
  const b = parts.on(18) ? parts.tensor(...sizes) : parts.f32(...sizes);
  const o: Options = parts.on(18) ? {} : { K, N };
  if (transposeB) o['transposeB'] = true;
  const lengths = ([b, o]: readonly unknown[]): number[] => {
    const shape = shapeOf(b);
    const [first, second] = own(o, 'transposeB') === true ? [1, 0] : [0, 1];
    return [times([own(o, 'K'), shape?.[first]]), times([own(o, 'N'), shape?.[second]])];
  };
  return { self: parts.engine, method: 'packMatrix', args: [b, o], lengths };
}

function tensor(self: (parts: Parts) => object): Make {
  return (parts) => {
    const { batch, seqQ, heads, headDim } = parts.dims;
    const shape = [batch, seqQ, heads, headDim].slice(parts.upTo(3));
    const args = parts.on(0) ? [shape, parts.f32(...shape)] : [shape];
    return {
      self: self(parts),
      method: 'tensor',
      args,
      lengths: ([shape]) => [product(itemsOf(shape))],
    };
  };
}

function scopeOf(parts: Parts): heed.Scope {
  const scope = parts.engine.scope();
  parts.made.push(scope);
  return scope;
}

function createEngine(parts: Parts): FuzzCall {
  const o: Options = { threads: 1, maxMemory: 2 ** 24 };
  if (parts.on(0)) o['simd'] = 'baseline';
  if (parts.on(1)) o['tile'] = '4x8';
  return { self: heed, method: 'createEngine', args: [o], lengths: () => [] };
}

const engine = (parts: Parts): object => parts.engine;

/** By name. */
export const CALLS: Readonly<Record<string, Make>> = {
  attention: attention(() => heed, 'attention', false),
  attentionWeights: attention(() => heed, 'attentionWeights', false),
  matmul: matmul(() => heed, 'matmul', false),
  rope: rope(() => heed, false),
  mergeAttention: merge(() => heed, false),
  'reference.attention': attention(() => reference, 'attention', false),
  'reference.attentionWeights': attention(() => reference, 'attentionWeights', false),
  'reference.matmul': matmul(() => reference, 'matmul', false),
  'reference.rope': rope(() => reference, false),
  'reference.mergeAttention': merge(() => reference, false),
  'engine.attention': attention(engine, 'attention'),
  'engine.attentionWeights': attention(engine, 'attentionWeights'),
  'engine.matmul': matmul(engine, 'matmul'),
  'engine.rope': rope(engine),
  'engine.mergeAttention': merge(engine),
  'engine.attentionAsync': attention(engine, 'attentionAsync'),
  'engine.matmulAsync': matmul(engine, 'matmulAsync'),
  'engine.packMatrix': packMatrix,
  'engine.tensor': tensor(engine),
  'engine.kvCache': kvCache,
  'scope.tensor': tensor(scopeOf),
  'scope.attention': attention(scopeOf, 'attention', true),
  'scope.matmul': matmul(scopeOf, 'matmul', true),
  'scope.rope': rope(scopeOf, true),
  'cache.append': append,
  'cache.attend': attend,
  'cache.truncate': truncate,
  MultiHeadAttention: construct,
  'layer.forward': pass('forward'),
  'layer.forwardAsync': pass('forwardAsync'),
  'layer.inspect': pass('inspect'),
  createEngine,
};
