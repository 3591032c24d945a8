/** Small calls of every kind in turn, for tests of what is left behind by many. */
import { MultiHeadAttention, type Engine, type KVCache } from '../src/index.ts';
import { normal } from './data.ts';

export interface Workload {
  /** Calls made so far. */
  readonly count: number;
  run(calls: number): void;
  /** Disposes of what it has made. */
  end(): void;
}

export function mixedCalls(engine: Engine): Workload {
  const [x, w, out] = [normal(64, 1), normal(64, 2), new Float32Array(64)];
  const [bias, wide] = [normal(8, 3), normal(256, 4)];
  const shape = { seqQ: 8, headDim: 8 };
  const packed = engine.packMatrix(w, { K: 8, N: 8 });
  const layer = new MultiHeadAttention({
    modelDim: 8,
    heads: 2,
    weights: { wq: w, wk: w, wv: w, wo: w, bo: bias },
    engine,
  });
  const token = normal(8, 5);
  const caches = (['f32', 'f16'] as const).map((dtype) => {
    return engine.kvCache({ kvHeads: 2, headDim: 4, capacity: 96, dtype, ring: dtype === 'f16' });
  });
  const decode = (cache: KVCache): void => {
    cache.append(token, token);
    cache.attend(x.subarray(0, 16), { heads: 4, window: [20, 0], out: out.subarray(0, 16) });
  };
  const kinds: readonly (() => void)[] = [
    () => void engine.attention(x, x, w, { ...shape, out }),
    () => void engine.attention(wide, wide, wide, { seqQ: 32, headDim: 4, heads: 2, causal: true }),
    () => void engine.attentionWeights(x, x, x, shape),
    () => void engine.matmul(x, w, { M: 8, N: 8, K: 8, bias }),
    () => void engine.matmul(x, packed, { M: 8, out }),
    () => void layer.forward(x, { seqQ: 8, out }),
    () => void layer.inspect(x, { seqQ: 8, causal: true }),
    () => {
      const a = engine.tensor([8, 8], x);
      const b = engine.tensor([8, 8]);
      const c = engine.matmul(a, packed, { bias });
      const d = engine.matmul(a, b, { out: c });
      for (const each of [b, a, d]) each.dispose();
    },
    () => {
      const scope = engine.scope();
      const a = scope.tensor([1, 8, 2, 4], x);
      scope.attention(a, scope.attention(a, a, a, { causal: true }), a);
      scope.dispose();
    },
    () => {
      if (caches[0]!.length === 96) caches[0]!.truncate(50);
      decode(caches[0]!);
    },
    () => {
      decode(caches[1]!);
    },
    () => {
      engine.kvCache({ kvHeads: 1, headDim: 8, capacity: 9 }).dispose();
    },
    () => {
      engine.packMatrix(wide, { K: 16, N: 16 }).dispose();
    },
    () => {
      try {
        engine.attention(x, x, x, { seqQ: 9, headDim: 8 });
      } catch (error) {
        if ((error as Partial<{ code: string }>).code !== 'ERR_SHAPE') throw error;
      }
    },
  ];
  let count = 0;
  return {
    get count() {
      return count;
    },
    run(calls) {
      for (const end = count + calls; count < end; count++) kinds[count % kinds.length]!();
    },
    end() {
      for (const each of [layer, packed, ...caches]) each.dispose();
    },
  };
}
