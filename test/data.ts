/** Data: the same numbers on every machine, for tests and benches alike. */

/** Uniform numbers in [0, 1): mulberry32, 2³² states, exact in every engine. */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `length` normal numbers of standard deviation `sigma`, as float32 (Box–Muller). */
export function normal(length: number, seed: number, sigma = 1): Float32Array {
  const next = uniform(seed);
  const x = new Float32Array(length);
  // Of what random tests take, numbers are the most: `Float32Array.from` takes twice as long.
  for (let i = 0; i < length; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - next()));
    x[i] = sigma * radius * Math.cos(2 * Math.PI * next());
  }
  return x;
}

/** `length` integers of −max … max, as float32. */
export function integers(length: number, seed: number, max: number): Float32Array {
  const next = uniform(seed);
  const x = new Float32Array(length);
  for (let i = 0; i < length; i++) x[i] = Math.floor(next() * (2 * max + 1)) - max;
  return x;
}

/** `length` floats of 0.5, where an array must only be there. */
export function f32(length: number): Float32Array {
  return new Float32Array(length).fill(0.5);
}
