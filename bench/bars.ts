/**
 * What every path is to reach: the one table of the project's bars, all ratios inside one run, and `npm run bench:bars -- FILE …`,
 * which holds runs against it (`--json` of `npm run bench -- --full` under Node 24 and Node 20, of `npm run bench:peers`, and of
 * `npm run bench:threads -- --full`, whose bars are in bench/threads/bars.ts). It tells;
 * the exit code is 0 whatever was reached, since a time is no test.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import Table from 'cli-table3';
import colors from 'picocolors';
import type { Build } from '../test/builds.ts';
import type { PeerReport } from './peers/report.ts';
import { ratioOf } from './peers/table.ts';
import { hold, type Held } from './held.ts';
import type { Report, RowReport } from './report.ts';
import { chars, trimLines } from './table.ts';
import { holdThreads } from './threads/bars.ts';
import type { ThreadsReport } from './threads/report.ts';

/** Of the row's roof, per cent: at least. */
interface RoofBar {
  readonly row: string;
  readonly percent: Readonly<Record<Build, number>>;
}

const roof = (relaxed: number, baseline: number, ...rows: readonly string[]): RoofBar[] =>
  rows.map((row) => ({ row, percent: { relaxed, baseline } }));

/** Per cent of peak, of `read` for one row of a matmul, of `sum` for decoding: 80 is 1.25 × the sum. */
export const roofBars: readonly RoofBar[] = [
  ...roof(80, 60, 'matmul 64³'),
  ...roof(85, 80, 'matmul 128³', 'matmul 256³', 'matmul 512³', 'matmul 1024³', 'matmul 2048³'),
  ...roof(85, 80, 'matmul 128 × 768 × 768', 'matmul 512 × 768 × 3072'),
  ...roof(92, 86, 'matmul 512³ packed'),
  ...roof(95, 90, 'matmul 1024³ packed'),
  ...roof(85, 85, 'matmul 1 × 768 × 768 packed', 'matmul 1 × 4096 × 4096 packed'),
  ...roof(65, 65, 'matmul 1 × 768 × 768 tensor', 'matmul 1 × 4096 × 4096 tensor'),
  ...roof(25, 20, 'attention 12 × 64, S = 16'),
  ...roof(60, 48, 'attention 12 × 64, S = 64'),
  ...roof(70, 60, 'attention 12 × 64, S = 128'),
  ...roof(78, 70, 'attention 12 × 64, S = 512'),
  ...roof(82, 75, ...[1024, 2048, 4096, 8192].map((S) => `attention 12 × 64, S = ${S}`)),
  ...roof(86, 78, 'attention 8 × 128, S = 1024'),
  ...roof(55, 50, 'attention 12 × 15, S = 512'),
  ...roof(60, 55, 'attention 12 × 20, S = 512'),
  ...roof(70, 62, 'attention 12 × 40, S = 512'),
  ...roof(78, 70, 'attention 12 × 80, S = 512'),
  ...roof(80, 72, 'attention 12 × 96, S = 512'),
  ...roof(
    80,
    80,
    ...['32/8', '32/32'].flatMap((heads) =>
      [4096, 16384].map((keys) => `decoding ${heads} × 128, ${keys} keys`),
    ),
  ),
  ...roof(80, 74, 'layer 768/12, S = 128', 'layer 768/12, S = 512'),
];

/** The time by that of another, at most: of the row that it stands beside, or of plain loops on the same call. */
export const timeBars: readonly {
  readonly row: string;
  readonly by: 'beside' | 'plain';
  readonly most: number;
}[] = [
  ...[1024, 2048, 4096, 8192].map((S) => {
    return { row: `attention 12 × 64, S = ${S} causal`, by: 'beside', most: 0.56 } as const;
  }),
  { row: 'attention 2 × 2, S = 3', by: 'plain', most: 4 },
  ...['2 × 16, S = 8', '12 × 64, S = 16', '12 × 64, S = 64', '12 × 64, S = 128'].map((shape) => {
    return { row: `attention ${shape}`, by: 'plain', most: 1 } as const;
  }),
];

