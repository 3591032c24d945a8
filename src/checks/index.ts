/**
 * The checks at the door: what a value is, whether it is in its domain, whether it fits. Each takes the operation and
 * the argument's name and throws before anything is written. Which checks make up a call stands in `options/`, which
 * reads them as `check.flag`, `check.fits` and so on.
 *
 * Loops that every call runs count an index: a small call is little else, and `for … of` takes twice to three times as long.
 */
export * from './operands.ts';
export * from './options.ts';
export * from './sizes.ts';
