/** Rows of eight floats that epilogues read as their f: a bias or factor where there is none. */

export const ZEROS: usize = memory.data<f32>([0, 0, 0, 0, 0, 0, 0, 0]);
export const ONES: usize = memory.data<f32>([1, 1, 1, 1, 1, 1, 1, 1]);
