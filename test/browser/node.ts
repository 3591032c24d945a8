/**
 * What a page has of the modules of Node that tests import, by the same names: vitest.config.ts puts this in the place of node:fs,
 * node:v8 and node:vm. A test that needs more is of Node, and says so (test/of-node.ts).
 */

/** A file of the repository, which the page's server has. */
export function readFileSync(file: URL): Uint8Array;
export function readFileSync(file: URL, encoding: 'utf8'): string;
export function readFileSync(file: URL, encoding?: 'utf8'): Uint8Array | string {
  const request = new XMLHttpRequest();
  request.open('GET', file, false);
  // Each byte as a character: a synchronous request gives nothing but text.
  if (encoding === undefined) request.overrideMimeType('text/plain; charset=x-user-defined');
  request.send();
  if (request.status !== 200) throw new Error(`${file.href}: ${request.status}`);
  const { responseText } = request;
  return encoding === undefined
    ? Uint8Array.from(responseText, (character) => character.charCodeAt(0))
    : responseText;
}

/** Evaluates in another realm: that of a frame. */
export function runInNewContext(code: string, names: object = {}): unknown {
  const frame = document.body.appendChild(document.createElement('iframe'));
  const realm = Object.assign(frame.contentWindow!, names) as Window & { eval(code: string): unknown };
  return realm.eval(code);
}

/** The browser is started with the flags that tests need. */
export function setFlagsFromString(): void {
  // Nothing is left to do.
}

let workers = 0;

/** A web worker that is made like one of Node's, of a text, and finds its data where one of Node's does. */
export class Worker extends globalThis.Worker {
  readonly threadId: number = ++workers;

  constructor(source: string, { workerData }: { readonly workerData: unknown }) {
    const start = `onmessage = ({ data }) => {
      globalThis.require = () => data;
      (0, eval)(${JSON.stringify(source)});
    }`;
    super(URL.createObjectURL(new Blob([start], { type: 'text/javascript' })));
    this.postMessage({ workerData, threadId: this.threadId });
  }
}
