/** What is printed, and the judgement. */

const shorten = (title) => (title.length > 90 ? `${title.slice(0, 89)}…` : title);

export function introduce(count, dim, model) {
  const title = `Retrieval by attention from ${count} texts`;
  console.log(`\n${title}\n${'─'.repeat(title.length)}\n`);
  console.log(
    `  The documentation of SAP Fiori. Keys and values are sentence vectors of ${dim} numbers (${model}).\n`,
  );
}

/** How the scale shares one query's weight out. `temperatures`: [{ scale, weights }]. */
export function reportTemperatures(title, temperatures) {
  console.log(`  "${title}": who answers, by scale\n`);
  console.log('    scale   largest weight   as many texts as share it evenly');
  for (const { scale, weights } of temperatures) {
    const entropy = weights.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
    const row = [
      `${scale}`.padStart(9),
      Math.max(...weights)
        .toFixed(3)
        .padStart(14),
    ];
    console.log(`${row.join('   ')}   ${Math.exp(entropy).toFixed(1).padStart(29)}`);
  }
  console.log();
}

/** The texts with the largest weights. */
export function reportSoft(query, titles, weights) {
  console.log(`  ${query}\n`);
  const order = [...weights.keys()].sort((a, b) => weights[b] - weights[a]);
  for (const text of order.slice(0, 4))
    console.log(`    ${weights[text].toFixed(3)}  ${shorten(titles[text])}`);
  console.log();
}

/** Whether attention found the texts that the search finds, or others as near as float32 can tell. */
export function reportSharp(titles, found, { cosines, nearest, lead }, { scale, limit, milliseconds }) {
  const count = titles.length;
  const right = (text, i) =>
    Number.isInteger(text) &&
    text !== i &&
    cosines[i * count + text] >= cosines[i * count + nearest[i]] - limit;
  const wrong = [...found.keys()].filter((i) => !right(found[i], i));
  const same = found.filter((text, i) => text === nearest[i]).length;
  console.log(`  Every text asks for the nearest of the others, scale ${scale.toExponential(0)}: ${milliseconds.toFixed(0)} ms

    ${same} of ${count} find what an exhaustive search for the largest cosine finds
    (the nearest leads by ${Math.min(...lead).toExponential(1)} at the least; below ${limit.toExponential(1)} float32 cannot tell, and either counts)
    ${wrong.length === 0 ? 'holds' : 'FAILS'}
`);
  for (const i of wrong.slice(0, 10))
    console.log(`    ${shorten(titles[i])}: ${found[i]}, not ${shorten(titles[nearest[i]])}`);
  return wrong.length === 0;
}
