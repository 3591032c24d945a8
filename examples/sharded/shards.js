/** The shards as the main thread sees them: start, ask, end. Plain messages; what is large is transferred, not copied. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/**
 * A worker that holds `keys` keys from `first` on. Its part of k and v is copied out of the whole and then moved to it.
 *
 * @param k [seqK, kvHeads, headDim]
 * @param v [seqK, kvHeads, headDim]
 */
export async function startShard(k, v, { first, keys, shape }) {
  const token = shape.kvHeads * shape.headDim;
  const part = (x) => x.slice(first * token, (first + keys) * token);
  const mine = { k: part(k), v: part(v) };
  const worker = new Worker(new URL('worker.js', import.meta.url), {
    workerData: { ...mine, first, shape },
    transferList: [mine.k.buffer, mine.v.buffer],
  });
  await once(worker, 'message'); // 'ready'; rejects if the worker fails
  return { worker, first, keys };
}

/**
 * What the queries see in one shard.
 *
 * @param q [seqQ, heads, headDim], of the tokens at position, position + 1, …
 * @returns { out, logSumExp }: [seqQ, heads, headDim], [heads, seqQ]
 */
export async function ask({ worker }, q, position) {
  const copy = q.slice(); // one for each worker: what is transferred is gone here
  worker.postMessage({ q: copy, position }, [copy.buffer]);
  const [answer] = await once(worker, 'message');
  return answer;
}

export async function endShard({ worker }) {
  await worker.terminate();
}
