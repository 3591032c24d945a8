/** How every file here says what it supposes: the first supposition that does not hold stops the extraction. */

/** @param {unknown} condition @param {string} message @returns {asserts condition} */
export function expect(condition, message) {
  if (!condition) throw new Error(`pp-ocr: ${message}`);
}

/** @param {readonly unknown[]} a @param {readonly unknown[]} b */
export const same = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);
