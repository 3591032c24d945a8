/** Numbers of (−1, 1), the same for the same seed on every JavaScript engine. */
export function floats(count, seed) {
  const x = new Float32Array(count);
  let state = seed;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    x[i] = state / 2 ** 31;
  }
  return x;
}
