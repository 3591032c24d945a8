/**
 * docs/other-libraries.md, in numbers: what nn.MultiheadAttention computes by its documentation (test/pytorch.ts, float64
 * loops that know nothing of heed), translated as that page says, through heed's layer on every build. Each element is held
 * to the composed law of a layer (test/layer-law.ts), and all together to the pooled law: at most twice the error of the
 * plainest float32 program, which is much less. PyTorch itself is not run.
 */
import { describe, expect, it } from 'vitest';
import { MultiHeadAttention } from '../src/index.ts';
import type { AttentionOptions, Engine, Inspection, MultiHeadAttentionOptions } from '../src/index.ts';
import { attentionWeights } from '../src/reference.ts';
import { builds, engineOf } from './builds.ts';
import { normal, uniform } from './data.ts';
import { layerLaw, type Pass } from './layer-law.ts';
import { attentionLaw, u, use } from './laws.ts';
import { averaged, multiheadAttention, type Arguments, type Module, type StateDict } from './pytorch.ts';

const [E, heads, N] = [24, 3, 2];
const headDim = E / heads;

/** A state_dict with in_proj_weight, or with kdim = vdim = context. */
function stateOf(seed: number, context = E): StateDict {
  const biases = { in_proj_bias: normal(3 * E, seed + 1), 'out_proj.bias': normal(E, seed + 2) };
  const out = { 'out_proj.weight': normal(E * E, seed + 3, 0.3) };
  if (context === E) return { in_proj_weight: normal(3 * E * E, seed, 0.3), ...biases, ...out };
  const [k_proj_weight, v_proj_weight] = [normal(E * context, seed + 4), normal(E * context, seed + 5)];
  return { q_proj_weight: normal(E * E, seed, 0.3), k_proj_weight, v_proj_weight, ...biases, ...out };
}

/** heed's weights: views of the state_dict. */
function weightsOf(state: StateDict): Pass['weights'] {
  const third = (i: number): Float32Array | undefined =>
    state.in_proj_weight?.subarray(i * E * E, (i + 1) * E * E);
  const bias = (i: number): Float32Array | undefined => state.in_proj_bias?.subarray(i * E, (i + 1) * E);
  return {
    wq: (third(0) ?? state.q_proj_weight)!,
    wk: (third(1) ?? state.k_proj_weight)!,
    wv: (third(2) ?? state.v_proj_weight)!,
    wo: state['out_proj.weight'],
    ...{ bq: bias(0), bk: bias(1), bv: bias(2), bo: state['out_proj.bias'] },
  };
}

/** A mask that leaves each row key 0: true is ignored. */
function bools(length: number, S: number, seed: number): boolean[] {
  const next = uniform(seed);
  return Array.from({ length }, (_, i) => next() < 0.4 && i % S !== 0);
}

/** heed's mask of PyTorch's: the opposite. */
function visible(ignored: readonly boolean[]): Uint8Array {
  return Uint8Array.from(ignored, (each) => (each ? 0 : 1));
}

interface Case {
  readonly name: string;
  readonly L: number;
  readonly S?: number;
  readonly context?: number;
  readonly module?: Partial<Module>;
  readonly forward?: Pick<Arguments, 'key_padding_mask' | 'attn_mask'>;
  readonly options?: AttentionOptions;
}

const [L, S] = [11, 13];
const padded = bools(N * L, L, 40);
const square = bools(L * L, L, 41);
const each = bools(N * heads * L * L, L, 42);
const future = Array.from({ length: L * L }, (_, i) => i % L > Math.floor(i / L));
const added = normal(L * L, 43).map((x, i) => (square[i] === true ? -Infinity : x));
/** key_padding_mask of sequences that are padded at their ends: the same as lengths. */
const lengths = [9, 4];
const ends = Array.from({ length: N * L }, (_, i) => i % L >= lengths[Math.floor(i / L)]!);
const both = Array.from({ length: N * L * L }, (_, at) => {
  const [n, i, j] = [Math.floor(at / L / L), Math.floor(at / L) % L, at % L];
  return square[i * L + j] === true || padded[n * L + j] === true;
});
const broadcast = { shape: [N, 1, 1, L] } as const;

