/** Plain float32 loops in JavaScript (bench/plain-loops.ts). No layer: it would be four matmuls and an attention of theirs. */
import { plainAttention, plainMatmul } from '../plain-loops.ts';
import { nothing, type Peer } from './peer.ts';

export const plain: Peer = {
  name: 'plain loops',
  version: undefined,
  order: 'chain',
  load: () =>
    Promise.resolve((task) => {
      if (task.kind === 'layer') return [];
      const out = new Float32Array(task.kind === 'matmul' ? task.M * task.N : task.q.length);
      const run =
        task.kind === 'matmul'
          ? () => plainMatmul(task.a, task.b, task, out)
          : () => plainAttention(task.q, task.k, task.v, task, out);
      return [{ name: 'float32', prepare: () => ({ run, dispose: nothing }) }];
    }),
};
