/** heed as it ships, every build that runs here: plain arrays in, `out` given. */
import { builds } from '../../test/builds.ts';
import type { Engine } from '../../src/index.ts';
import { loadShipped } from '../shipped.ts';
import { nothing, type Peer, type Running, type Task } from './peer.ts';

type Heed = Awaited<ReturnType<typeof loadShipped>>;

export const heed: Peer = {
  name: 'heed',
  version: undefined,
  order: 'blocks',
  load: async () => {
    const library = await loadShipped();
    const engines = await Promise.all(
      [...builds]
        .reverse()
        .map(async (build) => [build, await library.createEngine({ simd: build, threads: 1 })] as const),
    );
    return (task) =>
      engines.map(([build, engine]) => ({ name: build, prepare: () => prepare(library, engine, task) }));
  },
};

function prepare({ MultiHeadAttention }: Heed, engine: Engine, task: Task): Running {
  switch (task.kind) {
    case 'matmul': {
      const { M, N, K, a, b, constant } = task;
      const out = new Float32Array(M * N);
      if (!constant) return { run: () => engine.matmul(a, b, { M, N, K, out }), dispose: nothing };
      const packed = engine.packMatrix(b, { K, N });
      return {
        run: () => engine.matmul(a, packed, { M, out }),
        dispose: () => {
          packed.dispose();
        },
      };
    }
    case 'attention': {
      const { q, k, v, seqQ, seqK, heads, kvHeads, headDim, causal, resident } = task;
      const out = new Float32Array(q.length);
      if (!resident) {
        const options = { seqQ, seqK, heads, kvHeads, headDim, causal, out };
        return { run: () => engine.attention(q, k, v, options), dispose: nothing };
      }
      const cache = engine.kvCache({ kvHeads, headDim, capacity: seqK });
      cache.append(k, v);
      return {
        run: () => cache.attend(q, { seqQ, heads, out }),
        dispose: () => {
          cache.dispose();
        },
      };
    }
    case 'layer': {
      const { x, seqQ, modelDim, heads, weights } = task;
      const layer = new MultiHeadAttention({ modelDim, heads, weights, engine });
      const out = new Float32Array(x.length);
      return {
        run: () => layer.forward(x, { seqQ, out }),
        dispose: () => {
          layer.dispose();
        },
      };
    }
  }
}
