/** Whether a page goes on painting while an asynchronous call computes. */
import { floats } from './floats.mjs';

/** Half a second and more: 2 · 12 · 4096² · 128 = 52 GFLOP. */
const LONG = { seqQ: 4096, heads: 12, headDim: 64 };

/** Frames of a second in which nothing happens, and of a call. */
export async function paints({ createEngine }) {
  const engine = await createEngine({ threads: 2 });
  const x = floats(LONG.seqQ * LONG.heads * LONG.headDim, 1);
  // The first call takes memory from the system, and its kernels are not yet optimised.
  await engine.attentionAsync(x, x, x, LONG);
  const idle = await framesOf(() => new Promise((resolve) => setTimeout(resolve, 1000)));
  const busy = await framesOf(() => engine.attentionAsync(x, x, x, LONG));
  engine.dispose();
  if (busy.frames === 0) throw new Error(`no frame in ${busy.milliseconds} ms`);
  return { idle, busy };
}

/** How many frames begin until `work` is done, and the longest time without one, its beginning and end counted. */
async function framesOf(work) {
  const start = performance.now();
  const times = [start];
  let request = requestAnimationFrame(function frame() {
    times.push(performance.now());
    request = requestAnimationFrame(frame);
  });
  await work();
  cancelAnimationFrame(request);
  const frames = times.length - 1;
  times.push(performance.now());
  const gaps = times.slice(1).map((time, i) => time - times[i]);
  return { milliseconds: times.at(-1) - start, frames, longestGap: Math.max(...gaps) };
}
