/** The asynchronous calls that there are, with data for them. */
import { MultiHeadAttention, type Engine } from '../src/index.ts';
import { normal } from './data.ts';

export const shape = { batch: 2, seqQ: 70, heads: 4, kvHeads: 2, headDim: 24, causal: true };
export const q: Float32Array = normal(2 * 70 * 4 * 24, 1);
export const k: Float32Array = normal(2 * 70 * 2 * 24, 2);
export const v: Float32Array = normal(2 * 70 * 2 * 24, 3);
export const product = { M: 130, N: 70, K: 90 };
export const a: Float32Array = normal(130 * 90, 4);
export const b: Float32Array = normal(90 * 70, 5);
export function layerOf(engine: Engine): MultiHeadAttention {
  const w = normal(48 * 48, 6);
  return new MultiHeadAttention({
    modelDim: 48,
    heads: 4,
    weights: { wq: w, wk: w, wv: w, wo: w, bq: w.slice(0, 48) },
    engine,
  });
}
export const x: Float32Array = normal(60 * 48, 7);

/** A turn of the event loop. */
export function turn(): Promise<void> {
  const { setImmediate } = globalThis as Partial<typeof globalThis>;
  return new Promise((resolve) => (setImmediate ?? setTimeout)(resolve));
}

/** The calls there are, with what they compute. */
export interface Calls {
  readonly attention: (options?: object) => Promise<Float32Array>;
  readonly matmul: (options?: object) => Promise<Float32Array>;
  readonly forward: (options?: object) => Promise<Float32Array>;
}

export function callsOf(engine: Engine, layer: MultiHeadAttention): Calls {
  return {
    attention: (options) => engine.attentionAsync(q, k, v, { ...shape, ...options }),
    matmul: (options) => engine.matmulAsync(a, b, { ...product, ...options }),
    forward: (options) => layer.forwardAsync(x, { seqQ: 60, ...options }),
  };
}

export const names = ['attention', 'matmul', 'forward'] as const;

/** An engine, its layer and its calls, and what they give when they are not asynchronous. */
export interface Asked {
  readonly engine: Engine;
  readonly layer: MultiHeadAttention;
  readonly calls: Calls;
  readonly expected: Record<keyof Calls, Float32Array>;
}

export function asked(engine: Engine): Asked {
  const layer = layerOf(engine);
  const expected = {
    attention: engine.attention(q, k, v, shape),
    matmul: engine.matmul(a, b, product),
    forward: layer.forward(x, { seqQ: 60 }),
  };
  return { engine, layer, calls: callsOf(engine, layer), expected };
}
