/**
 * The pool beside workers that are played: the schedules that chance seldom finds, and what the caller's own thread does
 * (docs/threads.md). Any schedule at all is in test/properties/.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Program } from '../src/threads/program.ts';
import {
  ABORTED,
  BUSY,
  CANCEL,
  EPOCH,
  GONE,
  NONE,
  OVER,
  PARKED,
  SPINNING,
  STATE,
  STOP,
  THREW,
  TICKET,
  stateOf,
} from '../src/threads/protocol.ts';
import { play, STACK, type Played, type PlayedWorker } from './played-workers.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A program of so many items. */
function program(items: number): Program {
  const made = new Program();
  made.add(0, new Uint32Array(1), 0, 0, items, 0, 0, false);
  return made;
}

describe('a job whose last claim is done', () => {
  /** It dies as it is about to say so: all is done, and its end is the only news. */
  const mute = async ({ workers, hearAll }: Played): Promise<void> => {
    const worker = workers[0]!;
    worker.mute = true;
    worker.work();
    expect(worker.alive).toBe(false);
    await hearAll();
  };

  it('by a worker that dies before it can say so is done', async () => {
    const kernel = vi.fn();
    const played = await play(2, kernel);
    const end = played.pool.start(program(3), undefined);
    await mute(played);
    expect(await end).toBeUndefined();
    expect(kernel).toHaveBeenCalledTimes(3);
    expect(played.workers).toHaveLength(2);
    // Who came in its place takes up the next.
    const next = played.pool.start(program(1), undefined);
    played.workers[1]!.work();
    await played.hearAll();
    expect(await next).toBeUndefined();
  });
  it('and who has more to do: another takes it up', async () => {
    const kernel = vi.fn();
    const played = await play(2, kernel);
    const more = vi.fn(() => program(2));
    const end = played.pool.start(program(3), undefined, more);
    await mute(played);
    expect(more).toHaveBeenCalledTimes(1);
    played.workers[1]!.work();
    await played.hearAll();
    expect(await end).toBeUndefined();
    expect(kernel).toHaveBeenCalledTimes(5);
  });
  it('and who has more to do, where none is started any more: that is not begun', async () => {
    const played = await play(3, () => undefined);
    for (let deaths = 1; deaths <= 3; deaths++) {
      played.workers.at(-1)!.terminate();
      await played.hearAll();
    }
    expect(played.pool).toMatchObject({ degraded: true, helps: true });
    const more = vi.fn(() => program(2));
    const end = played.pool.start(program(3), undefined, more);
    await mute(played);
    expect(await end).toEqual({ why: 'degraded' });
    expect(more).not.toHaveBeenCalled();
    expect(played.pool).toMatchObject({ degraded: true, helps: false, busy: false });
  });
  it('and in which something was thrown ends with that, whoever is heard first', async () => {
    const played = await play(3, () => undefined);
    const [first, second] = played.workers;
    const end = played.pool.start(program(2), undefined);
    first!.throws = 0;
    second!.mute = true;
    // The first throws while the second waits in the middle of its item, which is the last to be done.
    second!.meanwhile = first!;
    second!.work();
    expect(second!.alive).toBe(false);
    second!.hear();
    // The end of the second is known, and not yet what the first has thrown.
    await Promise.resolve();
    expect(played.pool.busy).toBe(true);
    await played.hearAll();
    const failure = await end;
    expect(failure).toMatchObject({
      why: 'threw',
      worker: 1,
      cause: { name: 'TypeError', message: 'spoiled' },
    });
    expect((failure!.cause as Error).stack).toBe(STACK);
  });
});

