/** Constants in static data. Rows of eight floats are what epilogues read as their f where there is no bias or factor. */

export const ZEROS: usize = memory.data<f32>([0, 0, 0, 0, 0, 0, 0, 0]);
export const ONES: usize = memory.data<f32>([1, 1, 1, 1, 1, 1, 1, 1]);
/** The score of a masked key, in four lanes: V8 would build a v128 constant anew at every use in a loop. */
export const MASKED: usize = memory.data<f32>([-Infinity, -Infinity, -Infinity, -Infinity]);
