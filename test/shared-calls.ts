/**
 * Calls of every operation for several threads to share, with the bits they give: of many items and of fewer than there are threads,
 * of arrays and of tensors. Those that can be made asynchronously can be made so here.
 */
import {
  MultiHeadAttention,
  type Engine,
  type MultiHeadAttentionOptions,
  type Tensor,
} from '../src/index.ts';
import { normal, uniform } from './data.ts';

export type Result = readonly Float32Array[];

export interface SharedCall {
  readonly name: string;
  /** Nothing is multiplied: a synchronous call of it is not shared. */
  readonly empty?: boolean;
  readonly run: (engine: Engine) => Result;
  readonly later?: (engine: Engine) => Promise<Result>;
}

let seed = 100;
const random = (length: number): Float32Array => normal(length, seed++);

/** Attention of arrays in 'bshd', with what `options` add; its logSumExp too. */
function attention(
  name: string,
  batch: number,
  heads: number,
  kvHeads: number,
  seqQ: number,
  seqK: number,
  headDim: number,
  valueDim: number,
  extra: object = {},
): SharedCall {
  const operands = [
    random(batch * seqQ * heads * headDim),
    random(batch * seqK * kvHeads * headDim),
    random(batch * seqK * kvHeads * valueDim),
  ] as const;
  const options = { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, ...extra };
  const rows = batch * heads * seqQ;
  return {
    name: `attention, ${name}`,
    empty: seqK === 0,
    run: (engine) => {
      const logSumExp = new Float32Array(rows);
      return [engine.attention(...operands, { ...options, logSumExp }), logSumExp];
    },
    later: async (engine) => {
      const logSumExp = new Float32Array(rows);
      return [await engine.attentionAsync(...operands, { ...options, logSumExp }), logSumExp];
    },
  };
}

/** Packed sequences of these lengths. */
function packed(name: string, lengths: readonly number[], extra: object = {}): SharedCall {
  const cuSeqlensQ = Int32Array.from([
    0,
    ...lengths.map((_, i) => lengths.slice(0, i + 1).reduce((a, b) => a + b, 0)),
  ]);
  const total = cuSeqlensQ.at(-1)!;
  const operands = [random(total * 4 * 16), random(total * 2 * 16), random(total * 2 * 16)] as const;
  const options = { cuSeqlensQ, heads: 4, kvHeads: 2, headDim: 16, ...extra };
  return {
    name: `attention, packed, ${name}`,
    run: (engine) => [engine.attention(...operands, options)],
    later: async (engine) => [await engine.attentionAsync(...operands, options)],
  };
}

function matmul(
  name: string,
  M: number,
  N: number,
  K: number,
  extra: {
    batch?: number;
    transposeA?: boolean;
    transposeB?: boolean;
    shared?: boolean;
    bias?: Float32Array;
  } = {},
): SharedCall {
  const { shared = false, ...options } = extra;
  const batch = options.batch ?? 1;
  const a = random(batch * M * K);
  const b = random((shared ? 1 : batch) * K * N);
  const shape = { M, N, K, ...options };
  return {
    name: `matmul, ${name}`,
    empty: K === 0,
    run: (engine) => [engine.matmul(a, b, shape)],
    later: async (engine) => [await engine.matmulAsync(a, b, shape)],
  };
}

/** By a packed matrix. */
function packedMatmul(M: number, N: number, K: number, transposeB: boolean, biased = true): SharedCall {
  const [a, b] = [random(M * K), random(K * N)];
  const options = biased ? { M, bias: random(N) } : { M };
  return {
    name: `packMatrix and matmul, ${M} × ${N} × ${K}${transposeB ? ', transposed' : ''}${biased ? '' : ', no bias'}`,
    run: (engine) => {
      const matrix = engine.packMatrix(b, { K, N, transposeB });
      const out = engine.matmul(a, matrix, options);
      matrix.dispose();
      return [out];
    },
    later: async (engine) => {
      const matrix = engine.packMatrix(b, { K, N, transposeB });
      const out = engine.matmulAsync(a, matrix, options);
      // It is held by the call.
      matrix.dispose();
      return [await out];
    },
  };
}

function weights(name: string, seqQ: number, seqK: number, extra: object = {}): SharedCall {
  const [q, k, v] = [random(2 * seqQ * 4 * 12), random(2 * seqK * 2 * 12), random(2 * seqK * 2 * 12)];
  const options = { batch: 2, heads: 4, kvHeads: 2, seqQ, seqK, headDim: 12, ...extra };
  return {
    name: `attentionWeights, ${name}`,
    run: (engine) => {
      const { out, weights, logSumExp } = engine.attentionWeights(q, k, v, options);
      return [out, weights, logSumExp];
    },
  };
}

