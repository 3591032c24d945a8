/**
 * heed beside what else JavaScript has: `npm run bench:peers` takes some minutes, a process for each row. Exit code 1: heed
 * computed something wrong, or a process died; 2: wrong arguments. That a peer is wrong, or fails, is in the table.
 */
import { fork } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import colors from 'picocolors';
import { parseArguments } from '../arguments.ts';
import { clearProgress, progress } from '../progress.ts';
import { describeMachine } from '../run.ts';
import { cold, runCold } from './cold.ts';
import { peers } from './peers.ts';
import type { PeerReport, RowOutcome } from './report.ts';
import { rows, type PeerRow } from './rows.ts';
import { renderPeers } from './table.ts';

const usage = `npm run bench:peers -- [options]

  --full        more samples
  --only TEXT   rows whose section and name contain TEXT: attention, causal, cold
  --json FILE   writes everything that was measured
  --help        this`;

process.exitCode = await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  const given = parseArguments(words);
  if ('problem' in given) return refuse(given.problem);
  if (given.help) {
    console.log(usage);
    return 0;
  }
  const { mode, json, only = '' } = given;
  const all = [...rows, cold];
  const chosen = all.filter(({ section, name }) => `${section} ${name}`.includes(only));
  if (chosen.length === 0) {
    const names = all.map(({ section, name }) => `${section} ${name}`);
    return refuse(`no row has "${only}" in its name; there are: ${names.join('; ')}`);
  }
  const machine = describeMachine();
  const outcomes: RowOutcome[] = [];
  for (const [done, row] of chosen.entries()) {
    progress(done, chosen.length, `${row.section} ${row.name}`);
    const outcome = row === cold ? runCold() : await inProcess(row as PeerRow, mode);
    clearProgress();
    if (outcome === undefined) {
      console.error(`bench: ${row.section} ${row.name} did not end`);
      return 1;
    }
    outcomes.push(outcome);
  }
  const versions = Object.fromEntries(peers.map(({ name, version }) => [name, version]));
  const report: PeerReport = { mode, machine, versions, rows: outcomes };
  console.log(renderPeers(report, colors.isColorSupported));
  if (json !== undefined) {
    mkdirSync(dirname(json), { recursive: true });
    writeFileSync(json, JSON.stringify(report, undefined, 2) + '\n');
  }
  return 0;
}

/** What the process of a row sends, or nothing where it died. */
function inProcess({ section, name }: PeerRow, mode: PeerReport['mode']): Promise<RowOutcome | undefined> {
  return new Promise((resolve) => {
    const child = fork(fileURLToPath(new URL('row.ts', import.meta.url)), [section, name, mode]);
    let outcome: RowOutcome | undefined;
    child.on('message', (message) => {
      outcome = message as RowOutcome;
    });
    child.on('exit', () => {
      resolve(outcome);
    });
  });
}

function refuse(problem: string): number {
  console.error(`bench: ${problem}\n\n${usage}`);
  return 2;
}
