/** Workers that are played on the test's thread: each works, is heard and dies when the test says so. */
import { Pool } from '../src/threads/pool.ts';
import { BUSY, CONTROL_BYTES, JOB, Member, PARKED } from '../src/threads/protocol.ts';
import type { WorkerLike } from '../src/threads/spawn.ts';
import type { Begin, Said } from '../src/threads/worker.ts';
import { DRIVERS, type Driver, type KernelExports } from '../src/wasm/exports.ts';

/** Ends a played worker in the middle of what it does. */
const DEATH = new Error('death');

/** Of what its kernel throws. */
export const STACK = 'TypeError: spoiled\n    at a worker';

type Listener = (given: unknown) => void;

export class PlayedWorker implements WorkerLike {
  alive = true;
  /** What it has said, and nobody has heard. Its end comes behind. */
  readonly #said: [event: string, given: unknown][] = [];
  readonly #listeners = new Map<string, Listener>();
  readonly #drivers: readonly Driver[];
  #member: Member | undefined;
  /** Items until it dies at one, and until its kernel throws. */
  dies: number = Infinity;
  throws: number = Infinity;
  /** It dies when it is about to say that a job is over. */
  mute = false;
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
        throw Object.assign(new TypeError('spoiled'), { stack: STACK });
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
        if (this.mute) throw DEATH;
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

  /** What it does. */
  is(state: number): void {
    this.#member!.is(state);
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

/** A pool, and what it works with. */
export interface Played {
  readonly pool: Pool;
  /** All that it has started, those that have ended too. */
  readonly workers: readonly PlayedWorker[];
  /** Where descriptors are. */
  readonly descriptors: Uint32Array;
  readonly control: Int32Array;
  /** The pool hears all that has been said, and what follows from it is done. */
  readonly hearAll: () => Promise<void>;
}

/** A pool of so many threads, all kernels of which are this one. */
export async function play(threads: number, driver: Driver): Promise<Played> {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
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
  const kernels = Object.fromEntries(DRIVERS.map((name) => [name, driver])) as unknown as KernelExports;
  const control = 65536;
  const making = Pool.start({ module: undefined as never, memory, control, kernels, threads, factory });
  await hearAll();
  return {
    pool: await making,
    workers,
    descriptors: new Uint32Array(memory.buffer),
    control: new Int32Array(memory.buffer, control, CONTROL_BYTES / 4),
    hearAll,
  };
}
