/**
 * heed beside what else JavaScript has: `npm run bench:peers` takes some minutes, a process for each row. Exit code 1: heed
 * computed something wrong, or a process died, and the other rows are measured; 2: wrong arguments. That a peer is wrong, or fails,
 * is in the table.
 */
import { fork } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import colors from 'picocolors';
import { parseArguments } from '../arguments.ts';
import { read } from '../command.ts';
import { fill } from '../markdown.ts';
import { clearProgress, progress } from '../progress.ts';
import { describeMachine } from '../machine.ts';
import { cold, runCold } from './cold.ts';
import { peers } from './peers.ts';
import type { PeerReport, RowOutcome } from './report.ts';
import { rows, type PeerRow } from './rows.ts';
import { markdownPeers, renderPeers } from './table.ts';

const usage = `npm run bench:peers -- [options]

  --full            more samples
  --only TEXT       rows whose section and name contain TEXT: attention, causal, cold
  --json FILE       writes everything that was measured
  --from FILE       shows what --json FILE wrote, and measures nothing; several: their rows together
  --markdown FILE   puts the tables between <!-- peers --> and <!-- /peers -->
  --help            this`;

process.exitCode = await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  const given = parseArguments(words, true);
  if ('problem' in given) return refuse(given.problem);
  if (given.help) {
    console.log(usage);
    return 0;
  }
  const { mode, json, from, markdown, only = '' } = given;
  const all = [...rows, cold];
  const chosen = all.filter(({ section, name }) => `${section} ${name}`.includes(only));
  if (chosen.length === 0) {
    const names = all.map(({ section, name }) => `${section} ${name}`);
    return refuse(`no row has "${only}" in its name; there are: ${names.join('; ')}`);
  }
  const report = from === undefined ? await measure(chosen, mode) : (read(from) as PeerReport);
  if (json !== undefined) {
    mkdirSync(dirname(json), { recursive: true });
    writeFileSync(json, JSON.stringify(report, undefined, 2) + '\n');
  }
  console.log(renderPeers(report, colors.isColorSupported));
  if (markdown !== undefined) {
    const problem = await fill(markdown, 'peers', () => markdownPeers(report));
    if (problem !== undefined) return refuse(problem);
  }
  const mine = report.rows.flatMap(({ outcomes }) => outcomes.filter(({ peer }) => peer === 'heed'));
  return mine.some(({ problem }) => problem !== undefined) ? 1 : 0;
}

async function measure(
  chosen: readonly (PeerRow | typeof cold)[],
  mode: PeerReport['mode'],
): Promise<PeerReport> {
  const machine = describeMachine();
  const outcomes: RowOutcome[] = [];
  for (const [done, row] of chosen.entries()) {
    progress(done, chosen.length, `${row.section} ${row.name}`);
    outcomes.push(row === cold ? runCold() : await inProcess(row as PeerRow, mode));
  }
  clearProgress();
  const versions = Object.fromEntries(peers.map(({ name, version }) => [name, version]));
  return { mode, machine, versions, rows: outcomes };
}

/** What the process of a row sends, or that it died. */
function inProcess(row: PeerRow, mode: PeerReport['mode']): Promise<RowOutcome> {
  const { section, name, flops, bar } = row;
  return new Promise((resolve) => {
    const child = fork(fileURLToPath(new URL('row.ts', import.meta.url)), [section, name, mode]);
    let outcome: RowOutcome | undefined;
    child.on('message', (message) => {
      outcome = message as RowOutcome;
    });
    child.on('exit', (code, signal) => {
      const problem = `the process of this row ended with ${signal ?? code ?? 'nothing'}`;
      const died = { peer: 'heed', way: '', problem };
      resolve(outcome ?? { section, name, flops, bar, checkedEvery: 1, outcomes: [died] });
    });
  });
}

function refuse(problem: string): number {
  console.error(`bench: ${problem}\n\n${usage}`);
  return 2;
}
