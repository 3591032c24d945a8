/**
 * What threads share, by itself (docs/threads.md): a program as the control block has it, a thread at its claims, and when a claim is
 * lost. No worker is started.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Failure } from '../src/threads/failure.ts';
import { Job, PATIENCE } from '../src/threads/job.ts';
import { Program } from '../src/threads/program.ts';
import {
  ABORTED,
  BUSY,
  CANCEL,
  CLAIMS,
  CONTROL_BYTES,
  COUNT,
  DESCRIPTOR,
  DIED,
  DRIVER,
  EPOCH,
  GONE,
  GRAIN,
  JOB,
  LEFT,
  Member,
  MOST_STEPS,
  MOST_THREADS,
  NONE,
  OVER,
  PARKED,
  RUNNING,
  SCRATCH,
  SLAB,
  SPINNING,
  STATE,
  STEP,
  STEP_WORDS,
  STEPS,
  TELL,
  THREW,
  TICKET,
  TRAPPED,
  TURN,
  isOrphan,
  stateOf,
  stepAt,
} from '../src/threads/protocol.ts';
import type { Driver } from '../src/wasm/exports.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a program', () => {
  const memory = Uint32Array.from({ length: 64 }, (_, i) => 2 ** 32 - 1 - i);

  it('has for each step its driver, its claims, its scratch and a copy of its descriptor', () => {
    const program = new Program();
    expect(program.add(1, memory, 8, 12, 5, 640, 64, false)).toBe(0);
    expect(program.add(2, memory, 16, 4, 7, 1280, 128, true)).toBe(1);
    expect(program.steps).toBe(2);
    const fields = [DRIVER, COUNT, GRAIN, CLAIMS, SCRATCH, SLAB];
    expect(fields.map((field) => program.words[field])).toEqual([1, 5, 1, 5, 640, 64]);
    expect(fields.map((field) => program.words[STEP_WORDS + field])).toEqual([2, 7, 7, 1, 1280, 128]);
    expect([...program.words.subarray(DESCRIPTOR, DESCRIPTOR + 4)]).toEqual([-3, -4, -5, 0]);
    expect(program.field(0, 2)).toBe(2 ** 32 - 5);
    expect(program.field(1, 0)).toBe(2 ** 32 - 5);
  });
  it('claims many items several at once: at most 4096 claims, and no item is left out', () => {
    for (const [count, grain, claims] of [
      [4096, 1, 4096],
      [4097, 2, 2049],
      [8193, 3, 2731],
    ] as const) {
      const program = new Program();
      program.add(0, memory, 0, 0, count, 0, 0, false);
      expect([program.words[GRAIN], program.words[CLAIMS]]).toEqual([grain, claims]);
    }
  });
  it('has at most sixteen steps', () => {
    const program = new Program();
    const add = (): number => program.add(0, memory, 0, 0, 1, 0, 0, false);
    for (let step = 0; step < MOST_STEPS; step++) expect(add()).toBe(step);
    expect(add).toThrow('a program has at most 16 steps');
    expect(program.steps).toBe(MOST_STEPS);
  });
});

/** A control block behind 64 bytes of somebody else's, and a thread at it. */
function block(driver: Driver, thread = 0, threads = 3) {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
  const ears = { ended: vi.fn(), threw: vi.fn() };
  const member = new Member(memory, 64, [() => undefined, driver], thread, threads, ears);
  const { words } = member;
  /** A job of these steps, each so many items at a grain. */
  const begin = (...steps: readonly (readonly [count: number, grain: number])[]): void => {
    for (const [step, [count, grain]] of steps.entries()) {
      words.set([1, count, grain, Math.ceil(count / grain), -1024, 128], stepAt(step));
    }
    words[STEPS] = steps.length;
    words[JOB] = 9;
    words[TELL] = 1;
    words[STATE] = RUNNING;
    member.open(0, 2);
  };
  return { member, words, ears, begin };
}

