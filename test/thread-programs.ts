/**
 * Programs of their own, with engines of three threads that nobody disposes of: how a process ends (docs/reliability.md, faults 65, 66).
 *
 *   node --import tsx test/thread-programs.ts idle
 */
import cluster from 'node:cluster';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createEngine } from '../src/index.ts';
import { normal } from './data.ts';
import { Worker } from 'node:worker_threads';
import { workerSource } from '../src/generated/worker.ts';

const shape = { M: 240, N: 256, K: 320 };
const [a, b] = [normal(shape.M * shape.K, 1), normal(shape.K * shape.N, 2)];
/** Minutes. */
const long = { seqQ: 20_000, heads: 8, headDim: 128 };

const workers: Worker[] = [];
const workerFactory = (): Worker => {
  const worker = new Worker(workerSource, { eval: true, execArgv: [] });
  workers.push(worker);
  return worker;
};

const make = () => createEngine({ threads: 3, simd: 'baseline', workerFactory });

async function product(): Promise<string> {
  const engine = await make();
  const [here, there] = [engine.matmul(a, b, shape), await engine.matmulAsync(a, b, shape)];
  return [here, there].map((out) => createHash('sha256').update(out).digest('hex')).join();
}

const programs: Readonly<Record<string, () => Promise<void>>> = {
  /** Its workers are idle at the end. */
  async idle() {
    console.log(await product());
  },
  /** Nothing but a call keeps it. */
  async pending() {
    const engine = await make();
    void Promise.all([engine.matmulAsync(a, b, shape), engine.matmulAsync(a, b, shape)]).then(() => {
      console.log('done');
    });
  },
  /** A call that waits for a worker to take the place of one that has died. */
  async replaced() {
    const engine = await make();
    await Promise.all(workers.map((worker) => worker.terminate()));
    void engine.matmulAsync(a, b, shape).then(() => {
      console.log('done');
    });
  },
  /** Ends in the middle of a call. */
  async exits() {
    const engine = await make();
    const x = new Float32Array(long.seqQ * long.heads * long.headDim);
    void engine.attentionAsync(x, x, x, long);
    setTimeout(() => process.exit(3), 30);
  },
  async throws() {
    const engine = await make();
    const x = new Float32Array(long.seqQ * long.heads * long.headDim);
    void engine.attentionAsync(x, x, x, long);
    setTimeout(() => {
      throw new Error('mine');
    }, 30);
  },
  /** Works until somebody ends it. */
  async works() {
    const engine = await make();
    const x = new Float32Array(long.seqQ * long.heads * long.headDim);
    void engine.attentionAsync(x, x, x, long);
    setTimeout(() => {
      console.log('works');
    }, 30);
  },
  async aborts() {
    const engine = await make();
    const x = new Float32Array(long.seqQ * long.heads * long.headDim);
    const signal = AbortSignal.timeout(30);
    await engine.attentionAsync(x, x, x, { ...long, signal }).catch((error: unknown) => {
      console.log((error as Error).name);
    });
  },
  /** Three processes, each with a pool of its own. */
  async cluster() {
    console.log(await product());
    if (!cluster.isPrimary) {
      process.disconnect();
      return;
    }
    const children = [cluster.fork(), cluster.fork()];
    await Promise.all(children.map((child) => once(child, 'exit')));
  },
  /** A report: milliseconds of processor time in a second of idling, after a job. */
  async cpu() {
    const engine = await make();
    for (let i = 0; i < 20; i++) engine.matmul(a, b, shape);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const { user, system } = process.cpuUsage(before);
    console.log(((user + system) / 1000).toFixed(2));
  },
};

await programs[process.argv[2]!]!();
