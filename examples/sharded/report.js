/** What is printed, and the two judgements. */

const exponential = (x) => x.toExponential(1);

export function introduce({ heads, kvHeads, headDim }, sizes) {
  const seqK = sizes.reduce((sum, keys) => sum + keys, 0);
  const title = `Attention to ${seqK} keys, sharded over ${sizes.length} workers`;
  const megabytes = ((2 * seqK * kvHeads * headDim * 4) / 1e6).toFixed(1);
  console.log(`\n${title}\n${'─'.repeat(title.length)}\n`);
  console.log(
    `  ${heads} query heads, ${kvHeads} key heads, ${headDim} wide; K and V are ${megabytes} MB of seeded noise.\n`,
  );
}

/** Prints all results; whether all are as near to each other as they should be. */
export function report(shape, shards, results) {
  return results.map((result) => one(shape, shards, result)).every(Boolean);
}

function one({ heads }, shards, { seqQ, position, parts, merged, whole, truth, bounds }) {
  const bytes = 4 * parts.reduce((sum, { out, logSumExp }) => sum + 2 * out.length + logSumExp.length, 0);
  console.log(
    `  The ${seqQ === 1 ? 'newest token' : `${seqQ} newest tokens`} (${(bytes / 1e3).toFixed(0)} kB of messages)\n`,
  );
  console.log('    worker   first key    keys   queryOffset   queries that see a key');
  for (const [i, { first, keys }] of shards.entries()) {
    // [heads, seqQ]: all heads see the same keys.
    const seeing = parts[i].logSumExp.slice(0, seqQ).filter((lse) => lse !== -Infinity).length;
    const row = [
      `${i}`.padStart(6),
      `${first}`.padStart(9),
      `${keys}`.padStart(5),
      `${position - first}`.padStart(11),
      `${seeing} of ${seqQ}`.padStart(22),
    ];
    console.log(`    ${row.join('   ')}`);
  }

  // Law: every element within its own bound.
  const difference = largest(merged, whole);
  const share = merged.reduce((most, x, i) => Math.max(most, Math.abs(x - whole[i]) / bounds[i]), 0);
  // The law must hold for the worst of data, so that a lost key among 21 010 could hide in it. In the float64 reference it
  // cannot: the rule of docs/reliability.md for the largest of many errors, at most twice that of the plainer program and
  // 2u of the largest value. The plainer program is one call over all keys.
  const [errorMerged, errorWhole] = [largest(merged, truth), largest(whole, truth)];
  const size = truth.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const limit = 2 * errorWhole + 2 * 2 ** -24 * size;
  const law = share <= 1;
  const accurate = errorMerged <= limit;

  console.log(`
    ${heads * seqQ} rows merged; the largest output is ${size.toFixed(3)}. The largest difference between

    merged and one call over all keys   ${exponential(difference)}   bound ${exponential(Math.max(...bounds))}   ${verdict(law)}
    one call and the float64 reference  ${exponential(errorWhole)}
    merged and the float64 reference    ${exponential(errorMerged)}   limit ${exponential(limit)}   ${verdict(accurate)}
`);
  return law && accurate;
}

function verdict(holds) {
  return holds ? 'holds' : 'FAILS';
}

function largest(a, b) {
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);
}