const cases: readonly Case[] = [
  { name: 'nothing', L },
  {
    name: 'bias=False',
    L,
    module: { state: { ...stateOf(9), in_proj_bias: undefined, 'out_proj.bias': undefined } },
  },
  {
    name: 'key_padding_mask',
    L,
    forward: { key_padding_mask: padded },
    options: { mask: { data: visible(padded), ...broadcast } },
  },
  {
    name: 'key_padding_mask at the end',
    L,
    forward: { key_padding_mask: ends },
    options: { keyLengths: lengths },
  },
  { name: 'attn_mask, bool, 2D', L, forward: { attn_mask: square }, options: { mask: visible(square) } },
  {
    name: 'attn_mask, bool, 3D',
    L,
    forward: { attn_mask: each },
    options: { mask: { data: visible(each), shape: [N, heads, L, L] } },
  },
  { name: 'attn_mask, float', L, forward: { attn_mask: added }, options: { bias: added } },
  {
    name: 'both masks, bool, as one',
    L,
    forward: { key_padding_mask: padded, attn_mask: square },
    options: { mask: { data: visible(both), shape: [N, 1, L, L] } },
  },
  {
    name: 'both masks, bool and float',
    L,
    forward: { key_padding_mask: padded, attn_mask: added },
    options: { mask: { data: visible(padded), ...broadcast }, bias: added },
  },
  { name: 'is_causal', L, forward: { attn_mask: future }, options: { causal: true } },
  {
    name: 'is_causal and padding at the end',
    L,
    forward: { attn_mask: future, key_padding_mask: ends },
    options: { causal: true, keyLengths: lengths },
  },
  { name: 'key and value of another sequence', L, S },
  { name: 'kdim = vdim', L, S, context: 10 },
  { name: 'add_zero_attn', L, module: { add_zero_attn: true }, options: { sinks: new Float32Array(heads) } },
  {
    name: 'add_zero_attn, causal, padded',
    L,
    module: { add_zero_attn: true },
    forward: { attn_mask: future, key_padding_mask: padded },
    options: { sinks: new Float32Array(heads), causal: true, mask: { data: visible(padded), ...broadcast } },
  },
];

/** [N, length, features] ↔ [length, N, features]: what batch_first says. */
function turned<T extends Float32Array | Float64Array>(x: T, length: number, outer: number): T {
  const features = x.length / (length * outer);
  return x.map((_, at) => {
    const [a, b, f] = [Math.floor(at / features / outer), Math.floor(at / features) % outer, at % features];
    return x[(b * length + a) * features + f]!;
  }) as T;
}

/** Everything that a case is made of: the module, PyTorch's arguments with batch_first, heed's pass. */
function made({ L: queries, S: keys = queries, context = E, module, forward, options = {} }: Case) {
  const state = module?.state ?? stateOf(1, context);
  const x = normal(N * queries * E, 20);
  const other = keys !== queries || context !== E ? normal(N * keys * context, 21) : x;
  const torch: Module = {
    ...{ embed_dim: E, num_heads: heads, kdim: context, vdim: context, batch_first: true },
    ...module,
    state,
  };
  const given: Arguments = { L: queries, S: keys, N, query: x, key: other, value: other, ...forward };
  const dims = { modelDim: E, contextDim: context, heads, headDim, weights: weightsOf(state) };
  const pass: Pass = {
    ...dims,
    ...{ x, batch: N, seqQ: queries, options },
    ...(other !== x && { context: other }),
  };
  return { torch, given, dims, pass, keys };
}

/** A pass through heed's layer. */
function run(
  engine: Engine,
  dims: MultiHeadAttentionOptions,
  { x, context, seqQ, options }: Pass,
  keys: number,
): Inspection {
  const layer = new MultiHeadAttention({ ...dims, engine });
  const call = { batch: N, seqQ, seqK: keys, context, ...options };
  const looks = layer.inspect(x, call);
  expect(layer.forward(x, call)).toEqual(looks.out);
  layer.dispose();
  return looks;
}

/** Root mean square of the errors. */
function pool(computed: ArrayLike<number>, values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, x, i) => sum + (computed[i]! - x) ** 2, 0) / values.length);
}