/** Tensors of these shapes, and what a call on them makes. */
function tensors(
  name: string,
  shapes: readonly (readonly number[])[],
  make: (engine: Engine, given: readonly Tensor[]) => readonly Tensor[],
): SharedCall {
  const data = shapes.map((shape) => random(shape.reduce((a, b) => a * b)));
  return {
    name: `${name}, tensors`,
    run: (engine) => {
      const given = shapes.map((shape, i) => engine.tensor(shape, data[i]));
      const made = make(engine, given);
      const results = made.map((each) => each.data.slice());
      for (const each of [...given, ...made]) each.dispose();
      return results;
    },
  };
}

/** Tokens through a cache, many at once and then one by one. */
function cache(dtype: 'f32' | 'f16', ring: boolean): SharedCall {
  const [batch, kvHeads, heads, headDim, valueDim] = [3, 2, 6, 16, 12];
  const [k, v] = [random(batch * 90 * kvHeads * headDim), random(batch * 90 * kvHeads * valueDim)];
  const [many, one] = [random(batch * 40 * heads * headDim), random(batch * heads * headDim)];
  const window = ring ? { window: [30, 0] as const } : {};
  return {
    name: `cache, ${dtype}${ring ? ', ring' : ''}`,
    run: (engine) => {
      const made = engine.kvCache({ batch, kvHeads, headDim, valueDim, capacity: 200, dtype, ring });
      made.append(k, v, { counts: [90, 30, 71] });
      made.append(k, v, { counts: [80, 90, 1] });
      const results = [
        made.attend(many, { heads, seqQ: 40, ...window }),
        made.attend(one, { heads, ...window }),
        made.attend(one, { heads, softcap: 3, ...window }),
      ];
      made.dispose();
      return results;
    },
  };
}

type LayerShape = Omit<MultiHeadAttentionOptions, 'engine' | 'weights'>;

/** A layer of its own, and a pass through it. */
function layer(
  name: string,
  shape: LayerShape,
  options: object,
  extra: { dtype?: 'f32' | 'f16'; inspects?: boolean } = {},
): SharedCall {
  const { modelDim, heads, kvHeads = heads, contextDim = modelDim } = shape;
  const headDim = shape.headDim ?? modelDim / heads;
  const of = { seqQ: 33, batch: 2, ...options };
  const given = {
    wq: random(modelDim * heads * headDim),
    wk: random(contextDim * kvHeads * headDim),
    wv: random(contextDim * kvHeads * headDim),
    wo: random(modelDim * heads * headDim),
    bo: random(modelDim),
    bq: random(heads * headDim),
  };
  const x = random(of.batch * of.seqQ * modelDim);
  const { dtype, inspects } = extra;
  const prepare = (engine: Engine) => {
    const made = new MultiHeadAttention({ ...shape, weights: given, engine });
    const held = dtype && engine.kvCache({ batch: of.batch, kvHeads, headDim, capacity: 96, dtype });
    const dispose = (): void => {
      made.dispose();
      held?.dispose();
    };
    return { made, dispose, options: held ? { ...of, cache: held } : of };
  };
  return {
    name: `layer, ${name}`,
    run: (engine) => {
      const { made, dispose, options } = prepare(engine);
      const results: Float32Array[] = [made.forward(x, options), made.forward(x, options)];
      if (inspects) {
        const { out, weights, logSumExp } = made.inspect(x, options);
        results.push(out, weights, logSumExp);
      }
      dispose();
      return results;
    },
    ...(inspects
      ? {}
      : {
          later: async (engine: Engine) => {
            const { made, dispose, options } = prepare(engine);
            try {
              return [await made.forwardAsync(x, options), await made.forwardAsync(x, options)];
            } finally {
              dispose();
            }
          },
        }),
  };
}

const next = uniform(7);
const mask = Uint8Array.from({ length: 60 * 75 }, () => Number(next() < 0.7));
const scores = {
  mask,
  bias: { data: random(4 * 75), shape: [1, 4, 1, 75] },
  alibi: Float32Array.of(0.5, 0.25, 0.125, 0.01),
  sinks: Float32Array.of(0, 1, -1, 2),
  softcap: 5,
};
const halfModel = { modelDim: 48, heads: 6, kvHeads: 2, rope: {} };

