/**
 * The pool beside workers that are played on this thread, so that a schedule says when each of them works, sleeps through its messages,
 * or dies, in the middle of a claim or between two (docs/reliability.md, P23): each job ends once, and one that ends well has had each of
 * its items run once, step by step.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Program } from '../src/threads/program.ts';
import { Pool } from '../src/threads/pool.ts';
import type { Failure } from '../src/threads/failure.ts';
import { BUSY, JOB, Member, PARKED } from '../src/threads/protocol.ts';
import type { WorkerLike } from '../src/threads/spawn.ts';
import type { Begin, Said } from '../src/threads/worker.ts';
import { DRIVERS, type Driver, type KernelExports } from '../src/wasm/exports.ts';

/** Ends a played worker in the middle of a claim. */
const DEATH = new Error('death');

type Listener = (given: unknown) => void;

class PlayedWorker implements WorkerLike {
  alive = true;
  /** What it has said, and nobody has heard. Its end comes behind. */
  readonly #said: [event: string, given: unknown][] = [];
  readonly #listeners = new Map<string, Listener>();
  readonly #drivers: readonly Driver[];
  #member: Member | undefined;
  /** Items until it dies at one, and until its kernel throws. */
  dies = Infinity;
  throws = Infinity;
  /** Works while this one is in the middle of its next item. */
  meanwhile: PlayedWorker | undefined;
  #works = false;

  constructor(driver: Driver) {
    const drive: Driver = (...given) => {
      const { meanwhile } = this;
      this.meanwhile = undefined;
      meanwhile?.work();
      if (this.dies-- <= 0) throw DEATH;
      if (this.throws-- <= 0) {
        this.throws = Infinity;
        throw new TypeError('spoiled');
      }
      driver(...given);
    };
    this.#drivers = DRIVERS.map(() => drive);
  }

  on(event: string, listener: Listener): void {
    this.#listeners.set(event, listener);
  }

  postMessage({ memory, control, thread, threads }: Begin): void {
    this.#member = new Member(memory, control, this.#drivers, thread, threads, {
      ended: (job) => {
        this.#say({ heed: 'over', job });
      },
      threw: (error) => {
        // Out of `work`, past the count of what is done.
        if (error === DEATH) throw DEATH;
        const { name, message, stack } = error as Error;
        this.#say({ heed: 'threw', job: this.#member!.words[JOB]!, name, message, stack: stack! });
      },
    });
    this.#member.is(PARKED);
    this.#say({ heed: 'ready' });
  }

  terminate(): void {
    this.#end();
  }

  /** Claims and runs what there is. */
  work(): void {
    if (!this.alive || this.#works) return;
    this.#works = true;
    this.#member!.is(BUSY);
    try {
      this.#member!.work();
      this.#member!.is(PARKED);
    } catch {
      this.#end();
    }
    this.#works = false;
  }

  /** The pool hears the first thing that it has not heard. */
  hear(): boolean {
    const said = this.#said.shift();
    if (said === undefined) return false;
    this.#listeners.get(said[0])!(said[1]);
    return true;
  }

  #say(said: Said): void {
    this.#said.push(['message', said]);
  }

  #end(): void {
    if (!this.alive) return;
    this.alive = false;
    this.#said.push(['exit', 7]);
  }
}

/** What a schedule is made of. Numbers choose a worker, or a job. */
const actions = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constantFrom('work', 'hear', 'doom', 'spoil', 'meet', 'abort'), which: fc.nat(20) }),
    fc.record({
      kind: fc.constant('start'),
      which: fc.integer({ min: 0, max: 3 }),
      more: fc.constantFrom('none', 'nothing', 'a program', 'throws'),
    }),
    fc.record({ kind: fc.constantFrom('work', 'hear', 'run', 'kill'), which: fc.nat(20) }),
  ),
  { maxLength: 100 },
);

/** Each item of each job has a number of its own. */
interface Started {
  readonly program: Program;
  /** Those of what came behind it are added when that is begun. */
  items: readonly { readonly step: number; readonly first: number; readonly count: number }[];
  /** How often it was asked for that. */
  asked: number;
  readonly controller: AbortController;
  readonly ends: (Failure | undefined)[];
}