describe('a thread', () => {
  it('runs each item once, step after step, with its own scratch, and tells of the end', () => {
    const ran: number[][] = [];
    const { member, words, ears, begin } = block((...given) => ran.push(given), 2);
    expect(words.byteLength).toBe(CONTROL_BYTES);
    begin([5, 2], [1, 1]);
    expect([words[TICKET], words[LEFT], words[EPOCH]]).toEqual([3, 3, 1]);
    member.work();
    const scratch = 2 ** 32 - 1024 + 2 * 128;
    const descriptor = (step: number): number => 64 + 4 * (stepAt(step) + DESCRIPTOR);
    expect(ran).toEqual([
      ...[0, 1, 2, 3, 4].map((i) => [descriptor(0), i, i + 1, scratch]),
      [descriptor(1), 0, 1, scratch],
    ]);
    expect([words[STATE], words[TICKET], words[LEFT], words[STEP]]).toEqual([OVER, 0, 0, 1]);
    // Two ends of a step, of which the caller hears.
    expect([words[EPOCH], words[TURN]]).toEqual([2, 2]);
    expect(ears.ended.mock.calls).toEqual([[9]]);
  });
  it('tells nobody of an end that the caller waits for', () => {
    const { member, words, ears, begin } = block(() => undefined);
    begin([2, 1]);
    words[TELL] = 0;
    member.work();
    expect(words[STATE]).toBe(OVER);
    expect(ears.ended).not.toHaveBeenCalled();
  });
  it.each([
    [new WebAssembly.RuntimeError('unreachable'), TRAPPED],
    [new RangeError('stack'), THREW],
  ])('that throws a %s ends the job: the rest is claimed and left, no other step begins', (error, why) => {
    const driver = vi.fn<Driver>(() => {
      throw error;
    });
    const { member, words, ears, begin } = block(driver);
    begin([6, 2], [4, 1]);
    member.work();
    expect(driver).toHaveBeenCalledTimes(1);
    expect(ears.threw.mock.calls).toEqual([[error]]);
    expect([words[CANCEL], words[STATE], words[STEP], words[LEFT]]).toEqual([why, OVER, 0, 0]);
  });
  it('that throws in a job that is cancelled already leaves the reason', () => {
    const { member, words, begin } = block(() => {
      words[CANCEL] = THREW;
      throw new WebAssembly.RuntimeError('unreachable');
    });
    begin([1, 1]);
    member.work();
    expect(words[CANCEL]).toBe(THREW);
  });
  it('wakes as many as are parked and have a claim to take, and the caller where it waits', () => {
    const notify = vi.spyOn(Atomics, 'notify');
    const { member, words } = block(() => undefined, 0, 4);
    const woken = (others: number): unknown[] => {
      notify.mockClear();
      member.open(0, others);
      return notify.mock.calls.map(([, index, count]) => [index, count]);
    };
    words.set([1, 2, 1, 2], stepAt(0));
    // The caller's own state, and that of one beyond the last, are nobody's to be woken.
    for (const thread of [0, 4]) words[stateOf(thread)] = PARKED;
    words[stateOf(1)] = BUSY;
    words[stateOf(2)] = SPINNING;
    expect(woken(2)).toEqual([]);
    for (const thread of [1, 3]) words[stateOf(thread)] = PARKED;
    expect(woken(3)).toEqual([[EPOCH, 2]]);
    expect(woken(1)).toEqual([[EPOCH, 1]]);
    expect(woken(0)).toEqual([]);
    notify.mockClear();
    words[STEPS] = 1;
    member.work();
    expect(notify.mock.calls.map(([, index, count]) => [index, count])).toEqual([[TURN, 1]]);
    words[stateOf(0)] = SPINNING;
    expect(woken(0)).toEqual([]);
    member.work();
    expect(notify).not.toHaveBeenCalled();
  });
  it('wakes one less for the next step than that has claims, as it takes one itself', () => {
    const notify = vi.spyOn(Atomics, 'notify');
    const { member, words, begin } = block(() => undefined, 0, 6);
    begin([1, 1], [6, 2]);
    for (let t = 1; t < 6; t++) words[stateOf(t)] = PARKED;
    member.work();
    expect(notify.mock.calls.map(([, index, count]) => [index, count])).toEqual([[EPOCH, 2]]);
  });
  it('spins until a step is open, or what it is given holds, or its time is over', () => {
    const { member, words } = block(() => undefined);
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    let asked = 0;
    // A clock that stands still does not hold it for ever.
    expect(member.spin(() => ++asked < 0)).toBe(false);
    expect(asked).toBe(64 * 4096);
    asked = 0;
    // At its time's end it looks at the clock no later than 64 loads behind.
    expect(member.spin(() => ++asked < 0 || (now += 0.04) < 0)).toBe(false);
    expect(asked).toBe(64);
    expect(member.spin(() => true)).toBe(true);
    words[TICKET] = 1;
    expect(member.spin(() => false)).toBe(true);
  });
  it('says what it does in a line of its own, up to the sixty-fourth', () => {
    const last = block(() => undefined, MOST_THREADS - 1);
    last.member.is(PARKED);
    const at = last.words.indexOf(PARKED);
    expect(at).toBe(stateOf(MOST_THREADS - 1));
    expect(at + 16).toBeLessThanOrEqual(stepAt(0));
  });
});

