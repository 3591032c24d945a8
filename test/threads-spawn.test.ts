/**
 * How a crew starts the workers of a page (docs/reliability.md, faults 52, 60): first from the text inside the package, then from the file
 * beside it; what it hears of them.
 *
 * @node it plays a page on Node's globals
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { workerSource } from '../src/generated/worker.ts';
import { Crew } from '../src/threads/crew.ts';
import { begin, ways, type WorkerLike } from '../src/threads/spawn.ts';
import type { Begin } from '../src/threads/worker.ts';

/** What a worker was made of, and with what options. */
interface Made {
  readonly url: string;
  readonly options: object;
  readonly worker: PageWorker;
}

const made: Made[] = [];
/** Which addresses a policy refuses. */
let refused: (url: string) => boolean;

class PageWorker extends EventTarget {
  terminate = vi.fn();
  heard: unknown[] = [];

  constructor(url: string | URL, options: object) {
    super();
    if (refused(String(url))) throw new Error('refused by a policy');
    made.push({ url: String(url), options, worker: this });
  }

  postMessage(message: unknown): void {
    this.heard.push(message);
    queueMicrotask(() => this.dispatchEvent(new MessageEvent('message', { data: { heed: 'ready' } })));
  }
}

beforeEach(() => {
  made.length = 0;
  refused = () => false;
  vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined);
  vi.stubGlobal('Worker', PageWorker);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const message: Omit<Begin, 'thread'> = {
  module: undefined as never,
  memory: undefined as never,
  control: 64,
  threads: 3,
};

function crew() {
  const owner = { said: vi.fn(), joined: vi.fn(), left: vi.fn(), dwindled: vi.fn() };
  return { owner, crew: new Crew(message, undefined, owner) };
}

describe('a worker of a page', () => {
  it('is made of the text inside the package, whose address is given back', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    const blobs = vi.spyOn(URL, 'createObjectURL');
    const revoked = vi.spyOn(URL, 'revokeObjectURL');
    ways(undefined)[0]!();
    const blob = blobs.mock.calls[0]![0] as Blob;
    expect(blob.type).toBe('text/javascript');
    expect(await blob.text()).toBe(workerSource);
    const [{ url, options }] = made as [Made];
    expect([url, options]).toEqual([blobs.mock.results[0]!.value, { name: 'heed' }]);
    expect(revoked).not.toHaveBeenCalled();
    vi.advanceTimersByTime(10_000);
    expect(revoked.mock.calls).toEqual([[url]]);
  });
  it('is told what to work on, and which it is', async () => {
    const { crew: workers, owner } = crew();
    await workers.start();
    expect(made.map(({ worker }) => worker.heard)).toEqual([1, 2].map((thread) => [{ ...message, thread }]));
    expect(owner.joined).toHaveBeenCalledTimes(2);
    expect(workers.helps).toBe(true);
    workers.stop();
    expect(made.map(({ worker }) => worker.terminate.mock.calls.length)).toEqual([1, 1]);
    expect(workers.helps).toBe(false);
  });
  it('is made of the file beside the package where a policy refuses the text, and so is the next (fault 60)', async () => {
    refused = (url) => url.startsWith('blob:');
    const blobs = vi.spyOn(URL, 'createObjectURL');
    const { crew: workers } = crew();
    await workers.start();
    expect(blobs).toHaveBeenCalledTimes(1);
    for (const { url, options } of made) {
      expect(url).toMatch(/\/src\/threads\/worker\.js$/);
      expect(options).toEqual({ type: 'module', name: 'heed' });
    }
    expect(made).toHaveLength(2);
    workers.stop();
  });
  it('cannot be had where both are refused, nor where there are none: the last reason is told', async () => {
    refused = () => true;
    await expect(crew().crew.start()).rejects.toThrow('refused by a policy');
    vi.stubGlobal('Worker', undefined);
    expect(ways(undefined)).toEqual([]);
    await expect(crew().crew.start()).rejects.toThrow('there are no workers here');
  });
});

