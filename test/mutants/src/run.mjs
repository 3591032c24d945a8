/**
 * Mutants of folders of src/, made and run by Stryker under Node 24: `npm run mutants:src -- checks memory`, and all of them where none is
 * named. What is known of a folder is kept in build/mutants, so that a run that was stopped goes on, and one behind a change looks at
 * what has changed. `--report` prints that and runs nothing. Ends with 1 where a folder has too few killed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { node24 } from '../../../scripts/node24.mjs';
import { npmCi } from '../../../scripts/platform.mjs';
import { FOLDERS } from './folders.mjs';
import { report } from './report.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
process.chdir(`${here}../../..`);

const { values, positionals: named } = parseArgs({
  options: { report: { type: 'boolean' } },
  allowPositionals: true,
});
const unknown = named.find((name) => !Object.hasOwn(FOLDERS, name));
if (unknown !== undefined) throw new Error(`"${unknown}" is none of ${Object.keys(FOLDERS).join(', ')}`);

const stryker = `${here}node_modules/@stryker-mutator/core/bin/stryker.js`;
if (!values.report && !existsSync(stryker)) npmCi(here);

for (const folder of named.length > 0 ? named : Object.keys(FOLDERS)) {
  if (!values.report) run(folder);
  const { least } = FOLDERS[folder];
  if (report(folder) < least) {
    console.log(`${folder}: less than ${least} %`);
    process.exitCode = 1;
  }
}

function run(folder) {
  const words = [stryker, 'run', `${here}stryker.config.mjs`];
  // Of the thousand tries of a property the first 300 see what the rest do, nearly always.
  const env = { ...process.env, HEED_MUTANTS: folder, HEED_RUNS: '300' };
  const { status } = spawnSync(node24(), words, { stdio: 'inherit', env });
  if (status !== 0) process.exit(status ?? 1);
}
