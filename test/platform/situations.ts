/** What each browser is tested in: pages with these headers, on their main thread and in a worker. */
import type { OutgoingHttpHeaders } from 'node:http';
import { describe, expect, inject, it } from 'vitest';
import { requireBrowser, type Browser } from './browsers.ts';
import { expectRecorded } from './recorded.ts';
import { visit, type Headers, type Server, type Visit } from './visit.ts';

export interface Situation {
  readonly name: string;
  readonly headers: Headers;
  /** One of programs/checks.mjs. */
  readonly check: string;
  readonly options?: object;
  /** The file that heed's workers come from; none: from the text inside the package. */
  readonly file?: string;
  /** Whether a worker, too, can be in it: whether its script is allowed. */
  readonly inWorker: boolean;
}

/** What shared memory needs. */
export const ISOLATED: OutgoingHttpHeaders = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** With a policy that takes workers from nowhere else. */
export function workersFrom(source: string): OutgoingHttpHeaders {
  const policy = `default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src ${source}`;
  return { ...ISOLATED, 'Content-Security-Policy': policy };
}

/** With a policy under which nothing may be compiled. */
export const UNCOMPILED: OutgoingHttpHeaders = { 'Content-Security-Policy': "script-src 'self'" };

/** What is said where a worker could not be started, for what the engine itself says. */
export const NOT_STARTED: { readonly code: string; readonly words: string } = {
  code: 'ERR_WORKER_START',
  words:
    'a worker could not be started ({cause}) — a page whose policy refuses blob: needs a workerFactory, ' +
    'Node under --permission needs --allow-worker',
};

/** And where two threads cannot be had. */
export function noThreads(reason: string): object {
  return { code: 'ERR_NO_THREADS', words: `"threads" expected 1 or 'auto' here, got 2 — ${reason}`, reason };
}

const NOT_ISOLATED = noThreads(
  'threads need shared memory, which a page has only with the headers ' +
    'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp',
);

const SITUATIONS: readonly Situation[] = [
  { name: 'threads', headers: ISOLATED, check: 'threads', inWorker: true },
  {
    name: 'threads from the file of the package where blob: is refused (fault 60)',
    headers: workersFrom("'self'"),
    check: 'threads',
    file: '/node_modules/heed/dist/worker.js',
    inWorker: true,
  },
  {
    name: "threads from the page's own file where any other is refused",
    headers: workersFrom('http://127.0.0.1:*/own-worker.js'),
    check: 'factory',
    options: { kind: 'web', script: './own-worker.js' },
    file: '/own-worker.js',
    inWorker: false,
  },
  {
    name: 'one thread where all are refused, and says why (fault 60)',
    headers: workersFrom("'none'"),
    check: 'oneThread',
    options: NOT_STARTED,
    inWorker: false,
  },
  {
    name: 'one thread without the two headers, and says why',
    headers: {},
    check: 'oneThread',
    options: NOT_ISOLATED,
    inWorker: true,
  },
  { name: 'threads of kernels by their URL', headers: ISOLATED, check: 'brought', inWorker: true },
  {
    name: 'no kernels where none may be compiled, and says so (fault 59)',
    headers: UNCOMPILED,
    check: 'uncompiled',
    inWorker: true,
  },
];

/** Runs a check in a page. */
export function checkIn(
  browser: Browser,
  { headers, check, options = {} }: Pick<Situation, 'headers' | 'check' | 'options'>,
  page = 'page.html',
  more: Readonly<Record<string, string>> = {},
  site: string | Server = inject('stranger'),
): Promise<Visit> {
  const query = new URLSearchParams({ check, options: JSON.stringify(options), ...more });
  return visit(browser, site, headers, `${page}?${query}`);
}

/** Tests a browser in all of them. */
export function testIn(browser: Browser): void {
  requireBrowser(browser);
  describe(`a page in ${browser.name}`, () => {
    for (const situation of SITUATIONS) {
      const { name, file } = situation;
      it(`has ${name}`, async () => {
        expect(workersOf(await checkIn(browser, situation))).toBe(file ?? '');
      });
    }

    it('has the bits that are recorded, with any number of threads', async () => {
      const options = { threads: [1, 2, 4] };
      const { result } = await checkIn(browser, { headers: ISOLATED, check: 'goldens', options });
      expectRecorded(result, 3);
    });

    it('paints while an asynchronous call runs', async () => {
      const { result } = await checkIn(browser, { headers: ISOLATED, check: 'paints' });
      console.log(browser.name, result);
    });
  });

  describe(`a worker in ${browser.name}`, () => {
    for (const { name, headers, check, options, file } of SITUATIONS.filter(({ inWorker }) => inWorker)) {
      it(`has ${name}`, async () => {
        const nested = { kind: 'web', check, options };
        const visit = await checkIn(browser, { headers, check: 'nested', options: nested });
        expect(workersOf(visit)).toBe(file ?? '');
      });
    }
  });
}

/** The files that heed's workers came from; '': none. */
function workersOf({ asked }: Visit): string {
  return [...new Set(asked.filter((path) => /\/(own-)?worker\.js$/.test(path)))].join(' ');
}
