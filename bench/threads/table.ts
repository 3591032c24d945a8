/** What a run of the benchmark of threads found, as tables: for a terminal, and for a page in Markdown. */
import Table from 'cli-table3';
import { createColors } from 'picocolors';
import type { Build } from '../../test/builds.ts';
import { markdownTable } from '../markdown.ts';
import { chars, milliseconds, NONE, trimLines, type Grid } from '../table.ts';
import { ofRoof, speedup, type FigureReport, type PairReport, type ThreadsReport } from './report.ts';

type Plain = Pick<Grid, 'heads' | 'rows'>;

/** The machine, a table for each section, and what must be said below them. */
export function renderThreads(report: ThreadsReport, color = false): string {
  const { dim, bold, red } = createColors(color);
  const lines = [dim(machineLine(report)), ''];
  for (const { heads, rows } of gridsOf(report)) {
    const table = new Table({
      chars,
      head: heads.map((head, i) => (i === 0 ? bold(head) : dim(head))),
      colAligns: heads.map((_, i) => (i === 0 ? 'left' : 'right')),
      style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
    });
    for (const row of rows) table.push([...row]);
    lines.push(trimLines(table.toString()), '');
  }
  return [...lines, ...notes(report).map(dim), ...problemsOf(report).map(red)].join('\n');
}

export function markdownThreads(reports: readonly ThreadsReport[]): string {
  const each = reports.map((report) =>
    [machineLine(report), ...gridsOf(report).map(markdownTable)].join('\n\n'),
  );
  return [...each, [...new Set(reports.flatMap(notes))].join(' \\\n')].join('\n\n');
}

export function problemsOf({ rows }: ThreadsReport): string[] {
  return rows.flatMap((row) => {
    if (row.kind !== 'pair') return [];
    return Object.entries(row.results).flatMap(([build, { problem }]) =>
      problem === undefined ? [] : [`${row.section} ${row.name}, ${build}: ${problem}`],
    );
  });
}

function machineLine({ version, machine, mode }: ThreadsReport): string {
  const { cpu, cores, system, node, v8, load, date } = machine;
  return [
    `${cpu}, ${cores} ${cores === 1 ? 'core' : 'cores'} · ${system} · Node ${node} (V8 ${v8})`,
    `heed ${version} · ${date.slice(0, 10)} · ${mode} run · load ${load.toFixed(1)} before it`,
  ].join(' · ');
}

/** A table for each section, in the order of the rows. */
export function gridsOf(report: ThreadsReport): Plain[] {
  return [...new Set(report.rows.map(({ section }) => section))].map((section) => {
    const rows = report.rows.filter((row) => row.section === section);
    const pairs = rows.filter((row) => row.kind === 'pair');
    if (pairs.length === 0) return figureGrid(section, rows as FigureReport[]);
    const more = Math.max(...pairs.flatMap(({ results }) => Object.values(results).flatMap(threadsOf)));
    return more > 2 ? crowdGrid(section, pairs, report.builds) : pairGrid(section, pairs, report.builds);
  });
}

function threadsOf({ times }: PairReport['results'][Build] & object): number[] {
  return Object.keys(times).map(Number);
}

/** Pairs of builds, in their order. */
function pair(builds: readonly Build[], of: (build: Build) => string): string {
  return builds.map(of).join(' / ');
}

const ratio = (value: number | undefined): string => value?.toFixed(2) ?? NONE;

function pairGrid(section: string, rows: readonly PairReport[], builds: readonly Build[]): Plain {
  const roof = rows.find((row) => row.roof !== undefined)?.roof;
  const heads = [
    section,
    'one thread',
    'two',
    ...(roof ? ['speed-up', `of ${roof}`, 'part'] : ['two by one']),
  ];
  return {
    heads,
    rows: rows.map(({ name, results }) => {
      const time =
        (threads: number) =>
        (build: Build): string =>
          milliseconds(results[build]?.times[threads]?.p50);
      const up = (build: Build): number | undefined => results[build] && speedup(results[build].times);
      const bare = (build: Build): string => {
        const loops = results[build]?.roof;
        return ratio(loops && speedup(loops));
      };
      const part = (build: Build): string => ratio(results[build] && ofRoof(results[build]));
      const times = [1, 2].map((threads) => pair(builds, time(threads)));
      if (roof === undefined) return [name, ...times, pair(builds, (build) => ratio(inverse(up(build))))];
      return [
        name,
        ...times,
        ...[(build: Build) => ratio(up(build)), bare, part].map((of) => pair(builds, of)),
      ];
    }),
  };
}

function inverse(value: number | undefined): number | undefined {
  return value && 1 / value;
}

/** Speed-ups by number of threads. */
function crowdGrid(section: string, rows: readonly PairReport[], builds: readonly Build[]): Plain {
  const counts = [
    ...new Set(rows.flatMap(({ results }) => Object.values(results).flatMap(threadsOf))),
  ].filter((threads) => threads > 1);
  return {
    heads: [section, 'one thread', ...counts.map((threads) => `× with ${threads}`)],
    rows: rows.map(({ name, results }) => [
      name,
      pair(builds, (build) => milliseconds(results[build]?.times[1]?.p50)),
      ...counts.map((threads) =>
        pair(builds, (build) => ratio(results[build] && speedup(results[build].times, threads))),
      ),
    ]),
  };
}

function figureGrid(section: string, rows: readonly FigureReport[]): Plain {
  return {
    heads: [section, 'time', 'beside', 'its time', 'ratio'],
    rows: rows.map(({ name, value, beside, other }) => [
      ...[name, milliseconds(value), beside || NONE, milliseconds(other)],
      ratio(other && value / other),
    ]),
  };
}

/** Of two cores of one's own the loops make nearly 2: below, other programs (or two threads on one core) are in the figures. */
const ALONE = 1.8;

/** Rows whose loops had less than two cores. */
function crowded({ rows }: ThreadsReport): string[] {
  return rows.flatMap((row) => {
    if (row.kind !== 'pair') return [];
    const bare = Object.values(row.results).flatMap(({ roof }) => (roof && speedup(roof)) ?? []);
    return Math.min(...bare) < ALONE ? [row.name] : [];
  });
}

function notes(report: ThreadsReport): string[] {
  const { builds, rows } = report;
  const others = crowded(report);
  const has = (roof: string): boolean => rows.some((row) => row.kind === 'pair' && row.roof === roof);
  return [
    'Times are medians.',
    ...(builds.length > 1 ? [`Pairs are ${builds.join(' / ')}.`] : []),
    ...(has('peak')
      ? ['peak: the speed-up of loops that multiply and add in registers, sampled in turn with the row']
      : []),
    ...(has('read')
      ? ["read: that of loops that read as many bytes as the row's, in arrays of their own"]
      : []),
    ...(has('peak') || has('read') ? ["part: the row's speed-up by that of the loops"] : []),
    ...(others.length > 0
      ? [
          `Loops beside ${others.join('; ')} had less than ${ALONE} cores: run again when other programs are done.`,
        ]
      : []),
  ];
}