describe('a crew', () => {
  /** Of a factory's: it says and does what a test has it do. */
  const makers = () => {
    const listeners = new Map<string, (given: unknown) => void>();
    const worker = {
      on: (event: string, listener: (given: unknown) => void) => listeners.set(event, listener),
      postMessage: vi.fn(),
    };
    const owner = { said: vi.fn(), joined: vi.fn(), left: vi.fn(), dwindled: vi.fn() };
    const factory = vi.fn(() => worker as unknown as WorkerLike);
    const crew = new Crew({ ...message, threads: 2 }, factory, owner);
    const hear = (event: string, given: unknown): void => {
      listeners.get(event)!(given);
    };
    return { listeners, owner, factory, crew, hear };
  };

  it('has one way for all: one that does not start where another has is not started otherwise', async () => {
    refused = () => made.length === 1;
    await expect(crew().crew.start()).rejects.toThrow('refused by a policy');
    expect(made).toHaveLength(1);
  });
  it('that has been stopped tries no other way', async () => {
    const { crew: workers } = crew();
    const asked = vi.fn(() => {
      workers.stop();
      return true;
    });
    refused = asked;
    await expect(workers.start()).rejects.toThrow('refused by a policy');
    expect(asked).toHaveBeenCalledTimes(1);
  });
  it('that is stopped gives up those that have not begun', async () => {
    const { crew: workers, owner } = makers();
    const start = workers.start();
    workers.stop();
    await expect(start).rejects.toThrow();
    expect(owner.left.mock.calls).toEqual([[1, { why: 'stopped', worker: 1 }]]);
    expect(owner.dwindled).not.toHaveBeenCalled();
  });
  it('hears of an end once, and of nothing behind it', async () => {
    const { crew: workers, owner, hear } = makers();
    const start = workers.start();
    hear('exit', 3);
    hear('exit', 4);
    hear('message', { heed: 'ready' });
    await expect(start).rejects.toThrow('it ended with code 3');
    expect(owner.left.mock.calls).toEqual([[1, { why: 'exited', worker: 1, exitCode: 3, cause: undefined }]]);
    expect(owner.joined).not.toHaveBeenCalled();
  });
  it('that has been stopped hears of no end any more', async () => {
    const { crew: workers, owner, hear, factory } = makers();
    const start = workers.start();
    hear('message', { heed: 'ready' });
    await start;
    const stopped = { terminate: vi.fn() };
    Object.assign(factory.mock.results[0]!.value as object, stopped);
    workers.stop();
    expect(stopped.terminate).toHaveBeenCalledTimes(1);
    hear('exit', 1);
    expect([owner.left, owner.dwindled].map(({ mock }) => mock.calls)).toEqual([[], []]);
    expect(factory).toHaveBeenCalledTimes(1);
  });
  it('is told by a worker of Node’s why it ends: a message that cannot be read, too', async () => {
    const { crew: workers, listeners, hear } = makers();
    const start = workers.start();
    expect([...listeners.keys()]).toEqual(['message', 'messageerror', 'error', 'exit']);
    hear('messageerror', new Error('no module'));
    hear('exit', 1);
    await expect(start).rejects.toThrow('no module');
  });
});

it('a worker of Node’s is made of the text inside the package, without the flags of who starts it', () => {
  const Worker = vi.fn(function make() {
    return {};
  });
  vi.spyOn(process, 'getBuiltinModule').mockReturnValue({ Worker });
  const all = ways(undefined);
  expect(all).toHaveLength(1);
  all[0]!();
  const options = { eval: true, name: 'heed', execArgv: [] };
  expect(Worker.mock.calls).toEqual([[workerSource, Object.assign(Object.create(null), options)]]);
});

it('a worker whose factory ends the engine is ended as soon as it has begun', async () => {
  const owner = { said: vi.fn(), joined: vi.fn(), left: vi.fn(), dwindled: vi.fn() };
  const factory = (): PageWorker => {
    workers.stop();
    return new PageWorker('', {});
  };
  const workers = new Crew({ ...message, threads: 2 }, factory, owner);
  await workers.start();
  expect(made[0]!.worker.terminate).toHaveBeenCalledTimes(1);
  expect(workers.helps).toBe(false);
  expect(owner.joined).not.toHaveBeenCalled();
});

describe('of a worker of a page', () => {
  const listen = () => {
    const ears = { said: vi.fn(), failed: vi.fn<(error: unknown) => void>(), exited: vi.fn() };
    const worker = new PageWorker('', {});
    begin(worker, { ...message, thread: 1 }, ears);
    return { ears, worker };
  };

  it('its own messages are heard, and no others', () => {
    const { ears, worker } = listen();
    for (const data of [null, undefined, 'heed', 5, {}, { heed: 'over', job: 3 }]) {
      worker.dispatchEvent(new MessageEvent('message', { data }));
    }
    expect(ears.said.mock.calls).toEqual([[{ heed: 'over', job: 3 }]]);
  });
  it.each(['error', 'messageerror'])('an event "%s" is a failure, with its words or without', (type) => {
    const { ears, worker } = listen();
    for (const message of ['not today', undefined]) {
      const event = Object.assign(new Event(type, { cancelable: true }), { message });
      worker.dispatchEvent(event);
      // The page's own console need not hear of it.
      expect(event.defaultPrevented).toBe(true);
    }
    const words = ears.failed.mock.calls.map(([error]) => (error as Error).message);
    expect(words).toEqual(['not today', 'its script was not loaded']);
    expect(ears.exited).not.toHaveBeenCalled();
  });
});