it('each job ends once, and well only if all of it was done (P23)', async () => {
  await fc.assert(
    fc.asyncProperty(actions, fc.integer({ min: 2, max: 4 }), async (schedule, threads) => {
      const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
      const words = new Uint32Array(memory.buffer);
      /** Numbers of the items that were run, in order. */
      const runs: number[] = [];
      // A descriptor is the number of its first item.
      const driver: Driver = (descriptor, begin, end) => {
        for (let i = begin; i < end; i++) runs.push(words[descriptor >>> 2]! + i);
      };
      const kernels = Object.fromEntries(DRIVERS.map((name) => [name, driver])) as unknown as KernelExports;
      const workers: PlayedWorker[] = [];
      const factory = (): PlayedWorker => {
        const worker = new PlayedWorker(driver);
        workers.push(worker);
        return worker;
      };
      const hearAll = async (): Promise<void> => {
        for (let quiet = 0; quiet < 3; quiet++) {
          for (const worker of workers) while (worker.hear()) quiet = 0;
          await Promise.resolve();
        }
      };
      const making = Pool.start({
        module: undefined as never,
        memory,
        control: 65536,
        kernels,
        threads,
        factory,
      });
      await hearAll();
      const pool = await making;
      const jobs: Started[] = [];
      let items = 0;
      const write = (steps: number): Pick<Started, 'program' | 'items'> => {
        const program = new Program();
        const written = [];
        for (let step = 0; step <= steps; step++) {
          const count = 1 + ((items * 7 + step) % 5);
          words[0] = items;
          program.add(0, words, 0, 4, count, 0, 0, false);
          written.push({ step, first: items, count });
          items += count;
        }
        return { program, items: written };
      };
      /** Each item once, and those of a step behind those of the one before. */
      const isDone = (of: Started['items']): void => {
        let last = -1;
        for (const { first, count } of of) {
          const at = Array.from({ length: count }, (_, i) => runs.indexOf(first + i));
          expect(Math.min(...at)).toBeGreaterThan(last);
          last = Math.max(...at);
          for (let i = 0; i < count; i++) expect(runs.lastIndexOf(first + i)).toBe(at[i]);
        }
      };
      for (const action of schedule) {
        const { kind, which } = action;
        const worker = workers[which % workers.length]!;
        if (kind === 'start') {
          const job: Started = { ...write(which), asked: 0, controller: new AbortController(), ends: [] };
          jobs.push(job);
          const more = (): Program | undefined => {
            job.asked++;
            expect(job.ends).toHaveLength(0);
            isDone(job.items);
            if (action.more === 'throws') throw new RangeError('refused');
            if (action.more === 'nothing') return undefined;
            const { program, items: of } = write((which + 1) % 4);
            job.items = [...job.items, ...of];
            return program;
          };
          const { signal } = job.controller;
          const end = pool.start(job.program, signal, action.more === 'none' ? undefined : more);
          void end.then((failure) => job.ends.push(failure));
        } else if (kind === 'run') {
          if (pool.busy || !pool.helps) continue;
          const { program, items: of } = write(which % 4);
          expect(pool.run(program)).toBeUndefined();
          isDone(of);
        } else if (kind === 'work') worker.work();
        else if (kind === 'hear') worker.hear();
        else if (kind === 'kill') worker.terminate();
        else if (kind === 'doom') worker.dies = which % 3;
        else if (kind === 'meet') worker.meanwhile = workers[(which + 1) % workers.length];
        else if (kind === 'spoil') worker.throws = which % 3;
        else jobs[which % jobs.length]?.controller.abort();
        // What follows from it, as far as nobody else is needed.
        for (let i = 0; i < which % 4; i++) await Promise.resolve();
      }
      // From here on all workers work and are heard, and nobody dies who is not doomed.
      for (let i = 0; i < 40 && jobs.some(({ ends }) => ends.length === 0); i++) {
        for (const worker of workers) worker.work();
        await hearAll();
        // A job whose claim was lost is looked at once a millisecond.
        if (i > 5) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      for (const { ends, items: of, asked, controller } of jobs) {
        expect(ends).toHaveLength(1);
        expect(asked).toBeLessThanOrEqual(1);
        const [end] = ends;
        if (end === undefined) isDone(of);
        else expect(['exited', 'threw', 'aborted', 'degraded']).toContain(end.why);
        if (end?.why === 'aborted') expect(controller.signal.aborted).toBe(true);
        // What was thrown is told, whoever is heard first.
        if (end?.why === 'threw' && !controller.signal.aborted) {
          const message = end.worker === 0 ? 'refused' : 'spoiled';
          expect(end).toMatchObject({ worker: expect.any(Number) as number, cause: { message } });
        }
        if (end?.why === 'degraded') expect(pool.degraded).toBe(true);
      }
      // An end costs one job, at most.
      const lost = jobs.filter(({ ends }) => ends[0]?.why === 'exited').length;
      expect(lost).toBeLessThanOrEqual(workers.filter(({ alive }) => !alive).length);
      pool.stop();
      await hearAll();
      expect(workers.every(({ alive }) => !alive)).toBe(true);
    }),
    { numRuns: fc.readConfigureGlobal().numRuns ?? 3000 },
  );
});
