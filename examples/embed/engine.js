/**
 * The wrapper, with what is the embedder's own: numbers are written where the kernels read them, nothing is copied in or out, and
 * threads run in workers that this file starts.
 */
import { Worker } from 'node:worker_threads';
import { createEngine } from 'heed';

export async function attendInWorkers(q, k, v, { seqQ, heads, headDim }) {
  const workers = [];
  const workerFactory = () => {
    const worker = new Worker(new URL('worker.js', import.meta.url));
    workers.push(worker);
    return worker;
  };
  const engine = await createEngine({ threads: 3, workerFactory });
  if (workers.length !== 2 || engine.features.threads !== 3) throw new Error(engine.features.reason);

  const [Q, K, V, O] = Array.from({ length: 4 }, () => engine.tensor([1, seqQ, heads, headDim]));
  for (const [tensor, from] of [
    [Q, q],
    [K, k],
    [V, v],
  ]) {
    const { data } = tensor; // a Float32Array on the engine's memory: read a file into it, or compute into it as here
    for (let i = 0; i < data.length; i++) data[i] = from[i];
  }
  await engine.attentionAsync(Q, K, V, { causal: true, out: O });
  const out = O.data.slice(); // what is in the engine ends with it
  engine.dispose();
  return out;
}
