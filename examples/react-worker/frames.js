/** Frames: how many begin while something is done, and the longest time without one, its beginning and end counted. */

/** @returns { result, milliseconds, frames, longestGap } of work(), which may be a promise */
export async function countFrames(work) {
  const times = [performance.now()];
  let request = requestAnimationFrame(function frame() {
    times.push(performance.now());
    request = requestAnimationFrame(frame);
  });
  try {
    const result = await work();
    const frames = times.length - 1;
    times.push(performance.now());
    const gaps = times.slice(1).map((time, i) => time - times[i]);
    return { result, milliseconds: times.at(-1) - times[0], frames, longestGap: Math.max(...gaps) };
  } finally {
    cancelAnimationFrame(request);
  }
}
