/**
 * A soak: several engines at work, synchronously and not, while their workers are killed at random, calls are aborted, and engines are
 * disposed of and made anew; between them calls of every function, valid and not (test/fuzz), with tensors, scopes, caches and layers.
 * Every result is compared to the bit, every promise must settle once and in time, workers must come back, what is refused must be
 * refused well, memory must be flat (flat.ts): else it ends with 1.
 *
 *   npm run test:soak                      ten minutes
 *   npm run test:soak -- --minutes 60
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { createEngine, type Engine, type HeedError } from '../../src/index.ts';
import { workerSource } from '../../src/generated/worker.ts';
import { builds } from '../builds.ts';
import { gc } from '../collect.ts';
import { uniform } from '../data.ts';
import { Fuzz, plans, type Plan } from '../fuzz/fuzz.ts';
import { Tally } from '../fuzz/tally.ts';
import { sharedCalls, type Result } from '../shared-calls.ts';
import { flatness } from './flat.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' } },
});
const end = performance.now() + 60_000 * Number(values.minutes);
const next = uniform(Number(values.seed));
const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;

/** Milliseconds in which a call must settle, and workers come back: many times what they take. */
const PATIENCE = 30_000;

/** What is counted. */
const counts = {
  synchronous: 0,
  asynchronous: 0,
  /** Promises that settled; those of them that were rejected by a kill, by their signal, by an engine's end, by a crash loop. */
  settled: 0,
  killed: 0,
  aborted: 0,
  terminated: 0,
  degraded: 0,
  kills: 0,
  /** Of all workers at once, after which none comes back. */
  loops: 0,
  respawns: 0,
  engines: 0,
  disposed: 0,
};
/** Milliseconds. */
const longest = { synchronous: 0, asynchronous: 0 };

/** Ends the program: whatever it is, it is a bug. */
function fail(words: string, cause?: unknown): never {
  console.error(`FAILED: ${words}`, cause ?? '', counts);
  process.exit(1);
}

function check(name: string, actual: Result, expected: Result): void {
  for (const [i, each] of actual.entries()) {
    const bytesOf = (x: Float32Array): Buffer => Buffer.from(x.buffer, x.byteOffset, x.byteLength);
    if (Buffer.compare(bytesOf(each), bytesOf(expected[i]!)) !== 0) fail(`other bits: ${name}`);
  }
}

/** A call is lost by a kill, or by the end of its engine or of all workers. */
function explained(name: string, error: unknown): void {
  const { code } = error as HeedError;
  if (code === 'ERR_WORKER_EXIT') counts.killed++;
  else if (code === 'ERR_POOL_TERMINATED') counts.terminated++;
  else if (code === 'ERR_POOL_DEGRADED') counts.degraded++;
  else fail(`an error that nothing explains: ${name}`, error);
}

/** An engine and the handles of its workers. */
class Soaked {
  readonly engine: Engine;
  readonly threads: number;
  readonly used: number;
  pending = 0;
  /** Times of the last kills: three in ten seconds are a crash loop. */
  #kills: number[] = [];
  readonly #workers: Set<Worker>;

  private constructor(engine: Engine, threads: number, workers: Set<Worker>) {
    this.engine = engine;
    this.threads = threads;
    this.used = engine.memory.used;
    this.#workers = workers;
  }

  static async make(threads: number): Promise<Soaked> {
    const workers = new Set<Worker>();
    const workerFactory = (): Worker => {
      const worker = new Worker(workerSource, { eval: true, execArgv: [] });
      workers.add(worker);
      worker.once('exit', () => workers.delete(worker));
      counts.respawns++;
      return worker;
    };
    const engine = await createEngine({ threads, workerFactory });
    counts.engines++;
    counts.respawns -= threads - 1;
    return new Soaked(engine, threads, workers);
  }

