/** The wasm surface: drivers, the number of the ABI that they speak, and which build this is. */
import { ABI_VERSION } from '../common/abi';

export { append } from './append';
export { attention, attentionScratch } from './attention';
export { combine, decode, partBytes } from './decode';
export { gemm, gemmScratch } from './gemm';
export { merge, mergeScratch } from './merge';
export { pack } from './pack';
export { heapBase, multiplyAdd } from './probe';
export { rope, ropeFrequencies, ropeScratch } from './rope';
export { rowsAdd } from './select';
export { weights } from './weights';

export const abi: i32 = ABI_VERSION;
export const relaxed: i32 = ASC_FEATURE_RELAXED_SIMD ? 1 : 0;