describe.each(builds)('%s', async (build) => {
  const engine = await engineOf(build);

  it.each(cases.map((each) => [each.name, each] as const))('%s', (_, given) => {
    const { torch, given: args, dims, pass, keys } = made(given);
    const wanted = multiheadAttention(torch, args);
    const law = layerLaw(pass);
    const looks = run(engine, dims, pass, keys);
    expect(use(looks.out, { values: wanted.output, bounds: law.out.bounds })).toBeLessThanOrEqual(1);
    const plain = multiheadAttention(torch, args, Math.fround).output;
    const largest = wanted.output.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    const pooled = pool(looks.out, wanted.output);
    expect(pooled).toBeLessThanOrEqual(2 * pool(plain, wanted.output) + 2 * u * largest);
    // need_weights, per head and averaged. A key that was added has no weight in heed: it is what the others lack.
    const seen = wanted.weights.filter((__, at) => at % wanted.keys < keys);
    expect(use(looks.weights, { values: seen, bounds: law.weights.bounds })).toBeLessThanOrEqual(1);
    const mean = { values: averaged(seen, N, heads), bounds: averaged(law.weights.bounds, N, heads) };
    expect(use(averaged(looks.weights, N, heads), mean)).toBeLessThanOrEqual(1);
    // batch_first=False: the same numbers in another order.
    const [query, key] = [turned(args.query, args.L, N), turned(args.key, keys, N)];
    const sequenceFirst = multiheadAttention(
      { ...torch, batch_first: false },
      { ...args, query, key, value: key },
    );
    expect(turned(sequenceFirst.output, N, args.L)).toEqual(wanted.output);
  });

  it('a mask taken the other way round is far outside the law', () => {
    const { torch, given, dims, pass, keys } = made({ name: '', L, forward: { attn_mask: square } });
    const { output } = multiheadAttention(torch, given);
    const { bounds } = layerLaw({ ...pass, options: { mask: visible(square) } }).out;
    const wrong = { ...pass, options: { mask: Uint8Array.from(square, Number) } };
    expect(use(run(engine, dims, wrong, keys).out, { values: output, bounds })).toBeGreaterThan(1000);
  });

  it('a row that sees nothing: NaN by the arithmetic, the bias of the last projection in heed', () => {
    const nothing = Array.from({ length: L * L }, (_, at) => Math.floor(at / L) === 3);
    const { torch, given, dims, pass, keys } = made({ name: '', L, forward: { attn_mask: nothing } });
    const { output } = multiheadAttention(torch, given);
    const looks = run(engine, dims, { ...pass, options: { mask: visible(nothing) } }, keys);
    const bo = torch.state['out_proj.bias'];
    for (let n = 0; n < N; n++) {
      const at = (n * L + 3) * E;
      expect(output.subarray(at, at + E).every(Number.isNaN)).toBe(true);
      expect(looks.out.subarray(at, at + E)).toEqual(bo);
    }
    expect(looks.out.every(Number.isFinite)).toBe(true);
  });

  it('add_bias_kv with a causal mask: bias_k and bias_v are the first token of a cache', () => {
    const [bias_k, bias_v] = [normal(E, 60), normal(E, 61)];
    const state = { ...stateOf(1), bias_k, bias_v };
    const { torch, given, dims, pass } = made({
      name: '',
      L,
      module: { state },
      forward: { attn_mask: future },
    });
    const { output } = multiheadAttention(torch, given);
    const twice = (x: Float32Array): Float32Array => Float32Array.of(...x, ...x);
    const past = { k: twice(bias_k), v: twice(bias_v) };
    const { bounds } = layerLaw({ ...pass, past, options: { causal: true } }).out;
    const layer = new MultiHeadAttention({ ...dims, engine });
    const cache = engine.kvCache({ batch: N, kvHeads: heads, headDim, capacity: 1 + L });
    cache.append(past.k, past.v);
    const out = layer.forward(pass.x, { batch: N, seqQ: L, cache });
    expect(use(out, { values: output, bounds })).toBeLessThanOrEqual(1);
    for (const each of [cache, layer]) each.dispose();
  });
});

it('add_zero_attn in the reference: a key and a value of zeros are a sink of 0', () => {
  const [seqQ, seqK] = [5, 6];
  const shape = { batch: N, seqQ, heads, headDim };
  const [q, k, v] = [normal(N * seqQ * E, 50), normal(N * seqK * E, 51), normal(N * seqK * E, 52)];
  const more = (x: Float32Array): Float32Array =>
    Float32Array.from({ length: N * (seqK + 1) * E }, (_, at) => {
      const [n, inner] = [Math.floor(at / ((seqK + 1) * E)), at % ((seqK + 1) * E)];
      return inner < seqK * E ? x[n * seqK * E + inner]! : 0;
    });
  const [longK, longV] = [more(k), more(v)];
  const long = { ...shape, seqK: seqK + 1 };
  const sunk = attentionWeights(q, k, v, { ...shape, seqK, sinks: new Float32Array(heads) });
  const wanted = attentionWeights(q, longK, longV, long);
  // Both are chains of float64 roundings: the law of a chain with 2⁻⁵³ for u, once for each.
  const near = (a: number, b: number, bound: number): void => {
    expect(Math.abs(a - b)).toBeLessThanOrEqual(2 * (2 ** -53 / u) * bound);
  };
  for (const law of attentionLaw(q, longK, longV, long)) {
    for (const [d, bound] of law.out('chain').bounds.entries()) {
      near(sunk.out[law.at + d]!, wanted.out[law.at + d]!, bound);
    }
    near(sunk.logSumExp[law.row]!, wanted.logSumExp[law.row]!, law.logSumExp('chain').bounds[0]!);
    const { bounds } = law.weights('chain');
    const row = sunk.weights.subarray(seqK * law.row, seqK * (law.row + 1));
    for (const [j, weight] of row.entries()) {
      near(weight, wanted.weights[(seqK + 1) * law.row + j]!, bounds[j]!);
    }
    // What the zero key takes is what the others lack.
    const lacks = row.reduce((a, b) => a - b, 1);
    near(lacks, wanted.weights[(seqK + 1) * law.row + seqK]!, bounds.reduce((a, b) => a + b) + seqK * u);
  }
});