  /** Some synchronous calls, and asynchronous ones that nobody waits for here. */
  work(): void {
    const call = pick(sharedCalls);
    if (next() < 0.5 || call.later === undefined || this.pending > 8) {
      const start = performance.now();
      check(call.name, call.run(this.engine), expected.get(call.name)!);
      longest.synchronous = Math.max(longest.synchronous, performance.now() - start);
      counts.synchronous++;
    } else void this.#later(call.name, call.later);
  }

  async #later(name: string, later: (engine: Engine) => Promise<Result>): Promise<void> {
    const start = performance.now();
    const late = setTimeout(() => fail(`a call did not settle: ${name}`), PATIENCE);
    counts.asynchronous++;
    this.pending++;
    try {
      check(name, await later(this.engine), expected.get(name)!);
    } catch (error) {
      explained(name, error);
    }
    clearTimeout(late);
    this.pending--;
    counts.settled++;
    longest.asynchronous = Math.max(longest.asynchronous, performance.now() - start);
  }

  /** One that is aborted at some time. */
  async abort(): Promise<void> {
    const controller = new AbortController();
    const x = new Float32Array(200 * 4 * 16).fill(0.5);
    const call = this.engine.attentionAsync(x, x, x, {
      seqQ: 200,
      heads: 4,
      headDim: 16,
      signal: controller.signal,
    });
    counts.asynchronous++;
    this.pending++;
    const wait = Math.floor(4 * next());
    const settled = call.then(
      () => undefined,
      (error: unknown) => {
        if (error === controller.signal.reason) counts.aborted++;
        else explained('one that is aborted', error);
      },
    );
    if (wait > 0) await sleep(wait - 1);
    controller.abort();
    await settled;
    this.pending--;
    counts.settled++;
  }

  /** Kills one worker, unless that would be a crash loop. */
  kill(): void {
    const now = performance.now();
    this.#kills = this.#kills.filter((then) => now - then < 11_000);
    if (this.#kills.length >= 2 || this.#workers.size === 0) return;
    this.#kills.push(now);
    counts.kills++;
    // In the middle of something, mostly.
    for (let i = 0; i < 6; i++) this.work();
    void pick([...this.#workers]).terminate();
  }

  /** A crash loop: no worker comes back, and what waits is told. */
  async killAll(): Promise<void> {
    counts.loops++;
    while (this.engine.features.threads > 1) {
      const [worker] = this.#workers;
      counts.kills++;
      if (worker) await worker.terminate();
      else await sleep(1);
    }
    for (let i = 0; i < 5; i++) this.work();
    await this.rest();
  }

  /** Until nothing is pending; then memory is as it was, and workers are all there. */
  async rest(): Promise<void> {
    const until = performance.now() + PATIENCE;
    while (this.pending > 0) {
      if (performance.now() > until) fail('calls are pending');
      await sleep(1);
    }
    if (this.engine.memory.used !== this.used)
      fail(`memory: ${this.engine.memory.used} bytes, ${this.used} before`);
    while (this.engine.features.threads > 1 && this.#workers.size !== this.threads - 1) {
      if (performance.now() > until) fail('workers do not come back');
      await sleep(1);
    }
  }
}

const one = await createEngine({ threads: 1 });
const expected = new Map(sharedCalls.map(({ name, run }) => [name, run(one)]));
one.dispose();

/** Calls of every function on engines of one thread, one for each build. */
class Fuzzed {
  readonly tally = new Tally();
  #each: Fuzz[] = [];
  #plans: Plan[] = [];

  async make(): Promise<void> {
    this.dispose();
    this.#each = await Promise.all(builds.map((build) => Fuzz.make(build)));
    counts.engines += 2 * builds.length;
  }

  async work(calls: number): Promise<void> {
    for (let i = 0; i < calls; i++) {
      if (this.#plans.length === 0) {
        this.#plans = fc.sample(plans, { numRuns: 1000, seed: Math.floor(2 ** 31 * next()) });
      }
      const plan = this.#plans.pop()!;
      try {
        this.tally.count(await pick(this.#each).run(plan));
      } catch (error) {
        fail(JSON.stringify(plan), error);
      }
    }
  }

  /** Bytes of wasm memory that they have. */
  get reserved(): number {
    return this.#each.reduce((sum, { reserved }) => sum + reserved, 0);
  }

  dispose(): void {
    for (const each of this.#each.splice(0)) {
      each.golden();
      each.dispose();
      counts.disposed += 2;
    }
  }
}

const THREADS = [2, 3, 5];
const soaked = await Promise.all(THREADS.map((threads) => Soaked.make(threads)));
const fuzzed = new Fuzzed();
await fuzzed.make();
// A worker that is idle does not keep the process, nor does one that was killed then.
const awake = setInterval(() => undefined, 1000);

/** What must be flat, in bytes, and the calls that there had been. */
const uses: Record<'rss' | 'heapUsed' | 'external' | 'arrayBuffers', number[]> = {
  ...{ rss: [], heapUsed: [], external: [], arrayBuffers: [] },
};
/** Pages that engines have: as many as their largest calls took, and fewer when they are made anew. What is in use is compared call by call. */
const pages: number[] = [];
const callsThen: number[] = [];
const callsNow = (): number => counts.synchronous + counts.asynchronous + fuzzed.tally.calls;

/** Milliseconds from one reading to the next. */
const EVERY = 10_000;
let told = performance.now();
while (performance.now() < end) {
  const each = pick(soaked);
  for (let i = 0; i < 10; i++) pick(soaked).work();
  if (next() < 0.1) void each.abort();
  if (next() < 0.02) each.kill();
  if (next() < 0.0005) {
    // Some calls are under way.
    if (next() < 0.5) await each.killAll();
    each.engine.dispose();
    counts.disposed++;
    soaked[soaked.indexOf(each)] = await Soaked.make(each.threads);
  }
  await fuzzed.work(10);
  if (next() < 0.0005) await fuzzed.make();
  await (next() < 0.5 ? new Promise(setImmediate) : sleep(2 * next()));
  if (performance.now() - told < EVERY) continue;
  for (const engine of soaked) await engine.rest();
  // The second collection sees what the first one's finalizers let go.
  gc();
  gc();
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  pages.push(soaked.reduce((sum, { engine }) => sum + engine.memory.reserved, fuzzed.reserved) / 65536);
  for (const [name, use] of Object.entries({ rss, heapUsed, external, arrayBuffers })) {
    uses[name as keyof typeof uses].push(use);
  }
  callsThen.push(callsNow());
  told = performance.now();
  const left = Math.max(0, Math.round((end - told) / 1000));
  console.log(
    `${left} s left: ${counts.synchronous} + ${counts.asynchronous} calls, ${fuzzed.tally.calls} of the fuzz, ${counts.kills} kills, ` +
      `${counts.respawns} came back, ${counts.killed} calls lost, ${counts.aborted} aborted, ${counts.engines} engines, ` +
      `heap ${mebibytes(heapUsed)} MiB, rss ${mebibytes(rss)} MiB`,
  );
}
for (const each of soaked) {
  await each.rest();
  each.engine.dispose();
  counts.disposed++;
}
fuzzed.dispose();
clearInterval(awake);
if (counts.settled !== counts.asynchronous) fail('not every promise has settled');

console.log(counts, 'longest calls', longest);
console.log(fuzzed.tally.words());
console.log(`wasm pages: ${pages.join(' ')}`);
// Workers that were told to end may take a moment.
await sleep(1000);
console.log(`what keeps the process: ${process.getActiveResourcesInfo().join(', ') || 'nothing'}`);
let rising = false;
for (const [name, readings] of Object.entries(uses)) {
  const { flat, growth, uncertainty } = flatness(readings, callsThen);
  const verdict = flat === undefined ? 'too few readings to say' : flat ? 'flat' : 'NOT FLAT';
  console.log(
    `${name}: ${verdict}, ${growth.toFixed(2)} ± ${uncertainty.toFixed(2)} bytes a call: ${readings.map(mebibytes).join(' ')} MiB`,
  );
  rising ||= flat === false;
}
if (rising) process.exitCode = 1;

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