describe('a claim is lost', () => {
  const states = { none: NONE, busy: BUSY, spinning: SPINNING, parked: PARKED, gone: GONE };
  type State = keyof typeof states;

  const asked = (
    known: boolean | undefined,
    ticket: number,
    state: number,
    ...workers: readonly State[]
  ): boolean => {
    const { words } = block(() => undefined);
    [words[TICKET], words[LEFT], words[STATE]] = [ticket, 1, state];
    // Who asks is no worker.
    words[stateOf(0)] = GONE;
    for (const [i, worker] of workers.entries()) words[stateOf(i + 1)] = states[worker];
    return isOrphan(words, workers.length + 1, known);
  };
  const lost = asked.bind(undefined, undefined);

  it('if nothing is there to be claimed, nobody is at work and somebody has gone', () => {
    expect(lost(0, RUNNING, 'gone', 'parked')).toBe(true);
    expect(lost(0, RUNNING, 'spinning', 'none')).toBe(true);
    expect(lost(0, RUNNING, 'none', 'spinning')).toBe(true);
  });
  it('or one is known to have gone, whoever has its number now', () => {
    expect(asked(true, 0, RUNNING, 'spinning', 'parked')).toBe(true);
    expect(asked(true, 1, RUNNING, 'spinning', 'parked')).toBe(false);
    expect(asked(true, 0, OVER, 'spinning', 'parked')).toBe(false);
    expect(asked(true, 0, RUNNING, 'spinning', 'busy')).toBe(false);
  });
  it('and else not', () => {
    expect(lost(1, RUNNING, 'gone')).toBe(false);
    expect(lost(0, OVER, 'gone')).toBe(false);
    expect(lost(0, RUNNING, 'gone', 'busy')).toBe(false);
    expect(lost(0, RUNNING, 'busy', 'gone')).toBe(false);
    expect(lost(0, RUNNING, 'parked', 'spinning')).toBe(false);
    expect(lost(0, RUNNING)).toBe(false);
  });
  it.each([
    ['a claim was done', LEFT],
    ['a step was opened', STEP],
  ])('nor where %s between the looks', (_, word) => {
    const { words } = block(() => undefined, 0, 2);
    [words[LEFT], words[STATE], words[stateOf(1)]] = [2, RUNNING, GONE];
    expect(isOrphan(words, 2)).toBe(true);
    const load = Atomics.load.bind(Atomics) as (of: Int32Array, at: number) => number;
    vi.spyOn(Atomics, 'load').mockImplementation(((of: Int32Array, at: number) => {
      if (at === STATE) of[word]!++;
      return load(of, at);
    }) as never);
    expect(isOrphan(words, 2)).toBe(false);
  });
});

