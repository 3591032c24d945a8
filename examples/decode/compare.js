/** Logits beside logits. All are [tokens, vocabulary]. */

export function argmax(row) {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i] > row[best]) best = i;
  return best;
}

/** Argmax of each row. */
export function winners(logits, vocabulary) {
  return rows(logits, vocabulary).map(argmax);
}

/** The smallest lead that any row's winner has. */
export function smallestLead(logits, vocabulary) {
  const leads = rows(logits, vocabulary).map((row) => {
    const winner = argmax(row);
    return row[winner] - row.reduce((most, x, i) => (i === winner ? most : Math.max(most, x)), -Infinity);
  });
  return Math.min(...leads);
}

/** Largest |a − b|; NaN if there is one. */
export function largestDifference(a, b) {
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);
}

export function largest(a) {
  return a.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
}

/** Of how many positions a and b differ. */
export function countDifferent(a, b) {
  return a.filter((x, i) => x !== b[i]).length;
}

export function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
}

function rows(logits, vocabulary) {
  return Array.from({ length: logits.length / vocabulary }, (_, i) =>
    logits.subarray(i * vocabulary, (i + 1) * vocabulary),
  );
}
