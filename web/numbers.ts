/** Numbers as the page writes them. */

/** Four decimals, as in docs/math.md; what is too long for a cell by its power of ten. */
export function shown(x: number): string {
  return Math.abs(x) < 1000 ? x.toFixed(4).replace(/^-(0\.0+)$/, '$1') : x.toExponential(2);
}

/** The same where it stands in a sum: no more digits than it has, and never 0 for what is not. */
export function short(x: number): string {
  return shorter(Number(x.toPrecision(4)));
}

/** A float32 in as few digits as tell it from its neighbours: 0.1, not 0.10000000149. */
export function typed(x: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const near = Number(x.toPrecision(digits));
    if (Math.fround(near) === x) return shorter(near);
  }
  return shorter(Number(x.toPrecision(9)));
}

/** What somebody typed, as a float32; undefined where it is no finite number. A comma may stand for the point. */
export function parsed(text: string): number | undefined {
  const x = Math.fround(Number(text.trim().replace(',', '.').replace('−', '-')));
  return text.trim() !== '' && Number.isFinite(x) ? x : undefined;
}

/** In digits, or by its power of ten where that is shorter by far: 1000 stays, 10000000 is 1e7. */
function shorter(x: number): string {
  const [digits, power] = [String(x), x.toExponential()].map((text) => text.replace('e+', 'e')) as [
    string,
    string,
  ];
  return power.length + 2 < digits.length ? power : digits;
}
