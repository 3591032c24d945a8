/** A worker with one shard of the keys and values. It never sees another shard. */
import { parentPort, workerData } from 'node:worker_threads';
import { createEngine } from 'heed';

const { k, v, first, shape } = workerData; // k and v [keys, kvHeads, headDim]; first: where this shard begins in the context
const { heads, kvHeads, headDim } = shape;
const seqK = k.length / (kvHeads * headDim);

// An engine and a memory of its own, compiled before this worker says that it is ready.
const engine = await createEngine();

parentPort.on('message', ({ q, position }) => {
  const seqQ = q.length / (heads * headDim);
  const logSumExp = new Float32Array(heads * seqQ);
  const out = engine.attention(q, k, v, {
    ...{ seqQ, seqK, heads, kvHeads, headDim },
    causal: true,
    // Key j is visible to query i iff j <= i + queryOffset, both counted from 0 on. Query i stands at position + i of the
    // context and key j of this shard at first + j, so that j <= i + (position − first). The offset differs from shard to
    // shard: large where all keys are older than the queries, negative where the shard begins after the first query, which
    // then sees none of it. The default, seqK − seqQ, would be right only for the shard that ends where the queries end.
    queryOffset: position - first,
    logSumExp,
  });
  parentPort.postMessage({ out, logSumExp }, [out.buffer, logSumExp.buffer]);
});
parentPort.postMessage('ready');
