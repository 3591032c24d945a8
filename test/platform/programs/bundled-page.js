/** The package in a page, for bundlers. With `own` in its address, workers are of the page's own making. */
import * as heed from 'heed';
import { answer } from './answer.mjs';

const workerFactory = () => new Worker(new URL('./bundled-worker.js', import.meta.url), { type: 'module' });

answer(heed, new URLSearchParams(location.search).has('own') ? { workerFactory } : {});