describe('a job', () => {
  const make = () => {
    const words = new Int32Array(CONTROL_BYTES / 4);
    const job = new Job(words);
    const program = new Program();
    for (let step = 0; step < 2; step++) {
      program.add(step, Uint32Array.of(7, 8), 0, 8, 3, 0, 0, false);
    }
    return { words, job, program };
  };

  it('is written behind what threads share, and its descriptors come back', () => {
    const { words, job, program } = make();
    expect(job.over).toBe(true);
    [words[CANCEL], words[JOB]] = [THREW, 4];
    job.death = { why: 'exited' };
    job.threw(new Error('of the job before'), 1);
    job.publish(program, true);
    expect([words[CANCEL], words[JOB], words[TELL], words[STEPS], words[STATE]]).toEqual([
      0,
      5,
      1,
      2,
      RUNNING,
    ]);
    expect([job.over, job.number, job.death]).toEqual([false, 5, undefined]);
    const length = 2 * STEP_WORDS;
    expect(words.subarray(stepAt(0), stepAt(0) + length)).toEqual(program.words.subarray(0, length));
    expect(words.subarray(stepAt(2)).every((word) => word === 0)).toBe(true);
    words[stepAt(1) + DESCRIPTOR + 1] = -1;
    expect(job.outcome(program)).toBeUndefined();
    expect(program.field(1, 1)).toBe(2 ** 32 - 1);
    expect(program.field(0, 1)).toBe(8);
    job.publish(program, false);
    expect([words[TELL], job.number]).toEqual([0, 6]);
  });
  it('ends for one reason: nobody may still write, then the signal, a death, what was thrown', () => {
    const cause = new Error('a fault');
    const outcome = (why: number, death?: Failure, thrown?: Error): unknown => {
      const { words, job, program } = make();
      job.publish(program, false);
      if (thrown) job.threw(thrown, 2);
      job.death = death;
      words[CANCEL] = why;
      return job.outcome(program);
    };
    const [exited, lost] = [{ why: 'exited', worker: 1, exitCode: 7 } as const, { why: 'lost' } as const];
    expect(outcome(0)).toBeUndefined();
    expect(outcome(ABORTED)).toEqual({ why: 'aborted', job: 1 });
    expect(outcome(ABORTED, exited, cause)).toEqual({ why: 'aborted', job: 1 });
    expect(outcome(ABORTED, lost)).toEqual({ why: 'lost', job: 1 });
    expect(outcome(DIED, exited)).toEqual({ ...exited, job: 1 });
    expect(outcome(THREW, exited, cause)).toEqual({ ...exited, job: 1 });
    expect(outcome(THREW, undefined, cause)).toEqual({ why: 'threw', job: 1, worker: 2, cause });
    expect(outcome(TRAPPED, undefined, cause)).toEqual({ why: 'trapped', job: 1, worker: 2, cause });
  });
  it('waits for who has thrown to say what', () => {
    const { words, job, program } = make();
    job.publish(program, false);
    for (const [why, unheard] of [
      [0, false],
      [ABORTED, false],
      [DIED, false],
      [TRAPPED, true],
      [THREW, true],
    ] as const) {
      words[CANCEL] = why;
      expect(job.isUnheard).toBe(unheard);
    }
    job.threw(new Error('a fault'), 1);
    expect(job.isUnheard).toBe(false);
  });
  it('has two minutes of patience, anew with each claim, step and job', () => {
    const { words, job, program } = make();
    job.publish(program, false);
    const patience = job.patience();
    const seconds = (): number => {
      let count = 0;
      while (patience()) count++;
      return count;
    };
    // The first look only sees how things are.
    expect(seconds()).toBe(PATIENCE);
    for (const advance of [
      () => words[LEFT]!++,
      () => words[STEP]!++,
      () => {
        job.publish(program, false);
      },
    ]) {
      advance();
      expect(seconds()).toBe(PATIENCE);
    }
  });
});
