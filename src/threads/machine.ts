/** What the machine and the page have for threads. */

interface Host {
  readonly navigator?: { readonly hardwareConcurrency?: number };
  readonly crossOriginIsolated?: boolean;
  readonly Worker?: unknown;
  readonly process?: {
    getBuiltinModule?(id: string): { availableParallelism?(): number } | undefined;
  };
}

/** The two headers that a page needs. */
export const HEADERS: string =
  'threads need shared memory, which a page has only with the headers ' +
  'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp';

/** Most threads that `'auto'` takes: beyond, a call's serial part and the memory's bandwidth eat up what they add. */
const MOST = 8;

/** Threads that `'auto'` takes: one for each core there is. */
export function cores(): number {
  const { navigator, process } = globalThis as Host;
  const all =
    process?.getBuiltinModule?.('node:os')?.availableParallelism?.() ?? navigator?.hardwareConcurrency ?? 1;
  return Math.max(1, Math.min(all, MOST));
}

/** Why there can be no threads, in words; '' where there can. */
export function whyNoThreads(hasFactory: boolean): string {
  const { crossOriginIsolated, process, Worker } = globalThis as Host;
  // A page that is not isolated may still construct shared memory, and not pass it on; one that is may have none (WebKitGTK).
  const noneHere = typeof SharedArrayBuffer === 'undefined' && crossOriginIsolated !== true;
  if (noneHere || crossOriginIsolated === false) return HEADERS;
  const workers = hasFactory || process?.getBuiltinModule?.('node:worker_threads') || Worker;
  if (!workers) return 'this JavaScript engine has no workers (Node has what heed needs from 20.16 on)';
  return sharesMemory() ? '' : 'this JavaScript engine has no shared memory for WebAssembly';
}

function sharesMemory(): boolean {
  try {
    return (
      new WebAssembly.Memory({ initial: 0, maximum: 1, shared: true }).buffer instanceof SharedArrayBuffer
    );
  } catch (error) {
    // Where there is only no address space left for it, who makes the engine's memory says so.
    return error instanceof RangeError;
  }
}
