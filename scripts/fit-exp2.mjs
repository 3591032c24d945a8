// Fits the float32 coefficients of the kernels' 2^x for x <= 0. Nothing imports this file: it is kept so that
// the constants in the kernels can be derived again. Run `node scripts/fit-exp2.mjs`; it has no dependencies and
// takes under two minutes.
//
// The range reduction, every operation rounded to float32:
//
//   x = max(x, -127)    z = x + magic    n = z - magic    r = x - n    scale = bitcast(bits(z) << 23) = 2^n
//
// with magic = 1.5 * 2^23 + 127, so r is exact and lies in [-0.5, 0.5]. Then one of two ways to finish, where
// `a * b + c` is either fused or a multiply and an add that each round, as the engine pleases:
//
//   direct:   q = ((((c6 * r + c5) * r + c4) * r + c3) * r + c2) * r + c1    p = q * r + 1    2^x = p * scale
//   offset:   q likewise, with d1 = c1 - 1 in place of c1    u = q * r + r    2^x = u * scale + scale
//
// `direct` is not monotone. For x in (-0.5, 0), r = x is finer than the result: where q steps up by its ulp 2^-24,
// q * r falls by up to 2^-25 while the step of r lifts it by only 0.6 * 2^-25, and p drops an ulp if that crosses
// a rounding boundary. Every set of coefficients tried does so at 82 to 84 thousand x. `offset` halves the ulp of
// q (|q| < 0.5), so that q * r + r does not fall. Where the hardware fuses, it is no more operations.
//
// Both give exactly 1 at 0. The scale only shifts the exponent, so the error depends on r alone and the search
// looks at p, in ulps of the result: 2^-24 below 1, 2^-23 from 1 up.
//
// Steps: a Remez exchange for the smallest relative error in exact arithmetic, rounding to float32, and then a
// random local search that moves the coefficients by small amounts and keeps what lowers the larger of
// `fused error / 1 ulp` and `unfused error / 1.25 ulp`. Candidates whose result falls from r = 0.5 of one n to
// r = -0.5 of the next are turned down.
//
// The products of two float32 are exact in a double, so the unfused mode is emulated exactly. The fused mode
// rounds the sum to a double before it rounds to float32. That differs from a true fma only if the double falls exactly
// between two float32 (about once in 2^28 operations), and then both neighbours are equally near to within 2^-28
// ulp: no error reported here moves by more than that. Good enough to choose coefficients; the proof that they
// hold is the exhaustive test of the compiled kernels.

const { fround } = Math;

const DEGREE = 6;
const FUSED_LIMIT = 1; // ulp
const UNFUSED_LIMIT = 1.25; // ulp
const PROPOSALS = 60_000;

// ---- The fit in exact arithmetic -----------------------------------------------------------------------------

/** (2^r - 1) / r, which the polynomial c1 + c2 r + ... + c6 r^5 approximates. */
const target = (r) => (r === 0 ? Math.LN2 : Math.expm1(r * Math.LN2) / r);

const horner = (coefficients, r) => coefficients.reduceRight((sum, c) => sum * r + c, 0);

/** Solves the square system `rows` * x = `right` by elimination with partial pivoting. */
function solve(rows, right) {
  const size = right.length;
  const m = rows.map((row, i) => [...row, right[i]]);
  for (let k = 0; k < size; k++) {
    let pivot = k;
    for (let i = k + 1; i < size; i++) if (Math.abs(m[i][k]) > Math.abs(m[pivot][k])) pivot = i;
    [m[k], m[pivot]] = [m[pivot], m[k]];
    for (let i = k + 1; i < size; i++) {
      const factor = m[i][k] / m[k][k];
      for (let j = k; j <= size; j++) m[i][j] -= factor * m[k][j];
    }
  }
  const x = new Array(size);
  for (let k = size - 1; k >= 0; k--) {
    let sum = m[k][size];
    for (let j = k + 1; j < size; j++) sum -= m[k][j] * x[j];
    x[k] = sum / m[k][k];
  }
  return x;
}

