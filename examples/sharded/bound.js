/**
 * How far attention over shards, merged, may be from attention over all keys at once, by the laws of docs/reliability.md.
 *
 * The laws are sums over keys. Here they are made coarser until norms are all that they need. With u = 2⁻²⁴, blocks of
 * BK = 96 keys, B = ⌈N/BK⌉ blocks, S = Σ p_k·|v_k|, and to first order in u:
 *
 *   A = |scale|·max‖q‖·max‖k‖                    ≥ |scale|·Σ|q·k| of every key (Cauchy–Schwarz), so that every score is in
 *                                                 [−A, A], and no two are further apart than 2A
 *   E = (headDim + 2)·A + 2A + 2 + (4B + 2A)      the law's E_k: score, shift, exponential, rescales
 *   one call    u·S·(2E + 5/4·BK + 2B + 2)        the law of attention, |o| ≤ S
 *   logSumExp   u·(2|lse| + (headDim + 4)·A + BK/4 + B + 4),  |lse| ≤ A + ln N
 *   the merge   u·S·(2·(3Δ + 2) + 2P)             the law of mergeAttention for P parts; Δ ≤ 2A + ln N
 *
 * A part's weight is e^lse over the sum of all of them: an error of lse moves it, and the sum, by as much. So
 *
 *   |sharded − whole| ≤ u·S·(whole + largest shard + 2·logSumExp + merge)
 *
 * It counts every rounding at its worst and all with one sign; what happens here is ten thousand times smaller.
 */
const u = 2 ** -24;
const BK = 96;

/** The factor of S. `shards`: keys in each. */
export function bound(q, k, { headDim }, shards) {
  const A = (longest(q, headDim) * longest(k, headDim)) / Math.sqrt(headDim);
  const N = shards.reduce((sum, keys) => sum + keys, 0);
  const most = Math.max(...shards);
  const blocks = (keys) => Math.ceil(keys / BK);
  const call = (keys) => {
    const E = (headDim + 2) * A + 2 * A + 2 + (4 * blocks(keys) + 2 * A);
    return 2 * E + (5 / 4) * BK + 2 * blocks(keys) + 2;
  };
  const logSumExp = 2 * (A + Math.log(N)) + (headDim + 4) * A + BK / 4 + blocks(most) + 4;
  const merge = 2 * (3 * (2 * A + Math.log(N)) + 2) + 2 * shards.length;
  return u * (call(N) + call(most) + 2 * logSumExp + merge);
}

/** The largest norm of the rows [·, headDim] of x. */
function longest(x, headDim) {
  let most = 0;
  for (let start = 0; start < x.length; start += headDim) {
    let sum = 0;
    for (let d = 0; d < headDim; d++) sum += x[start + d] ** 2;
    most = Math.max(most, sum);
  }
  return Math.sqrt(most);
}
