/** Garbage collection on demand, for tests of what is no longer held. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

/** Collects all garbage now. */
export const gc: () => void = runInNewContext('gc') as () => void;

/** Collects until `done`, at most a hundred times. Weak references and finalizers need turns of the event loop. */
export async function collect(done: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !done(); i++) {
    await new Promise((resolve) => setTimeout(resolve));
    gc();
  }
}