describe('a job in which a worker ends', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });

  /** Of two workers the first ends with a claim of six while the second is at work. */
  const oneEnds = async () => {
    const kernel = vi.fn();
    const played = await play(3, kernel);
    const [first, second] = played.workers as [PlayedWorker, PlayedWorker];
    const end = played.pool.start(program(6), undefined);
    second.is(BUSY);
    first.dies = 0;
    first.work();
    await played.hearAll();
    return { ...played, kernel, second, end };
  };

  it('waits for those that are at work, and does no more of it', async () => {
    const { kernel, second, end } = await oneEnds();
    const settled = vi.fn();
    void end.then(settled);
    await vi.advanceTimersByTimeAsync(20);
    expect(settled).not.toHaveBeenCalled();
    second.is(PARKED);
    await vi.advanceTimersByTimeAsync(1);
    expect(settled.mock.calls).toMatchObject([[{ why: 'exited', exitCode: 7 }]]);
    expect(kernel).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
  it('waits for nobody when the pool is stopped', async () => {
    const { pool, end } = await oneEnds();
    expect(vi.getTimerCount()).toBe(1);
    pool.stop();
    expect(await end).toEqual({ why: 'stopped' });
    await vi.advanceTimersByTimeAsync(20);
    expect(vi.getTimerCount()).toBe(0);
  });
  it('leaves the next alone when it has ended otherwise', async () => {
    const kernel = vi.fn();
    const { pool, workers, control, hearAll } = await play(3, kernel);
    const [first, second] = workers as [PlayedWorker, PlayedWorker];
    const end = pool.start(program(2), undefined);
    const next = pool.start(program(3), undefined);
    // The first ends between two claims, in the middle of the second's item.
    kernel.mockImplementationOnce(() => {
      first.is(BUSY);
      first.terminate();
      first.hear();
    });
    second.work();
    await hearAll();
    expect(await end).toMatchObject({ why: 'exited' });
    await vi.advanceTimersByTimeAsync(20);
    expect([control[TICKET], kernel.mock.calls.length]).toEqual([3, 1]);
    second.work();
    await hearAll();
    expect(await next).toBeUndefined();
  });
  it('that was asleep: others are woken, as they may have been meant', async () => {
    const { pool, workers, control, hearAll } = await play(3, vi.fn());
    const end = pool.start(program(1), undefined);
    const { [EPOCH]: before } = control;
    workers[0]!.terminate();
    await hearAll();
    expect(control[EPOCH]).toBe(before! + 1);
    workers[1]!.work();
    await hearAll();
    expect(await end).toBeUndefined();
  });
  it('that was asleep while another is at work: the call goes on', async () => {
    const kernel = vi.fn();
    const { pool, workers, hearAll } = await play(3, kernel);
    const [first, second] = workers as [PlayedWorker, PlayedWorker];
    kernel.mockImplementationOnce(() => {
      first.terminate();
      first.hear();
    });
    const end = pool.start(program(3), undefined);
    second.work();
    await hearAll();
    expect(await end).toBeUndefined();
    expect(kernel).toHaveBeenCalledTimes(3);
  });
  it('that was asleep, for the last time: it goes on with those that are left', async () => {
    const { pool, workers, hearAll } = await play(3, vi.fn());
    const end = pool.start(program(3), undefined);
    for (const at of [0, 2, 3]) {
      workers[at]!.terminate();
      await hearAll();
    }
    expect(pool).toMatchObject({ degraded: true, helps: true, busy: true });
    workers[1]!.work();
    await hearAll();
    expect(await end).toBeUndefined();
  });
});

describe('a job that a worker leaves which was busy', () => {
  it('with no claim, as it had just been woken: it goes on, with who comes in its place', async () => {
    const kernel = vi.fn();
    const { pool, workers, hearAll } = await play(2, kernel);
    const end = pool.start(program(3), undefined);
    workers[0]!.is(BUSY);
    workers[0]!.terminate();
    await hearAll();
    workers[1]!.work();
    await hearAll();
    expect(await end).toBeUndefined();
    expect(kernel).toHaveBeenCalledTimes(3);
  });
  it('with a claim, whatever is left beside it: it ends', async () => {
    const { pool, workers, hearAll } = await play(2, () => undefined);
    const end = pool.start(program(3), undefined);
    workers[0]!.dies = 1;
    workers[0]!.work();
    await hearAll();
    expect(await end).toMatchObject({ why: 'exited', worker: 1 });
  });
  it('with no claim, where the job is cancelled: it ends', async () => {
    const { pool, workers, control, hearAll } = await play(2, () => undefined);
    const end = pool.start(program(3), undefined);
    workers[0]!.is(BUSY);
    control[CANCEL] = THREW;
    workers[0]!.terminate();
    await hearAll();
    expect(await end).toMatchObject({ why: 'exited', worker: 1 });
  });
});

