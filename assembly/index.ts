/** The wasm surface: drivers, and the number of the ABI that they speak. */
import { ABI_VERSION } from '../common/abi';

export { attention, attentionScratch } from './attention';
export { gemm, gemmScratch } from './gemm';
export { merge, mergeScratch } from './merge';
export { pack } from './pack';
export { heapBase, multiplyAdd } from './probe';
export { rope, ropeFrequencies, ropeScratch } from './rope';
export { weights } from './weights';

export const abi: i32 = ABI_VERSION;
