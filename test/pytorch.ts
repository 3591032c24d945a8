/**
 * PyTorch's nn.MultiheadAttention in evaluation mode, in plain float64 loops, from its documentation and the source of
 * its `need_weights` path (sources: docs/other-libraries.md). It knows nothing of heed: names, shapes and the meaning of
 * masks are PyTorch's. What it is not: a copy of PyTorch, which has other paths that round otherwise.
 */

/** The names of a state_dict. kdim = vdim = embed_dim has in_proj_weight, anything else the other three. */
export interface StateDict {
  /** [3·E, E]: rows of q, of k, of v */
  readonly in_proj_weight?: Float32Array | undefined;
  /** [E, E] */
  readonly q_proj_weight?: Float32Array | undefined;
  /** [E, kdim] */
  readonly k_proj_weight?: Float32Array | undefined;
  /** [E, vdim] */
  readonly v_proj_weight?: Float32Array | undefined;
  /** [3·E] */
  readonly in_proj_bias?: Float32Array | undefined;
  /** [E]: a key and a value behind all others (add_bias_kv) */
  readonly bias_k?: Float32Array | undefined;
  readonly bias_v?: Float32Array | undefined;
  /** [E, E] */
  readonly 'out_proj.weight': Float32Array;
  /** [E] */
  readonly 'out_proj.bias'?: Float32Array | undefined;
}

/** The constructor. */
export interface Module {
  readonly embed_dim: number;
  readonly num_heads: number;
  readonly kdim?: number;
  readonly vdim?: number;
  readonly add_zero_attn?: boolean;
  readonly batch_first?: boolean;
  readonly state: StateDict;
}

/** The arguments of forward. L queries, S keys, N sequences. */
export interface Arguments {
  readonly L: number;
  readonly S: number;
  readonly N: number;
  /** [L, N, E], or [N, L, E] with batch_first; key and value likewise with S, kdim and vdim. */
  readonly query: Float32Array;
  readonly key: Float32Array;
  readonly value: Float32Array;
  /** [N, S]: true is ignored. */
  readonly key_padding_mask?: readonly boolean[];
  /** [L, S] or [N·heads, L, S]: true is not allowed to attend, a number is added. */
  readonly attn_mask?: readonly boolean[] | Float32Array;
}

/** `output` in the layout of query; `weights` [N, heads, L, S], and one key more for each that was added. */
export interface Result {
  readonly output: Float64Array;
  readonly weights: Float64Array;
  readonly keys: number;
}

type Round = (x: number) => number;

/** Rows of E numbers for each token and sequence: [length, N, E], whatever the layout of x. */
function project(
  x: Float32Array,
  [length, N]: readonly [number, number],
  batchFirst: boolean,
  weight: Float32Array,
  bias: Float32Array | undefined,
  round: Round,
): Float64Array[] {
  const features = x.length / (length * N);
  const outputs = weight.length / features;
  return Array.from({ length: length * N }, (_, row) => {
    const [token, sequence] = [Math.floor(row / N), row % N];
    const start = (batchFirst ? sequence * length + token : row) * features;
    return Float64Array.from({ length: outputs }, (__, o) => {
      let sum = bias?.[o] ?? 0;
      for (let f = 0; f < features; f++) {
        sum = round(sum + round(x[start + f]! * weight[o * features + f]!));
      }
      return sum;
    });
  });
}

/** `round` Math.fround makes it the plainest float32 program instead of float64. */
export function multiheadAttention(module: Module, given: Arguments, round: Round = (x) => x): Result {
  const { embed_dim: E, num_heads: heads, kdim = E, vdim = E, state, batch_first = false } = module;
  const { L, S, N } = given;
  const headDim = E / heads;
  const third = (i: number): Float32Array => state.in_proj_weight!.subarray(i * E * E, (i + 1) * E * E);
  const bias = (i: number): Float32Array | undefined => state.in_proj_bias?.subarray(i * E, (i + 1) * E);
  const joined = kdim === E && vdim === E;
  const q = project(
    given.query,
    [L, N],
    batch_first,
    joined ? third(0) : state.q_proj_weight!,
    bias(0),
    round,
  );
  const k = project(given.key, [S, N], batch_first, joined ? third(1) : state.k_proj_weight!, bias(1), round);
  const v = project(
    given.value,
    [S, N],
    batch_first,
    joined ? third(2) : state.v_proj_weight!,
    bias(2),
    round,
  );
  let keys = S;
  const added = (rowK: Float64Array, rowV: Float64Array): void => {
    for (let n = 0; n < N; n++) {
      k.push(rowK);
      v.push(rowV);
    }
    keys++;
  };
  if (state.bias_k && state.bias_v) added(Float64Array.from(state.bias_k), Float64Array.from(state.bias_v));
  if (module.add_zero_attn === true) added(new Float64Array(E), new Float64Array(E));

  /** What the masks add to a score: nothing for keys that were added. */
  const masked = (n: number, h: number, i: number, j: number): number => {
    if (j >= S) return 0;
    const mask = given.attn_mask;
    const own = mask !== undefined && mask.length > L * S ? (n * heads + h) * L * S : 0;
    const m = mask?.[own + i * S + j] ?? 0;
    const padded = given.key_padding_mask?.[n * S + j] === true;
    return padded || m === true ? -Infinity : Number(m);
  };

  const weights = new Float64Array(N * heads * L * keys);
  const output = new Float64Array(L * N * E);
  for (let n = 0; n < N; n++) {
    for (let i = 0; i < L; i++) {
      const side = new Float64Array(E);
      for (let h = 0; h < heads; h++) {
        const scores = Float64Array.from({ length: keys }, (_, j) => {
          let dot = 0;
          for (let d = h * headDim; d < (h + 1) * headDim; d++) {
            dot = round(dot + round(q[i * N + n]![d]! * k[j * N + n]![d]!));
          }
          return round(round(dot / Math.sqrt(headDim)) + masked(n, h, i, j));
        });
        const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
        // A row that sees nothing is exp(−∞ − −∞): NaN.
        const p = scores.map((s) => round(Math.exp(round(s - most))));
        const sum = p.reduce((a, b) => round(a + b), 0);
        for (const [j, x] of p.entries()) {
          const weight = round(x / sum);
          weights[((n * heads + h) * L + i) * keys + j] = weight;
          for (let d = h * headDim; d < (h + 1) * headDim; d++) {
            side[d] = round(side[d]! + round(weight * v[j * N + n]![d]!));
          }
        }
      }
      const at = (batch_first ? n * L + i : i * N + n) * E;
      for (let o = 0; o < E; o++) {
        let sum = state['out_proj.bias']?.[o] ?? 0;
        for (let e = 0; e < E; e++) {
          sum = round(sum + round(side[e]! * state['out_proj.weight'][o * E + e]!));
        }
        output[at + o] = sum;
      }
    }
  }
  return { output, weights, keys };
}

/** average_attn_weights: [N, L, keys], the mean over heads. */
export function averaged(weights: ArrayLike<number>, N: number, heads: number): Float64Array {
  const size = weights.length / (N * heads);
  return Float64Array.from({ length: N * size }, (_, at) => {
    const [n, inner] = [Math.floor(at / size), at % size];
    let sum = 0;
    for (let h = 0; h < heads; h++) sum += weights[(n * heads + h) * size + inner]!;
    return sum / heads;
  });
}
