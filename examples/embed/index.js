/**
 * Two ways in for libraries; docs/embedding.md has all of both. The kernels without the wrapper: memory.js and attention.js, sixty
 * lines together, and matmul.js, one more call. The wrapper with memory and workers of the embedder's own: engine.js. Each
 * result is held to heed/reference; the exit code is 1 where one is not what it should be.
 *
 *   npm run build && node examples/embed
 */
import { attention } from 'heed/reference';
import { noise } from '../noise.js';
import { bound } from '../sharded/bound.js';
import { attend } from './attention.js';
import { attendInWorkers } from './engine.js';
import { product } from './matmul.js';

const shape = { seqQ: 96, heads: 4, headDim: 32 };
const size = shape.seqQ * shape.heads * shape.headDim;
const [q, k, v] = [1, 2, 3].map((seed) => noise(size, seed));
const truth = attention(q, k, v, { ...shape, causal: true });
/** The law of examples/sharded, of one shard: a little more than the law of a call. */
const limit = bound(q, k, shape, [shape.seqQ]) * largest(v);

report('matmul, bare module', product());
report('attention, bare module', off(attend(q, k, v, shape)), limit);
report('attention, own workers', off(await attendInWorkers(q, k, v, shape)), limit);

/** What is off, and how much may be: integers are exact. */
function report(what, error, most = 0) {
  const allowed = most === 0 ? 'exact' : `its law allows ${most.toExponential(1)}`;
  console.log(`${what.padEnd(24)} off by ${error.toExponential(1)}; ${allowed}`);
  if (!(error <= most)) process.exitCode = 1;
}

function off(out) {
  return largest(out.map((x, i) => x - truth[i]));
}

function largest(x) {
  return x.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
}
