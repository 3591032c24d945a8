/**
 * Driver of packing: B of a matmul into panels of eight columns, [⌈N/8⌉][K][8], once for weights, per call otherwise.
 * A B that lies transposed ([N × K], as nn.Linear keeps its weights) is transposed on the way.
 */
import { GemmArgs, GemmItem } from './args';
import { f32Pack } from './kernels/f32-pack';
import { f32RowsToPanel } from './kernels/f32-transpose';

/** Items name steps m0 … m0 + rows and columns n0 … n0 + cols of a B: rows of it as it lies. Scratch holds eight addresses. */
export function pack(args: usize, begin: i32, end: i32, scratch: usize): void {
  const a = changetype<GemmArgs>(args);
  const stride = a.panel;
  for (let i = begin; i < end; i++) {
    const item = changetype<GemmItem>(a.items + <usize>i * offsetof<GemmItem>());
    const k = item.rows;
    const step: usize = a.transposeB ? 4 : a.ldb;
    const b = a.b + <usize>item.batch * a.bBatch + <usize>item.m0 * step;
    const panels = a.packed + <usize>item.batch * a.packedBatch + ((<usize>item.m0) << 5);
    let panel = panels + <usize>(item.n0 >> 3) * stride;
    const last = item.n0 + item.cols;
    for (let n = item.n0; n < last; n += 8, panel += stride) {
      if (a.transposeB) {
        for (let lane = 0; lane < 8; lane++) {
          // Beyond the last column the last one is repeated: computed with, never stored.
          const column = min(n + lane, last - 1);
          store<u32>(scratch + ((<usize>lane) << 2), <u32>(b + <usize>column * a.ldb));
        }
        f32RowsToPanel(scratch, k, 1, panel);
      } else {
        f32Pack(b + ((<usize>n) << 2), a.ldb, k, min(8, last - n), panel);
      }
    }
  }
}