/** The first call of attention in a process, by the time once settled: at most. */
const FIRST_CALL = 2;

/** How many times as fast as onnxruntime-web's best operator: at least. */
export const peerBars: Readonly<
  Record<'matmul' | 'attention' | 'causal' | 'decoding' | 'layer' | 'start', number>
> = {
  matmul: 1.7,
  attention: 1.9,
  causal: 3.5,
  /** Against what an application can do there: past keys and values fed with each token. Constants, aside, can have none added. */
  decoding: 2.5,
  layer: 1.6,
  /** At most 3 % of its time. */
  start: 1 / 0.03,
};

/** Every bar of a run of the benchmark, for each build that it had. */
export function holdReport({ rows, builds, machine, cold }: Report): Held[] {
  const node = `Node ${machine.node.split('.')[0]!}`;
  const rowOf = (name: string): RowReport | undefined =>
    rows.find((each) => `${each.section} ${each.name}` === name);
  const held = builds.flatMap((build) => {
    const run = `${node} ${build}`;
    return [
      ...roofBars.map(({ row, percent }) => {
        const report = rowOf(row);
        const of = { peak: 'peak', read: 'read', sum: 'sum' }[report?.roof ?? 'peak'];
        return hold(row, run, report?.results[build]?.percent, {
          least: percent[build],
          unit: ` % of ${of}`,
        });
      }),
      ...timeBars.map(({ row, by, most }) => {
        const { results = {}, beside } = rowOf(row) ?? {};
        const [mine, plain] = [results[build], results.plain?.timing.p50];
        const reached = by === 'beside' ? mine?.ratio : mine && plain && mine.timing.p50 / plain;
        return hold(row, run, reached, {
          most,
          unit: ` × ${by === 'beside' ? (beside ?? 'full') : 'plain loops'}`,
        });
      }),
    ];
  });
  const first = cold && cold.first / cold.settled;
  const coldRun = `${node} ${cold?.build ?? ''}`.trim();
  return [
    ...held,
    hold('first call in a new process', coldRun, first, { most: FIRST_CALL, unit: ' × settled' }),
  ];
}

/** Every bar of a run beside the peers. */
export function holdPeers({ rows, machine }: PeerReport): Held[] {
  return rows.flatMap((row) => {
    if (row.bar === undefined) return [];
    const what = `${row.section} ${row.name}`;
    return [
      hold(what, `Node ${machine.node.split('.')[0]!}`, ratioOf(row), {
        least: row.bar,
        unit: ' × onnxruntime-web',
      }),
    ];
  });
}

export function renderBars(held: readonly Held[]): string {
  const table = new Table({
    chars,
    head: ['bar', 'run', 'reached', 'is to be', ''],
    colAligns: ['left', 'left', 'right', 'left', 'left'],
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
  });
  const word = (met: boolean | undefined): string =>
    met === undefined ? colors.dim('–') : met ? colors.green('met') : colors.red('missed');
  for (const { what, run, reached, bar, met } of held) table.push([what, run, reached, bar, word(met)]);
  const count = (wanted: boolean): number => held.filter(({ met }) => met === wanted).length;
  return `${trimLines(table.toString())}\n\n${count(true)} met, ${count(false)} missed`;
}

/** Runs are told apart by what they have: peers have versions. */
function holdFile(file: string): Held[] {
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report | PeerReport | ThreadsReport;
  if ('kind' in report) return holdThreads(report);
  return 'versions' in report ? holdPeers(report) : holdReport(report);
}

const [, script, ...files] = process.argv;
if (script !== undefined && import.meta.url === pathToFileURL(script).href) {
  if (files.length === 0)
    console.log('npm run bench:bars -- FILE …   what --json of bench, bench:peers and bench:threads wrote');
  else console.log(renderBars(files.flatMap(holdFile)));
}
