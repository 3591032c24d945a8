/**
 * What threads bring: `npm run bench:threads` times two against one, beside the speed-up of bare loops on the same two threads, and
 * what sharing costs: empty jobs, calls too small to share, workers that idle, calls that do not wait. Exit code 1: threads computed
 * other bits than one thread, and the other rows are measured; 2: wrong arguments.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import colors from 'picocolors';
import type { Build } from '../../test/builds.ts';
import { parseArguments } from '../arguments.ts';
import { packageVersion, read } from '../command.ts';
import { describeMachine } from '../machine.ts';
import { fill } from '../markdown.ts';
import { clearProgress, progress } from '../progress.ts';
import { enginesOf } from '../run.ts';
import { loadShipped, shipThreads } from '../shipped.ts';
import { figures, type Figure } from './figures.ts';
import type { PairResult, ThreadsReport, ThreadsRow } from './report.ts';
import { groups, type PairGroup } from './rows.ts';
import { reportRow, runGroup } from './run.ts';
import { markdownThreads, problemsOf, renderThreads } from './table.ts';

const usage = `npm run bench:threads -- [options]

  --full            every row, more samples
  --only TEXT       rows whose section and name contain TEXT: attention 12 × 64, small, an empty job
  --json FILE       writes everything that was measured
  --from FILE       shows what --json FILE wrote, and measures nothing; several of one Node: their rows together
  --markdown FILE   puts the tables between <!-- threads --> and <!-- /threads -->
  --help            this`;

/** Samples of a figure. */
const SAMPLES = { quick: 40, full: 200 } as const;

process.exitCode = await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  const given = parseArguments(words, true);
  if ('problem' in given) return refuse(given.problem);
  if (given.help) {
    console.log(usage);
    return 0;
  }
  const { mode, json, from, markdown, only } = given;
  const wanted = (section: string, name: string, quick: boolean): boolean =>
    only === undefined ? quick || mode === 'full' : `${section} ${name}`.includes(only);
  const chosen = groups
    .map((group) => group.filter(({ section, name, quick }) => wanted(section, name, quick)))
    .filter((group) => group.length > 0);
  const others = figures.filter(({ section }) => wanted(section, '', true));
  if (chosen.length + others.length === 0) {
    const names = groups.flat().map(({ section, name }) => `${section} ${name}`);
    return refuse(`no row has "${only}" in its name; there are: ${names.join('; ')}`);
  }
  if (json !== undefined) mkdirSync(dirname(json), { recursive: true });
  const save = (report: ThreadsReport): void => {
    if (json !== undefined) writeFileSync(json, JSON.stringify(report, undefined, 2) + '\n');
  };
  const reports = from === undefined ? [await measure(chosen, others, mode, save)] : byNode(from);
  if (from !== undefined) save(reports[0]!);
  for (const report of reports) console.log(renderThreads(report, colors.isColorSupported) + '\n');
  if (markdown !== undefined) {
    const problem = await fill(markdown, 'threads', () => markdownThreads(reports));
    if (problem !== undefined) return refuse(problem);
  }
  return reports.flatMap(problemsOf).length === 0 ? 0 : 1;
}

/** Runs of the same Node are one; those of others stand behind. */
function byNode(files: readonly string[]): ThreadsReport[] {
  const nodes = new Map<string, string[]>();
  for (const file of files) {
    const { machine } = JSON.parse(readFileSync(file, 'utf8')) as ThreadsReport;
    nodes.set(machine.node, [...(nodes.get(machine.node) ?? []), file]);
  }
  return [...nodes.values()].map((some) => read(some) as ThreadsReport);
}

/** `save` is told of what there is after every group: a full run takes a quarter of an hour, and may be ended before. */
async function measure(
  chosen: readonly PairGroup[],
  others: readonly Figure[],
  mode: ThreadsReport['mode'],
  save: (report: ThreadsReport) => void,
): Promise<ThreadsReport> {
  const machine = describeMachine();
  const [heed, loops, empty] = [await loadShipped(), await shipThreads('loops'), await shipThreads('empty')];
  const engines = await enginesOf(heed);
  const builds = [...engines.keys()];
  for (const engine of engines.values()) engine.dispose();
  const count = chosen.length + others.length;
  const rows: ThreadsRow[] = [];
  const report = { kind: 'threads', version: packageVersion(), mode, machine, builds, rows } as const;
  try {
    for (const [done, group] of chosen.entries()) {
      progress(done, count, `${group[0]!.section} ${group[0]!.name}`);
      const results = group.map(() => new Map<Build, PairResult>());
      for (const build of builds) {
        const found = await runGroup(heed, build, group, loops, mode);
        for (const [i, result] of found.entries()) results[i]!.set(build, result);
      }
      rows.push(...group.map((row, i) => reportRow(row, results[i]!)));
      save(report);
    }
    for (const [done, { section, measure }] of others.entries()) {
      progress(chosen.length + done, count, section);
      rows.push(...(await measure({ heed, empty }, SAMPLES[mode])));
      save(report);
    }
  } finally {
    clearProgress();
  }
  return report;
}

function refuse(problem: string): number {
  console.error(`bench: ${problem}\n\n${usage}`);
  return 2;
}
