/** Constants in static data. ONES is what an epilogue reads as its f where there is no factor. */

export const ONES: usize = memory.data<f32>([1, 1, 1, 1, 1, 1, 1, 1]);
/** The score of a masked key, in four lanes: V8 would build a v128 constant anew at every use in a loop. */
export const MASKED: usize = memory.data<f32>([-Infinity, -Infinity, -Infinity, -Infinity]);
