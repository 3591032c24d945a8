/**
 * Public operations on a runtime, for arrays and for tensors alike: check, stage, launch. What follows the checks is a
 * function of its own where the self-test, whose arguments need none, begins with it.
 */
export { attention, attentionAsync, attentionWeights, runAttention, type Inspection } from './attention.ts';
export { matmul, matmulAsync, packMatrix, runMatmul } from './matmul.ts';
export { mergeAttention } from './merge.ts';
export { rope, runRope } from './rope.ts';
export { tensor } from './tensor.ts';
