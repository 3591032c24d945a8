/** The two shapes that the ladder climbs. */

/** C[M × N] = A[M × K] · B[K × N] */
export interface MatmulShape {
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** O = softmax(Q Kᵀ / √headDim) V for every head; all four are [seq, heads, headDim]. */
export interface AttentionShape {
  readonly seq: number;
  readonly heads: number;
  readonly headDim: number;
}
