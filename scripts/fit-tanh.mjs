// Fits the float32 coefficients of the kernels' tanh for |x| < 0.625: tanh(x) = x·(1 + z·P(z)), z = x². Nothing imports this
// file: it is kept so that the constants in assembly/kernels/f32-score-cap.ts can be derived again.
//
// P interpolates (tanh(√z)/√z − 1) / z at Chebyshev nodes of [0, 0.625²], where it is within a factor of two of the best
// polynomial of its degree: less than a third of a rounding to float32.

const DEGREE = 4;
const END = 0.625 ** 2;
const { fround } = Math;

/** (tanh(√z)/√z − 1) / z; its series where the difference would cancel. */
function target(z) {
  if (z < 1e-3) return -1 / 3 + z * (2 / 15 + z * (-17 / 315 + z * (62 / 2835)));
  const x = Math.sqrt(z);
  return (Math.tanh(x) / x - 1) / z;
}

// Newton's divided differences, then powers of z.
const nodes = Array.from(
  { length: DEGREE + 1 },
  (_, i) => (END / 2) * (1 - Math.cos(((2 * i + 1) * Math.PI) / (2 * DEGREE + 2))),
);
const differences = nodes.map(target);
for (let order = 1; order <= DEGREE; order++) {
  for (let i = DEGREE; i >= order; i--) {
    differences[i] = (differences[i] - differences[i - 1]) / (nodes[i] - nodes[i - order]);
  }
}
let powers = [differences[DEGREE]];
for (let i = DEGREE - 1; i >= 0; i--) {
  const next = [0, ...powers];
  powers.forEach((c, k) => (next[k] -= c * nodes[i]));
  next[0] += differences[i];
  powers = next;
}
const coefficients = powers.map(fround);

let worst = 0;
for (let i = 1; i <= 100_000; i++) {
  const x = (i / 100_000) * 0.625;
  const z = x * x;
  const p = coefficients.reduceRight((sum, c) => sum * z + c, 0);
  worst = Math.max(worst, Math.abs((x * (1 + z * p)) / Math.tanh(x) - 1));
}
console.log(coefficients.map((c) => c.toPrecision(9)).join(', '));
console.log(
  `largest relative error, coefficients rounded, in exact arithmetic: ${(worst * 2 ** 24).toFixed(3)} · 2^-24`,
);
