/** Mutants of one folder of src/, under Node 24, as Stryker needs 22: `node scripts/mutants.mjs checks`. What it does is in stryker.config.mjs. */
import { node24 } from './node24.mjs';
import { run } from './platform.mjs';

process.env.HEED_MUTANTS = process.argv[2] ?? 'checks';
run(node24(), ['node_modules/@stryker-mutator/core/bin/stryker.js', 'run', ...process.argv.slice(3)]);
