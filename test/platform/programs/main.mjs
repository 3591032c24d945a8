/** Runs a check in a process and prints what it returns: `main.mjs threads '{"threads": 2}'`. */
import * as heed from 'heed';
import * as checks from './checks.mjs';

const [name, options = '{}'] = process.argv.slice(2);
console.log(JSON.stringify(await checks[name](heed, JSON.parse(options))));
