/** Seeded noise: the same numbers on every machine, since nothing but integer arithmetic and one rounding makes them. */

/** Uniform numbers in [0, 1): mulberry32. */
export function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Nearly normal float32 numbers of standard deviation `sigma`: four uniform ones added, which have the variance 4/12. */
export function noise(length, seed, sigma = 1) {
  const next = uniform(seed);
  const size = sigma * Math.sqrt(3);
  return Float32Array.from({ length }, () => size * (next() + next() + next() + next() - 2));
}
