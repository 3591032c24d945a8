/**
 * `heed/reference`: the operations in plain JavaScript, in float64. It is the definition that every kernel is tested
 * against, and the JavaScript side of the comparison. Same arguments, names and checks as the kernels.
 * It is not tuned: no blocks, no threads, one score at a time; only the loops run along memory.
 *
 * @module heed/reference
 */
export { attention, attentionWeights } from './reference/attention.ts';
export type {
  ReferenceAttentionOptions,
  ReferenceAttentionWeights,
  ReferenceFloats,
  ReferenceVarlenOptions,
} from './reference/attention.ts';
export { matmul, type ReferenceMatmulOptions } from './reference/matmul.ts';
export { mergeAttention, type ReferenceAttentionPart } from './reference/merge.ts';
export { rope, type ReferenceRopeOptions } from './reference/rope.ts';
export type { FloatArray } from './checks/index.ts';
