/**
 * A worker: instantiates the kernels over the shared memory, helps with jobs, spins a little after each and then waits. It comes
 * back from that only to go. Bundled into one text that is started as it is, and into `heed/worker`.
 */
import { driversOf, type KernelExports } from '../wasm/exports.ts';
import { BUSY, EPOCH, GONE, JOB, Member, NONE, PARKED, SPINNING, STOP, TICKET, stateOf } from './protocol.ts';

/** What a worker is started with. */
export interface Begin {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Of the control block. */
  readonly control: number;
  readonly thread: number;
  readonly threads: number;
}

/** What a worker says. */
export type Said =
  | { readonly heed: 'ready' }
  | { readonly heed: 'over'; readonly job: number }
  | {
      readonly heed: 'threw';
      readonly job: number;
      readonly name: string;
      readonly message: string;
      readonly stack: string;
    };

/** What is the same of a web worker's scope and of Node's parentPort. */
interface Port {
  postMessage(message: Said): void;
  close?(): void;
}

interface NodePort extends Port {
  once(event: 'message', listener: (begin: Begin) => void): void;
}

interface WebPort extends Port {
  onmessage: ((event: { readonly data: Begin }) => void) | null;
}

interface NodeProcess {
  getBuiltinModule?(id: string): { readonly parentPort?: NodePort | null } | undefined;
  on(event: 'exit', listener: () => void): void;
}

const node = (globalThis as { process?: NodeProcess }).process;
const parentPort = node?.getBuiltinModule?.('node:worker_threads')?.parentPort;

if (parentPort) {
  parentPort.once('message', (begin) => {
    serve(parentPort, begin);
  });
} else {
  const scope = globalThis as unknown as WebPort;
  scope.onmessage = ({ data }) => {
    scope.onmessage = null;
    serve(scope, data);
    scope.close?.();
  };
}

function serve(port: Port, { module, memory, control, thread, threads }: Begin): void {
  const kernels = new WebAssembly.Instance(module, { env: { memory } }).exports as KernelExports;
  const member = new Member(memory, control, driversOf(kernels), thread, threads, {
    ended(job) {
      port.postMessage({ heed: 'over', job });
    },
    threw(error) {
      const { name, message, stack } = error as Error;
      // The claim is not done yet: this is its job's number.
      const job = words[JOB]!;
      port.postMessage({ heed: 'threw', job, name, message, stack: String(stack) });
    },
  });
  const { words } = member;
  // The caller may wait for this thread without hearing of its end. One that is not busy has no claim, and is not waited for.
  node?.on('exit', () => {
    Atomics.compareExchange(words, stateOf(thread), BUSY, GONE);
  });
  const stopped = (): boolean => Atomics.load(words, STOP) !== 0;
  member.is(SPINNING);
  port.postMessage({ heed: 'ready' });
  while (!stopped()) {
    // Before the ticket is looked at: an opening after that makes the wait return.
    const epoch = Atomics.load(words, EPOCH);
    member.is(BUSY);
    member.work();
    member.is(SPINNING);
    if (member.spin(stopped)) continue;
    member.is(PARKED);
    if (Atomics.load(words, TICKET) === 0 && !stopped()) Atomics.wait(words, EPOCH, epoch);
  }
  member.is(NONE);
}
