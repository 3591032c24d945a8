/** TensorFlow.js on its wasm backend, SIMD, one thread. Weights stay as tensors; other inputs are uploaded in every call. */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { causalMask, versionOf, type Peer } from './peer.ts';
import type { AttentionTask, LayerTask, MatmulTask, Running, Way } from './peer.ts';

interface Tensor {
  dataSync(): Float32Array;
  dispose(): void;
}

/** The part of @tensorflow/tfjs-core that is used. */
interface Tf {
  setBackend(name: string): Promise<boolean>;
  tensor(data: Float32Array, shape: readonly number[]): Tensor;
  tidy<T>(run: () => T): T;
  keep(x: Tensor): Tensor;
  matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  mul(a: Tensor, b: number): Tensor;
  add(a: Tensor, b: Tensor): Tensor;
  softmax(x: Tensor): Tensor;
  transpose(x: Tensor, perm?: readonly number[]): Tensor;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  unstack(x: Tensor): Tensor[];
  stack(x: readonly Tensor[]): Tensor;
  readonly fused: { matMul(call: { a: Tensor; b: Tensor; bias: Tensor }): Tensor };
}

interface Backend {
  setThreadsCount(count: number): void;
  setWasmPaths(directory: string): void;
}

const name = '@tensorflow/tfjs-backend-wasm';

export const tfjs: Peer = {
  name: 'tfjs-backend-wasm',
  version: versionOf(name),
  order: 'chain',
  load: async () => {
    const require = createRequire(import.meta.url);
    const tf = require('@tensorflow/tfjs-core') as Tf;
    const backend = require(name) as Backend;
    backend.setWasmPaths(`${dirname(require.resolve(name))}/`);
    backend.setThreadsCount(1);
    if (!(await tf.setBackend('wasm'))) throw new Error('tfjs has no wasm backend here');
    return (task) => {
      switch (task.kind) {
        case 'matmul':
          return [{ name: 'matMul', prepare: () => matmul(tf, task) }];
        case 'attention':
          return HEADS.filter((way) => way === 'head by head' || task.seqQ <= LONG).map((way) => ({
            name: way,
            prepare: () => attention(tf, task, way),
          }));
        case 'layer':
          return HEADS.map((way): Way => ({ name: way, prepare: () => layer(tf, task, way) }));
      }
    };
  },
};

/** One matMul over all heads goes one way in the backend, a matMul for each head another (XNNPACK's). */
const HEADS = ['all heads at once', 'head by head'] as const;

type Heads = (typeof HEADS)[number];

/** Queries from which all heads at once only costs minutes: 7 times the other's time at 1024, 16 at 4096. */
const LONG = 512;

/** Whatever `compute` makes is freed; what was made before stays until the end. */
function running(tf: Tf, compute: () => Tensor, kept: readonly Tensor[]): Running {
  return {
    run: () => {
      // Not inside of tidy, which would look for tensors in every float.
      const out = tf.tidy(compute);
      const data = out.dataSync();
      out.dispose();
      return data;
    },
    dispose: () => {
      for (const each of kept) each.dispose();
    },
  };
}

function matmul(tf: Tf, { M, N, K, a, b, constant }: MatmulTask): Running {
  const weights = constant ? tf.tensor(b, [K, N]) : undefined;
  const compute = (): Tensor => tf.matMul(tf.tensor(a, [M, K]), weights ?? tf.tensor(b, [K, N]));
  return running(tf, compute, weights ? [weights] : []);
}

/** Of q [kvHeads, rows, headDim], kT [kvHeads, headDim, seqK] and v [kvHeads, seqK, headDim], as q. */
function attend(
  tf: Tf,
  way: Heads,
  [q, kT, v]: readonly [Tensor, Tensor, Tensor],
  scale: number,
  mask: Tensor | undefined,
): Tensor {
  const one = (Q: Tensor, KT: Tensor, V: Tensor): Tensor => {
    const scores = tf.matMul(tf.mul(Q, scale), KT);
    return tf.matMul(tf.softmax(mask ? tf.add(scores, mask) : scores), V);
  };
  if (way === 'all heads at once') return one(q, kT, v);
  const [keys, values] = [tf.unstack(kT), tf.unstack(v)];
  return tf.stack(tf.unstack(q).map((each, h) => one(each, keys[h]!, values[h]!)));
}

function attention(tf: Tf, task: AttentionTask, way: Heads): Running {
  const { q, k, v, seqQ, seqK, heads, kvHeads, headDim, causal, resident } = task;
  if (seqQ !== 1 && heads !== kvHeads) throw new Error('tfjs: groups only of one query');
  const keys = (): Tensor => tf.transpose(tf.tensor(k, [seqK, kvHeads, headDim]), [1, 2, 0]);
  const values = (): Tensor => tf.transpose(tf.tensor(v, [seqK, kvHeads, headDim]), [1, 0, 2]);
  // The heads of a group are rows of one matrix; a single query needs no turning.
  const queries = (): Tensor =>
    seqQ === 1
      ? tf.tensor(q, [kvHeads, heads / kvHeads, headDim])
      : tf.transpose(tf.tensor(q, [seqQ, heads, headDim]), [1, 0, 2]);
  // Keys are turned beforehand, which no cache that grows would have: more than it is due, and it is in no ratio.
  const kept = resident ? ([tf.tidy(keys), tf.tidy(values)] as const) : undefined;
  const mask = causal ? tf.tensor(causalMask(seqQ), [seqQ, seqQ]) : undefined;
  const scale = 1 / Math.sqrt(headDim);
  const compute = (): Tensor => {
    const [kT, V] = kept ?? [keys(), values()];
    const out = attend(tf, way, [queries(), kT, V], scale, mask);
    return seqQ === 1 ? out : tf.transpose(out, [1, 0, 2]);
  };
  return running(tf, compute, [...(kept ?? []), ...(mask ? [mask] : [])]);
}

function layer(tf: Tf, { x, seqQ, modelDim, heads, weights }: LayerTask, way: Heads): Running {
  const headDim = modelDim / heads;
  const linear = (w: Float32Array, bias: Float32Array): { b: Tensor; bias: Tensor } => ({
    b: tf.tidy(() => tf.transpose(tf.tensor(w, [modelDim, modelDim]))),
    bias: tf.tensor(bias, [modelDim]),
  });
  const [wq, wk] = [linear(weights.wq, weights.bq), linear(weights.wk, weights.bk)];
  const [wv, wo] = [linear(weights.wv, weights.bv), linear(weights.wo, weights.bo)];
  const compute = (): Tensor => {
    const X = tf.tensor(x, [seqQ, modelDim]);
    const split = (w: typeof wq, perm: readonly number[]): Tensor =>
      tf.transpose(tf.reshape(tf.fused.matMul({ a: X, ...w }), [seqQ, heads, headDim]), perm);
    const parts = [split(wq, [1, 0, 2]), split(wk, [1, 2, 0]), split(wv, [1, 0, 2])] as const;
    const out = tf.transpose(attend(tf, way, parts, 1 / Math.sqrt(headDim), undefined), [1, 0, 2]);
    return tf.fused.matMul({ a: tf.reshape(out, [seqQ, modelDim]), ...wo });
  };
  return running(tf, compute, [wq, wk, wv, wo].flatMap(Object.values) as Tensor[]);
}
