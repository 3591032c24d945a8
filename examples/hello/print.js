/** Matrices and heat-maps for a terminal, in plain characters. */

/** From no weight to all of it. */
export const shades = ' ░▒▓█';

export function title(text) {
  console.log(`\n${text}\n${'─'.repeat(text.length)}\n`);
}

/** A small matrix: its formula, what it is, its rows with their names. */
export function matrix(formula, meaning, values, columns, names, heads = []) {
  const width = Math.max(...names.map((name) => name.length));
  console.log(`  ${formula.padEnd(11)} ${meaning}`);
  if (heads.length > 0)
    console.log(`  ${' '.repeat(width)}  ${heads.map((head) => head.padStart(7)).join(' ')}`);
  for (const [i, name] of names.entries()) {
    const row = Array.from(values.subarray(i * columns, (i + 1) * columns), (x) => x.toFixed(4).padStart(7));
    console.log(`  ${name.padEnd(width)}  ${row.join(' ')}`);
  }
  console.log();
}

/** Weights as blocks, two characters each; `stretch` spreads the shades from the least to the largest weight. */
export function heatMap(weights, rows, columns, { stretch }) {
  const width = Math.max(...rows.map((name) => name.length));
  const [least, most] = stretch ? [Math.min(...weights), Math.max(...weights)] : [0, 1];
  const last = shades.length - 1;
  const wide = columns.some((name) => name.length > 1);
  const cell = wide ? Math.max(...columns.map((name) => name.length)) + 1 : 2;
  console.log(`  ${' '.repeat(width)}  ${columns.map((name) => name.padEnd(cell)).join('')}`);
  for (const [i, name] of rows.entries()) {
    const row = columns.map((_, j) => {
      const share = (weights[i * columns.length + j] - least) / (most - least);
      return shades[Math.min(last, Math.round(share * last))].repeat(cell);
    });
    console.log(`  ${name.padEnd(width)}  ${row.join('')}`);
  }
  console.log();
}
