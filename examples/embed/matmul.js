/** C = A·B without the wrapper: B is packed into panels of eight columns, then multiplied with. */
import { matmul } from 'heed/reference';
import { constants, floats, kernels, put, take, write } from './memory.js';

/** How far the product of two matrices of small integers is off: it has none but exact sums. */
export function product() {
  const [M, N, K] = [3, 20, 5];
  const a = Float32Array.from({ length: M * K }, (_, i) => (i % 7) - 3);
  const b = Float32Array.from({ length: K * N }, (_, i) => (i % 5) - 2);
  const c = take(4 * M * N);
  const call = {
    ...{ a: put(a), b: put(b), packed: take(4 * K * 8 * Math.ceil(N / 8)), c },
    ...{ M, N, K, tile: constants.TILE_4X8 },
    ...{ lda: 4 * K, ldb: 4 * N, ldc: 4 * N, k1: K, panel: 4 * 8 * K },
  };
  const pack = write('GemmArgs', { ...call, items: write('GemmItem', { rows: K, cols: N }) });
  const gemm = write('GemmArgs', { ...call, items: write('GemmItem', { rows: M, cols: N }) });
  const scratch = take(kernels.gemmScratch(gemm));
  kernels.pack(pack, 0, 1, scratch);
  kernels.gemm(gemm, 0, 1, scratch);
  const truth = matmul(a, b, { M, N, K });
  return floats(c, M * N).reduce((most, x, i) => Math.max(most, Math.abs(x - truth[i])), 0);
}
