/**
 * The benchmark's command: `npm run bench` prints the one-minute table, `npm run bench -- --full --json FILE` takes its
 * time and writes everything down. Exit code 1: a contender computed something wrong; 2: wrong arguments.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import colors from 'picocolors';
import { parseArguments, usage } from './arguments.ts';
import { kernelRows } from './kernels.ts';
import { clearProgress, progress } from './progress.ts';
import { rows } from './rows.ts';
import { run, WrongResult } from './run.ts';
import { renderTable } from './table.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  const given = parseArguments(words);
  if ('problem' in given) return refuse(given.problem);
  if (given.help) {
    console.log(usage);
    return 0;
  }
  const { mode, json, only = '' } = given;
  const all = [...kernelRows, ...rows];
  const chosen = all.filter(
    ({ section, name, quick }) =>
      (quick || mode === 'full' || only !== '') && `${section} ${name}`.includes(only),
  );
  if (chosen.length === 0) {
    const names = all.map(({ section, name }) => `${section} ${name}`);
    return refuse(`no row has "${only}" in its name; there are: ${names.join('; ')}`);
  }
  try {
    const report = await run({
      mode,
      rows: chosen,
      progress: (done, { section, name }) => {
        progress(done, chosen.length, `${section} ${name}`);
      },
    });
    clearProgress();
    console.log(renderTable(report, colors.isColorSupported));
    if (json !== undefined) {
      mkdirSync(dirname(json), { recursive: true });
      writeFileSync(json, JSON.stringify(report, undefined, 2) + '\n');
    }
    return 0;
  } catch (error) {
    if (!(error instanceof WrongResult)) throw error;
    clearProgress();
    console.error(`bench: ${error.message}`);
    return 1;
  }
}

function refuse(problem: string): number {
  console.error(`bench: ${problem}\n\n${usage}`);
  return 2;
}
