/** Runs a check in a process and prints what it returns: `main.mjs threads '{"threads": 2}'`. */
import * as heed from 'heed';
import { run } from './run.mjs';

await run(heed);