/**
 * The c1..c6 that minimise the largest |1 + r q(r) - 2^r| / 2^r on [-0.5, 0.5]: q approximates `target` with the
 * weight |r| / 2^r, and its weighted error takes its largest size at DEGREE + 1 points with alternating signs.
 */
function remez() {
  const weight = (r) => Math.abs(r) * 2 ** -r;
  const grid = Array.from({ length: 20_001 }, (_, i) => i / 20_000 - 0.5);
  // Chebyshev extrema, without one of the two innermost: the weight is zero between them.
  let points = Array.from({ length: DEGREE + 2 }, (_, k) => -Math.cos((k * Math.PI) / (DEGREE + 1)) / 2);
  points.splice(DEGREE / 2, 1);

  for (let round = 0; ; round++) {
    const rows = points.map((r, i) => [
      ...Array.from({ length: DEGREE }, (_, k) => r ** k),
      (i % 2 ? -1 : 1) / weight(r),
    ]);
    const solution = solve(rows, points.map(target));
    const level = Math.abs(solution[DEGREE]);
    const coefficients = solution.slice(0, DEGREE);
    const error = (r) => weight(r) * (target(r) - horner(coefficients, r));

    // The largest error of each run of equal signs.
    const peaks = [];
    for (const r of grid) {
      if (r === 0) continue;
      const e = error(r);
      const last = peaks.at(-1);
      if (!last || Math.sign(error(last)) !== Math.sign(e)) peaks.push(r);
      else if (Math.abs(e) > Math.abs(error(last))) peaks[peaks.length - 1] = r;
    }
    const largest = Math.max(...peaks.map((r) => Math.abs(error(r))));
    if (round === 50 || peaks.length !== points.length || largest < level * 1.0001)
      return { coefficients, largest };
    points = peaks;
  }
}

// ---- float32 -------------------------------------------------------------------------------------------------

const fused = (a, b, c) => fround(a * b + c);
const unfused = (a, b, c) => fround(fround(a * b) + c);

/** `q`, with the coefficients in the order c1..c6; written out twice so that each is compiled for its mode. */
const fusedQ = (c, r) => fused(fused(fused(fused(fused(c[5], r, c[4]), r, c[3]), r, c[2]), r, c[1]), r, c[0]);
const unfusedQ = (c, r) =>
  unfused(unfused(unfused(unfused(unfused(c[5], r, c[4]), r, c[3]), r, c[2]), r, c[1]), r, c[0]);

const FORMS = {
  direct: {
    names: ['c1', 'c2', 'c3', 'c4', 'c5', 'c6'],
    start: (c) => c.map(fround),
    fused: (c, r) => fused(fusedQ(c, r), r, 1),
    unfused: (c, r) => unfused(unfusedQ(c, r), r, 1),
  },
  offset: {
    names: ['d1', 'c2', 'c3', 'c4', 'c5', 'c6'],
    start: ([c1, ...rest]) => [c1 - 1, ...rest].map(fround),
    fused: (c, r) => fround(fused(fusedQ(c, r), r, r) + 1),
    unfused: (c, r) => fround(unfused(unfusedQ(c, r), r, r) + 1),
  },
};

/** Whether the result falls where r = 0.5 of one n gives way to r = -0.5 of the next. */
const fallsAtSeam = (evaluate, c) => evaluate(c, 0.5) / 2 > evaluate(c, -0.5);

const inverseUlp = (r) => (r < 0 ? 2 ** 24 : 2 ** 23);

const view = new DataView(new ArrayBuffer(4));
function bitsOf(value) {
  view.setFloat32(0, value);
  return view.getUint32(0);
}
/** The float32 `steps` places further from zero (nearer, if negative). */
function moved(value, steps) {
  view.setUint32(0, bitsOf(value) + steps);
  return view.getFloat32(0);
}

// The dense sample: -0.5 to 0 in steps of 2^-25 and 0 to 0.5 in steps of 2^-24, the spacings of the r near +-0.5.
const NEGATIVE = 2 ** 24;
const SAMPLE = NEGATIVE + 2 ** 23 + 1;
const sampleAt = (i) => (i < NEGATIVE ? i * 2 ** -25 - 0.5 : (i - NEGATIVE) * 2 ** -24);

