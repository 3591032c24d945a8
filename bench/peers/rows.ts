/** The rows that peers are compared in: tasks on seeded data, their work, their law, and what heed is to reach. */
import { attentionFlops, attentionInputs, matmulFlops, matmulInputs } from '../../test/cases.ts';
import { normal } from '../../test/data.ts';
import { attentionLaw, every, matmulLaw, type Law, type Order } from '../../test/laws.ts';
import { layerLaw } from '../../test/layer-law.ts';
import { peerBars } from '../bars.ts';
import type { AttentionTask, LayerTask, MatmulTask, Task } from './peer.ts';

export interface PeerRow {
  readonly section: 'matmul' | 'attention' | 'layer';
  readonly name: string;
  /** Multiply-adds count two. */
  readonly flops: number;
  /** How many times faster than onnxruntime-web's best operator heed is to be; undefined where nothing was promised. */
  readonly bar: number | undefined;
  readonly task: () => Task;
}

/** Consecutive elements of a result, and what they should be. */
export interface Piece {
  readonly at: number;
  readonly law: Law;
}

export const smallest = { seqQ: 3, heads: 2, headDim: 2 } as const;

export const rows: readonly PeerRow[] = [
  matmul('512³', { M: 512, N: 512, K: 512, constant: false }),
  matmul('512³ constant weights', { M: 512, N: 512, K: 512, constant: true }),
  matmul('1024³ constant weights', { M: 1024, N: 1024, K: 1024, constant: true }),
  matmul('128 × 768 × 768 constant weights', { M: 128, N: 768, K: 768, constant: true }),
  matmul('512 × 768 × 3072 constant weights', { M: 512, N: 3072, K: 768, constant: true }),
  ...[128, 512, 1024, 2048].map((seqQ) =>
    attention(`12 × 64, S = ${seqQ}`, { seqQ, heads: 12, headDim: 64 }, peerBars.attention),
  ),
  ...[512, 1024, 2048].map((seqQ) =>
    attention(`12 × 64 causal, S = ${seqQ}`, { seqQ, heads: 12, headDim: 64, causal: true }, peerBars.causal),
  ),
  // From 2·S²·headDim = 2³¹ on, operators that store all scores count past an int32.
  attention('1 × 64, S = 4096', { seqQ: 4096, heads: 1, headDim: 64 }),
  attention(
    'decode 32/8 × 128, cache of 4096 keys',
    { ...decoding(4096), resident: true },
    peerBars.decoding,
  ),
  attention('decode 32/8 × 128, 4096 keys passed in', decoding(4096)),
  attention('smallest call: 2 heads, S = 3, headDim 2', smallest),
  ...[128, 512].map((seqQ) =>
    layer(`MHA layer 768/12, S = ${seqQ}`, { seqQ, modelDim: 768, heads: 12 }, peerBars.layer),
  ),
];

function decoding(seqK: number): Shape {
  return { seqQ: 1, seqK, heads: 32, kvHeads: 8, headDim: 128 };
}

export function matmul(
  name: string,
  { constant, ...options }: Pick<MatmulTask, 'M' | 'N' | 'K' | 'constant'>,
): PeerRow {
  return {
    ...{ section: 'matmul', name, flops: matmulFlops({ name, options }), bar: peerBars.matmul },
    task: () => {
      const [a, b] = matmulInputs({ name, options });
      return { kind: 'matmul', ...options, constant, a, b };
    },
  };
}

type Shape = Pick<AttentionTask, 'seqQ' | 'heads' | 'headDim'> &
  Partial<Pick<AttentionTask, 'seqK' | 'kvHeads' | 'causal' | 'resident'>>;

export function attention(name: string, shape: Shape, bar?: number): PeerRow {
  const { seqQ, seqK = seqQ, heads, kvHeads = heads, headDim, causal = false, resident = false } = shape;
  const options = { seqQ, seqK, heads, kvHeads, headDim, causal };
  return {
    ...{ section: 'attention', name, flops: attentionFlops({ name, options }), bar },
    task: () => {
      const [q, k, v] = attentionInputs({ options });
      return { kind: 'attention', ...options, resident, q, k, v };
    },
  };
}

export function layer(
  name: string,
  shape: Pick<LayerTask, 'seqQ' | 'modelDim' | 'heads'>,
  bar?: number,
): PeerRow {
  const { seqQ, modelDim, heads } = shape;
  const projections = matmulFlops({ name, options: { M: seqQ, N: 4 * modelDim, K: modelDim } });
  const options = { seqQ, heads, headDim: modelDim / heads };
  return {
    ...{ section: 'layer', name, flops: projections + attentionFlops({ name, options }), bar },
    task: () => {
      // Products of normal numbers by such weights are normal numbers again.
      const w = (seed: number): Float32Array => normal(modelDim * modelDim, seed, 1 / Math.sqrt(modelDim));
      const b = (seed: number): Float32Array => normal(modelDim, seed, 0.1);
      return {
        ...{ kind: 'layer', ...shape, x: normal(seqQ * modelDim, 9) },
        weights: { wq: w(1), wk: w(2), wv: w(3), wo: w(4), bq: b(5), bk: b(6), bv: b(7), bo: b(8) },
      };
    },
  };
}

/** The law of every `stride`-th row of what a task gives, and of the last. */
export function lawOf(task: Task, order: Order, stride: number): readonly Piece[] {
  switch (task.kind) {
    case 'matmul': {
      const { M, N, K, a, b } = task;
      const laws = matmulLaw(a, b, { M, N, K }, every(stride, M));
      return Array.from(laws, ({ at, out }) => ({ at, law: out(order) }));
    }
    case 'attention': {
      const { q, k, v, seqQ, seqK, heads, kvHeads, headDim, causal } = task;
      const options = { seqQ, seqK, heads, kvHeads, headDim, causal };
      const laws = attentionLaw(q, k, v, options, every(stride, heads * seqQ));
      return Array.from(laws, ({ at, out }) => ({ at, law: out(order) }));
    }
    case 'layer':
      return layerPieces(task, order, stride);
  }
}

/** Some rows of self-attention are cross-attention of those rows with all. */
function layerPieces(
  { x, seqQ, modelDim, heads, weights }: LayerTask,
  order: Order,
  stride: number,
): readonly Piece[] {
  const checked = [...every(stride, seqQ)];
  const some = new Float32Array(checked.length * modelDim);
  for (const [n, row] of checked.entries())
    some.set(x.subarray(row * modelDim, (row + 1) * modelDim), n * modelDim);
  const pass = { modelDim, heads, headDim: modelDim / heads, weights, batch: 1, options: {} };
  const { out } = layerLaw({ ...pass, x: some, context: x, seqQ: checked.length }, order);
  return checked.map((row, n) => ({
    at: row * modelDim,
    law: {
      values: out.values.subarray(n * modelDim, (n + 1) * modelDim),
      bounds: out.bounds.subarray(n * modelDim, (n + 1) * modelDim),
    },
  }));
}