describe("the caller's own thread", () => {
  it.each([
    ['threw', new RangeError('Maximum call stack size exceeded')],
    ['trapped', new WebAssembly.RuntimeError('unreachable')],
  ] as const)('a kernel there that %s: with what it threw', async (why, cause) => {
    let fails = true;
    const { pool, workers } = await play(2, () => {
      if (fails) throw cause;
    });
    const failure = pool.run(program(4));
    expect(failure).toEqual({ why, worker: 0, job: failure!.job, cause });
    fails = false;
    expect(pool.run(program(4))).toBeUndefined();
    expect(workers).toHaveLength(1);
  });
  it('what a worker threw in a call that was waited for is heard later, and is not of the next', async () => {
    let inItsMiddle = true;
    const played = await play(4, () => {
      if (!inItsMiddle) return;
      inItsMiddle = false;
      first.throws = 0;
      first.work();
    });
    const [first, second, third] = played.workers as [PlayedWorker, PlayedWorker, PlayedWorker];
    expect(played.pool.run(program(4))).toMatchObject({ why: 'threw' });
    const next = played.pool.start(program(2), undefined);
    // The second throws while the third is in the middle of the last item.
    second.throws = 0;
    third.meanwhile = second;
    third.work();
    for (const worker of [first, third, second]) worker.hear();
    expect(await next).toMatchObject({ why: 'threw', worker: 2 });
  });
  it('where it may not wait, a worker that says nothing is given up after two minutes of spinning', async () => {
    vi.spyOn(Atomics, 'wait').mockImplementation(() => {
      throw new TypeError('Atomics.wait cannot be called in this context');
    });
    const asleep = vi.fn();
    const { pool, workers, control } = await play(2, asleep);
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => (now += 100));
    // It is in the middle of an item when the call comes to its end here, and stays there.
    asleep.mockImplementationOnce(() => {
      workers[0]!.is(BUSY);
    });
    control[stateOf(1)] = SPINNING;
    const left = vi.spyOn(Atomics, 'sub').mockImplementationOnce((() => 2) as never);
    expect(pool.run(program(1))).toMatchObject({ why: 'lost' });
    left.mockRestore();
    expect(now).toBeGreaterThanOrEqual(120_000);
    expect(now).toBeLessThan(180_000);
    expect(pool.degraded).toBe(true);
    expect(workers[0]!.alive).toBe(false);
  });
  it('a worker that has gone in the middle of its item is missed at once', async () => {
    const { pool, workers, control } = await play(3, vi.fn());
    const left = vi.spyOn(Atomics, 'sub').mockImplementationOnce((() => 2) as never);
    [control[stateOf(1)], control[stateOf(2)]] = [GONE, PARKED];
    expect(pool.run(program(1))).toMatchObject({ why: 'exited' });
    left.mockRestore();
    // It has no part in the next.
    expect([control[stateOf(0)], control[stateOf(1)], control[STATE]]).toEqual([NONE, NONE, OVER]);
    expect(pool.run(program(1))).toBeUndefined();
    expect(workers).toHaveLength(2);
  });
});

it('is awake while one of its workers is, and only then', async () => {
  const { pool, control } = await play(3, () => undefined);
  for (const [first, second, awake] of [
    [PARKED, PARKED, false],
    [NONE, GONE, false],
    [BUSY, PARKED, true],
    [PARKED, BUSY, true],
    [SPINNING, NONE, true],
    [PARKED, SPINNING, true],
  ] as const) {
    [control[stateOf(1)], control[stateOf(2)]] = [first, second];
    // The caller's own, and that of one beyond the last, do not count.
    [control[stateOf(0)], control[stateOf(3)]] = [BUSY, BUSY];
    expect(pool.awake).toBe(awake);
  }
});

describe('a signal', () => {
  it('that is aborted already: nothing is begun', async () => {
    const kernel = vi.fn();
    const { pool, workers } = await play(2, kernel);
    expect(await pool.start(program(1), AbortSignal.abort())).toEqual({ why: 'aborted' });
    expect(pool.busy).toBe(false);
    workers[0]!.work();
    expect(kernel).not.toHaveBeenCalled();
  });
  it('that is aborted while the job waits: it is not begun', async () => {
    const kernel = vi.fn();
    const played = await play(2, kernel);
    const controller = new AbortController();
    const first = played.pool.start(program(2), undefined);
    const second = played.pool.start(program(3), controller.signal);
    const third = played.pool.start(program(4), undefined);
    controller.abort();
    expect(await second).toEqual({ why: 'aborted' });
    for (let turns = 0; turns < 3; turns++) {
      played.workers[0]!.work();
      await played.hearAll();
    }
    expect([await first, await third]).toEqual([undefined, undefined]);
    expect(kernel).toHaveBeenCalledTimes(6);
  });
  it('is let go of when the job has ended, well or not', async () => {
    const played = await play(2, () => undefined);
    const { signal } = new AbortController();
    const [heard, letGo] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')];
    const end = played.pool.start(program(1), signal);
    const behind = played.pool.start(program(1), signal);
    played.workers[0]!.work();
    await played.hearAll();
    expect(await end).toBeUndefined();
    played.pool.stop();
    expect(await behind).toEqual({ why: 'stopped' });
    expect(letGo.mock.calls).toEqual(heard.mock.calls);
    expect(letGo).toHaveBeenCalledTimes(2);
  });
});

it('stop() asks workers to go, ends them, and all jobs once', async () => {
  const { pool, workers, control, hearAll } = await play(3, () => undefined);
  const ends = [1, 2, 3].map(() => pool.start(program(2), undefined));
  expect(pool.busy).toBe(true);
  const { [EPOCH]: before } = control;
  pool.stop();
  // What is under way ends with its claims, and who sleeps hears of it.
  expect([control[CANCEL], control[EPOCH]]).toEqual([ABORTED, before! + 1]);
  pool.stop('degraded');
  expect(await Promise.all(ends)).toEqual([1, 2, 3].map(() => ({ why: 'stopped' })));
  expect(control[STOP]).toBe(1);
  await hearAll();
  expect(workers.map(({ alive }) => alive)).toEqual([false, false]);
  expect(pool).toMatchObject({ busy: false, helps: false });
  // No one comes in their place.
  expect(workers).toHaveLength(2);
  expect(await pool.start(program(1), undefined)).toEqual({ why: 'degraded' });
});
