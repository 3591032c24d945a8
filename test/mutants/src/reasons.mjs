/** Reasons that several rules have (explained-own.mjs, explained-folders.mjs). */

/** Of errors.ts door-errors.test.ts fails where it is put into the source by hand, of words.ts words.test.ts and machine.test.ts. */
export const AT_LOAD = 'it is made as the module loads, before the mutant is switched on';

export const COPIES = 'each way to copy copies the same, but for the bits of a NaN';