// ---- The search ----------------------------------------------------------------------------------------------

/** Reproducible random numbers in [0, 1) (mulberry32). */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function search(form, start) {
  const random = randomFrom(1);

  /** The error at r as a share of what is allowed, the worse of the two modes. */
  const shareAt = (c, r, exact) =>
    Math.max(
      (Math.abs(form.fused(c, r) - exact) * inverseUlp(r)) / FUSED_LIMIT,
      (Math.abs(form.unfused(c, r) - exact) * inverseUlp(r)) / UNFUSED_LIMIT,
    );

  // The points that have turned down a candidate. They turn down most of the others too, so the whole sample is
  // looked at rarely.
  const hard = [];

  /** The largest share for c on the whole sample, or Infinity as soon as c proves no better than `limit`. */
  function largestShare(c, limit) {
    if (fallsAtSeam(form.fused, c) || fallsAtSeam(form.unfused, c)) return Infinity;
    for (let i = 0; i < hard.length; i++) {
      if (shareAt(c, hard[i].r, hard[i].exact) >= limit) {
        if (i > 0) [hard[i], hard[i >> 1]] = [hard[i >> 1], hard[i]]; // the most useful ones move to the front
        return Infinity;
      }
    }
    let largest = 0;
    const stride = 4096; // all over the range first
    for (let first = 0; first < stride; first++) {
      for (let i = first; i < SAMPLE; i += stride) {
        const r = sampleAt(i);
        const exact = 2 ** r;
        const share = shareAt(c, r, exact);
        if (share >= limit) {
          hard.unshift({ r, exact });
          return Infinity;
        }
        if (share > largest) largest = share;
      }
    }
    return largest;
  }

  let best = start;
  let bestShare = largestShare(best, Infinity);
  for (let proposal = 0; proposal < PROPOSALS; proposal++) {
    const candidate = [...best];
    for (let changes = 1 + Math.floor(random() * 3); changes > 0; changes--) {
      const k = Math.floor(random() * DEGREE);
      // Moves p at |r| = 0.5 by 2^-36 to 2^-26, but the coefficient by one step at least.
      const change = 2 ** (k + 1 - 26 - 10 * random()) * (random() < 0.5 ? -1 : 1);
      const next = fround(candidate[k] + change);
      candidate[k] = next === candidate[k] ? moved(next, Math.sign(change)) : next;
    }
    const share = largestShare(candidate, bestShare);
    if (share < bestShare) {
      best = candidate;
      bestShare = share;
    }
  }
  return best;
}

/** The largest error in ulps over the sample, and how often the result falls as r rises. */
function measure(evaluate, c) {
  let ulp = 0;
  let at = 0;
  let falls = 0;
  let previous = 0;
  for (let i = 0; i < SAMPLE; i++) {
    const r = sampleAt(i);
    const p = evaluate(c, r);
    const error = Math.abs(p - 2 ** r) * inverseUlp(r);
    if (error > ulp) {
      ulp = error;
      at = r;
    }
    if (p < previous) falls++;
    previous = p;
  }
  if (fallsAtSeam(evaluate, c)) falls++;
  return `max ${ulp.toFixed(4)} ulp at r = ${at}, falls ${falls} times`;
}

// ---- Output --------------------------------------------------------------------------------------------------

const { coefficients, largest } = remez();
console.log(
  `Remez: largest relative error ${largest.toExponential(3)} = ${(largest * 2 ** 24).toFixed(4)} * 2^-24`,
);

for (const [name, form] of Object.entries(FORMS)) {
  const start = form.start(coefficients);
  const best = search(form, start);
  console.log(`\n${name}`);
  best.forEach((c, k) => {
    const bits = bitsOf(c).toString(16).padStart(8, '0');
    console.log(`  ${form.names[k]} = ${c.toPrecision(9).padStart(16)}  0x${bits}`);
  });
  console.log(`  Remez, rounded   fused: ${measure(form.fused, start)}`);
  console.log(`                 unfused: ${measure(form.unfused, start)}`);
  console.log(`  searched         fused: ${measure(form.fused, best)}`);
  console.log(`                 unfused: ${measure(form.unfused, best)}`);
}