export const sharedCalls: readonly SharedCall[] = [
  attention('all keys', 2, 3, 3, 130, 130, 20, 17),
  attention('causal, grouped heads', 1, 6, 2, 200, 200, 16, 16, { causal: true }),
  attention('a window', 2, 2, 2, 150, 170, 12, 12, { causal: true, window: [20, 0] }),
  attention('a window to both sides', 1, 3, 3, 140, 140, 12, 8, { window: [30, 11] }),
  attention('one head', 1, 1, 1, 700, 400, 24, 24),
  attention('one item', 1, 1, 1, 9, 50, 8, 8),
  attention('every option', 2, 4, 4, 60, 75, 16, 16, scores),
  attention('the other layout, key lengths', 3, 4, 2, 33, 90, 12, 12, {
    layout: 'bhsd',
    keyLengths: [90, 3, 0],
    causal: true,
  }),
  attention('one query, many keys', 1, 8, 2, 1, 9000, 16, 16),
  attention('few queries, sinks', 2, 4, 1, 3, 2300, 12, 12, {
    sinks: Float32Array.of(0, 1, 2, 3),
    causal: true,
  }),
  attention('one query of many', 17, 2, 2, 1, 40, 8, 8, {
    keyLengths: Array.from({ length: 17 }, (_, i) => 2 * i),
  }),
  attention('no keys', 2, 2, 2, 20, 0, 8, 8),
  packed('very different lengths', [1, 300, 3, 0, 61, 4, 2]),
  packed('causal', [150, 1, 1, 1, 90], { causal: true, window: [40, 0] }),
  weights('causal', 60, 60, { causal: true }),
  weights('few queries', 3, 500),
  matmul('many blocks', 150, 530, 300),
  matmul('A transposed', 130, 90, 70, { transposeA: true }),
  matmul('B transposed', 61, 260, 90, { transposeB: true }),
  matmul('both transposed, bias', 70, 67, 33, { transposeA: true, transposeB: true, bias: random(67) }),
  matmul('a batch', 30, 40, 50, { batch: 5 }),
  matmul('a batch with one B', 30, 140, 50, { batch: 4, shared: true }),
  matmul('one row', 1, 1111, 200),
  matmul('one long row', 1, 9111, 3),
  matmul('one row, B transposed', 1, 1111, 70, { transposeB: true, bias: random(1111) }),
  matmul('rows of a batch, each with its B', 1, 333, 65, { batch: 3 }),
  matmul('one tile', 3, 5, 7),
  matmul('no steps', 70, 130, 0, { bias: random(130) }),
  packedMatmul(1, 1111, 90, false),
  packedMatmul(1, 2050, 30, false, false),
  packedMatmul(5, 515, 300, true),
  packedMatmul(129, 77, 40, false),
  tensors(
    'attention',
    [
      [2, 70, 4, 12],
      [2, 90, 2, 12],
      [2, 90, 2, 10],
    ],
    (engine, [q, k, v]) => [engine.attention(q!, k!, v!, { causal: true })],
  ),
  tensors(
    'matmul',
    [
      [100, 60],
      [60, 130],
    ],
    (engine, [a, b]) => [engine.matmul(a!, b!)],
  ),
  tensors('rope', [[2, 150, 3, 16]], (engine, [x]) => [engine.rope(x!, { offset: 5 })]),
  tensors(
    'mergeAttention',
    [
      [2, 150, 3, 16],
      [2, 3, 150],
      [2, 150, 3, 16],
      [2, 3, 150],
    ],
    (engine, [o, l, p, m]) => {
      const { out, logSumExp } = engine.mergeAttention([
        { out: o!, logSumExp: l! },
        { out: p!, logSumExp: m! },
      ]);
      return [out, logSumExp];
    },
  ),
  ropes('interleaved, positions', 2, 210, {
    interleaved: true,
    positions: Int32Array.from({ length: 420 }, (_, i) => (i * 7) % 500),
  }),
  ropes('one token', 1, 1, { offset: 9, layout: 'bhsd' }),
  merges(),
  ...(['f32', 'f16'] as const).flatMap((dtype) => [cache(dtype, false), cache(dtype, true)]),
  layer('self-attention', { modelDim: 48, heads: 4 }, { causal: true }, { inspects: true }),
  layer('grouped heads, rope', halfModel, { causal: true }),
  layer('context', { modelDim: 40, heads: 5, contextDim: 24 }, { context: random(2 * 70 * 24), seqK: 70 }),
  layer('cache, f32', halfModel, {}, { dtype: 'f32' }),
  layer('cache, f16', halfModel, {}, { dtype: 'f16' }),
  layer('cache, one token', halfModel, { seqQ: 1 }, { dtype: 'f16' }),
];

function ropes(name: string, batch: number, seq: number, extra: object): SharedCall {
  const x = random(batch * seq * 3 * 24);
  return {
    name: `rope, ${name}`,
    run: (engine) => [engine.rope(x, { batch, seq, heads: 3, headDim: 24, ...extra })],
  };
}

function merges(): SharedCall {
  const parts = [0, 1, 2].map(() => ({ out: random(2 * 130 * 3 * 9), logSumExp: random(2 * 3 * 130) }));
  return {
    name: 'mergeAttention',
    run: (engine) => {
      const { out, logSumExp } = engine.mergeAttention(parts, { batch: 2, seqQ: 130, heads: 3, valueDim: 9 });
      return [out, logSumExp];
    },
  };
}
