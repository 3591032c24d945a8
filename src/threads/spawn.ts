/**
 * Starts a worker, whatever kind there is: Node's, or a web worker. First from the text inside the package, which needs no file and
 * which every bundler passes on; where a policy refuses that, from `worker.js` beside this file.
 */
import { workerSource } from '../generated/worker.ts';
import type { Begin, Said } from './worker.ts';

/** A worker of either kind. */
export interface WorkerLike {
  /**
   * Sends it something.
   *
   * @param message what can be cloned: a module and a shared memory are among it
   */
  postMessage(message: unknown): void;
  /** Ends it. */
  terminate(): unknown;
  /** Node's. */
  unref?(): unknown;
}

/** How it is listened to. Its own types are stricter, each in its way. */
interface Speaker extends WorkerLike {
  /** Node's. */
  on?(event: string, listener: (given: unknown) => void): unknown;
  /** A web worker's. */
  addEventListener?(event: string, listener: (event: unknown) => void): void;
}

/** Makes a worker that runs `heed/worker`. */
export type WorkerFactory = () => WorkerLike;

/** What a worker's owner hears. */
export interface Ears {
  readonly said: (message: Said) => void;
  /** It has failed, and does no more. A web worker says no more than that; of Node's an exit follows. */
  readonly failed: (error: unknown) => void;
  readonly exited: (code: number) => void;
}

interface WorkerThreads {
  readonly Worker: new (source: string, options: object) => WorkerLike;
}

interface Host {
  readonly process?: {
    readonly versions?: { readonly node?: string };
    getBuiltinModule?(id: string): unknown;
  };
}

/** The ways to start a worker here, best first. */
export function ways(factory: WorkerFactory | undefined): readonly WorkerFactory[] {
  if (factory !== undefined) return [() => checked(factory())];
  const { process } = globalThis as Host;
  const threads = process?.getBuiltinModule?.('node:worker_threads') as WorkerThreads | undefined;
  if (threads !== undefined) {
    // No flags of the main thread: a loader of its own would be started with each worker.
    // Its own options only: a polluted Object.prototype has no say.
    const options = { __proto__: null, eval: true, name: 'heed', execArgv: [] };
    return [() => new threads.Worker(workerSource, options)];
  }
  if (typeof Worker === 'undefined') return [];
  return [
    () => {
      const url = URL.createObjectURL(new Blob([workerSource], { type: 'text/javascript' }));
      try {
        return new Worker(url, { name: 'heed' });
      } finally {
        // The worker has taken it by then.
        setTimeout(() => {
          URL.revokeObjectURL(url);
        }, 10_000);
      }
    },
    // As it stands, with the global's own name, which bundlers know: Vite makes of any other form a data:, which is refused too.
    () => new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'heed' }),
  ];
}

/** What a factory has made. */
function checked(made: unknown): WorkerLike {
  const { postMessage, on, addEventListener } = Object(made) as Partial<Speaker>;
  if (typeof postMessage === 'function' && typeof (on ?? addEventListener) === 'function')
    return made as WorkerLike;
  throw new Error('workerFactory gave no worker');
}

/** Listens to a worker, and tells it what to work on. */
export function begin(worker: WorkerLike, message: Begin, ears: Ears): void {
  listen(worker, ears);
  worker.postMessage(message);
}

function listen(worker: Speaker, ears: Ears): void {
  /** Where somebody else wrote the worker's program, it may say other things, too. */
  const hear = (said: unknown): void => {
    if (typeof said === 'object' && said !== null && 'heed' in said) ears.said(said as Said);
  };
  if (worker.on) {
    worker.on('message', hear);
    worker.on('messageerror', ears.failed);
    worker.on('error', ears.failed);
    worker.on('exit', (code) => {
      ears.exited(code as number);
    });
  } else {
    worker.addEventListener!('message', (event) => {
      hear((event as { readonly data: unknown }).data);
    });
    const failed = (event: unknown): void => {
      const { message } = event as { readonly message?: string };
      (event as Event).preventDefault();
      // A script that was refused or not found is an event without words.
      ears.failed(new Error(message ?? 'its script was not loaded'));
    };
    worker.addEventListener!('messageerror', failed);
    worker.addEventListener!('error', failed);
  }
}
