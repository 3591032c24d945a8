/**
 * The pool beside workers that are played on this thread, so that a schedule says when each of them works, sleeps through its messages,
 * or dies, in the middle of a claim, between two, or with the news of a job's end (docs/reliability.md, P23): each job ends once, and one
 * that ends well has had each of its items run once, step by step.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { Program } from '../../src/threads/program.ts';
import type { Failure } from '../../src/threads/failure.ts';
import { play } from '../played-workers.ts';
import type { Property } from './property.ts';

/** What a schedule is made of. Numbers choose a worker, or a job. */
const actions = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constantFrom('work', 'hear', 'doom', 'mute', 'spoil', 'meet', 'abort'),
      which: fc.nat(20),
    }),
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

const model: Property = {
  name: 'each job ends once, and well only if all of it was done (P23)',
  on: () => ({
    property: fc.asyncProperty(actions, fc.integer({ min: 2, max: 4 }), async (schedule, threads) => {
      /** Numbers of the items that were run, in order. */
      const runs: number[] = [];
      const { pool, workers, descriptors, hearAll } = await play(threads, (descriptor, begin, end) => {
        // A descriptor is the number of its first item.
        for (let i = begin; i < end; i++) runs.push(descriptors[descriptor >>> 2]! + i);
      });
      const jobs: Started[] = [];
      let items = 0;
      const write = (steps: number): Pick<Started, 'program' | 'items'> => {
        const program = new Program();
        const written = [];
        for (let step = 0; step <= steps; step++) {
          const count = 1 + ((items * 7 + step) % 5);
          descriptors[0] = items;
          program.add(0, descriptors, 0, 4, count, 0, 0, false);
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
        else if (kind === 'mute') worker.mute = true;
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
  }),
};

export const pool: readonly Property[] = [model];
