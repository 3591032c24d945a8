/** Numbers of (−1, 1), the same for the same seed on every JavaScript engine. */
export function floats(count, seed) {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}
