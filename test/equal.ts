/** Equality of integers, bytes or words, in a plain loop: an expectation looks at each element, and takes a hundred times as long. */
export function equal(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  return a.length === b.length && firstDifference(a, b) < 0;
}

/** Where they differ first; −1: nowhere. */
export function firstDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return i;
  return -1;
}
