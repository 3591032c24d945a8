/** Runs the check that it is told of in a worker, of Node's kind or the web's, and posts what came of it. */
import * as heed from './node_modules/heed/dist/index.js';
import * as checks from './checks.mjs';

const { parentPort } = globalThis.process?.getBuiltinModule('node:worker_threads') ?? {};
const port = parentPort ?? globalThis;
port.onmessage = async ({ data: { check, options } }) => {
  try {
    port.postMessage({ result: await checks[check](heed, options) });
  } catch (error) {
    port.postMessage({ error: String(error?.stack ?? error) });
  }
};
