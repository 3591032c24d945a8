/** A report as tables for a terminal of 100 columns. */
import Table, { type CharName } from 'cli-table3';
import { createColors } from 'picocolors';
import type { ColdReport, ContenderName, Report, RowReport } from './report.ts';

/** What stands where a value is missing. */
export const NONE = '–';

/** In the place of the relaxed build where the JavaScript engine lacks its instructions. */
export const NO_RELAXED = 'relaxed: needs Node ≥ 22';

/** Below this part of a core the figures say more about other programs than about this one. */
export const QUIET = 0.95;

/** What the section of kernels counts. */
const KERNELS: readonly string[] = [
  'kernels: the widest tile that serves (4×8; with FMA 6×8), operands in the first cache level, calls',
  'included. 2^x counts 17 FLOPs, a weight 19. Packing counts the bytes it reads; it writes as many.',
];

/** Times by contender, under these heads. */
const contenders: readonly (readonly [ContenderName, head: string])[] = [
  ['reference', 'JS reference'],
  ['plain', 'plain f32 loops'],
  ['baseline', 'heed baseline'],
  ['relaxed', 'heed relaxed'],
];

/** Lines only under the heads: the rows are close enough to be read along. */
export const chars: Readonly<Partial<Record<CharName, string>>> = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '' },
};

/** Columns of the terminal. */
const WIDTH = 100;

type Colors = ReturnType<typeof createColors>;

/** A table, for a terminal or for a page in Markdown. */
export interface Grid {
  readonly heads: readonly string[];
  /** In a terminal. */
  readonly widths: readonly number[];
  readonly rows: readonly (readonly string[])[];
}

/** The whole page: machine, a table for each section, what stands beside what, and what must be said below them. */
export function renderTable(report: Report, color = false): string {
  const colors = createColors(color);
  const lines = [...machineLines(report).map(colors.dim), ''];
  for (const grid of gridsOf(report, colors.bold)) lines.push(renderGrid(grid, colors), '');
  return [...lines, ...notes(report).map(colors.dim), ...problemsOf(report).map(colors.red)].join('\n');
}

/** A table for each section, and one of what stands beside what. */
export function gridsOf(report: Report, bold: Style = same): Grid[] {
  const { rows, builds } = report;
  const grids = [...new Set(rows.map(({ section }) => section))].map((section) =>
    gridOf(report, section, rows.filter((row) => row.section === section).map(named), bold),
  );
  const beside = [...rows.flatMap(ratios), ...coldStart(report.cold)];
  if (beside.length === 0) return grids;
  const heads = ['side by side', 'compared with', ...builds];
  return [...grids, { heads, widths: [42, 32, 13, 13], rows: beside }];
}

/** Some rows under one head, each by the name that stands in the first column. */
export function gridOf(
  { rows, builds }: Report,
  head: string,
  some: readonly (readonly [name: string, row: RowReport])[],
  bold: Style = same,
): Grid {
  const shown = contenders.filter(([name]) => rows.some(({ results }) => results[name] !== undefined));
  const names = shown.map(([name]) => name);
  const values = [...shown.map(() => 10), 12, 11, 12];
  return {
    heads: [head, ...shown.map(([, each]) => each), 'GFLOP/s', '% of roof', '× plain loops'],
    widths: [WIDTH - values.reduce((a, b) => a + b), ...values],
    rows: some.map(([name, row]) => cells(name, row, names, builds.length > 1, bold)),
  };
}

type Style = (text: string) => string;
const same: Style = (text) => text;
const named = (row: RowReport): readonly [string, RowReport] => [row.name, row];

function renderGrid({ heads, widths, rows }: Grid, { bold, dim }: Colors): string {
  const table = new Table({
    chars,
    head: heads.map((head, i) => (i === 0 ? bold(head) : dim(head))),
    colWidths: widths.slice(0, heads.length),
    colAligns: heads.map((_, i) => (i === 0 ? 'left' : 'right')),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 1 },
    wordWrap: true,
  });
  for (const row of rows) table.push([...row]);
  return trimLines(table.toString());
}

function cells(
  name: string,
  { results, roof }: RowReport,
  shown: readonly ContenderName[],
  pairs: boolean,
  bold: (text: string) => string,
): string[] {
  const { plain, baseline, relaxed } = results;
  const times = shown.map((each) => milliseconds(results[each]?.timing.p50));
  times[times.length - 1] = bold(times.at(-1)!);
  const pair = (of: (result: typeof baseline) => string): string =>
    pairs ? `${of(baseline)} / ${of(relaxed).padStart(2)}` : of(baseline);
  const mark = { peak: '', read: 'ʳ', sum: 'ˢ' }[roof];
  return [
    name,
    ...times,
    pair((result) => (result === undefined ? NONE : significant(result.rate, 3))),
    pair((result) => result?.percent?.toFixed(0) ?? NONE) + mark,
    plain === undefined
      ? NONE
      : pair((result) => (result ? significant(plain.timing.p50 / result.timing.p50, 2) : NONE)),
  ];
}

/** A row that stands beside another, as a row of ratios. */
function ratios({ name, beside, results: { baseline, relaxed } }: RowReport): string[][] {
  if (beside === undefined) return [];
  return [[name, beside, ...[baseline, relaxed].map((result) => result?.ratio?.toFixed(2) ?? '')]];
}

function coldStart(cold: ColdReport | undefined): string[][] {
  if (cold === undefined) return [];
  const under = (text: string): string[] => (cold.build === 'baseline' ? [text] : ['', text]);
  return [
    [
      'first call in a new process, S = 1024',
      'once settled',
      ...under((cold.first / cold.settled).toFixed(2)),
    ],
    ['import and first small result in one', '', ...under(milliseconds(cold.small))],
  ];
}

export function machineLines({ version, machine, roofs, mode }: Report): string[] {
  const { cpu, cores, system, node, v8, load, date } = machine;
  const peaks = roofs.map(({ build, peak }) => `${peak.toFixed(1)} GFLOP/s ${build}`).join(', ');
  const reads = roofs
    .at(-1)
    ?.read.map(({ bytes, rate }) => `${rate.toFixed(0)} GB/s of ${bytes / 2 ** 20} MB`);
  return [
    `${cpu}, ${cores} ${cores === 1 ? 'core' : 'cores'} · ${system} · Node ${node} (V8 ${v8})`,
    `one thread · peak ${peaks} · read ${reads?.join(', ') ?? NONE}`,
    `heed ${version} · ${date.slice(0, 10)} · ${mode} run · load ${load.toFixed(1)} before it`,
  ];
}

/** What went wrong, in each row and beside them. */
export function problemsOf({ rows, problems }: Report): string[] {
  const ofRow = (row: RowReport): string[] =>
    row.problems.map((problem) => `${row.section} ${row.name}: ${problem}`);
  return [...rows.flatMap(ofRow), ...problems];
}

export function notes({ rows, builds }: Report): string[] {
  const lines = [`Times are medians.${builds.includes('relaxed') ? ' Pairs are baseline / relaxed.' : ''}`];
  const has = (wanted: (row: RowReport) => boolean): boolean => rows.some(wanted);
  if (has(({ section }) => section === 'kernels')) lines.push(...KERNELS);
  if (has(({ roof }) => roof === 'peak')) {
    lines.push('roof: the multiply-adds at the rate of a loop that does nothing else (peak)');
  }
  if (has(({ roof }) => roof === 'read')) {
    lines.push('ʳ memory is the limit, so the roof is the rate at which wasm reads that many bytes');
  }
  if (has(({ roof }) => roof === 'sum')) {
    lines.push('ˢ reading the cache once, and then the multiply-adds at peak');
  }
  for (const { section, name, bytes, roofs } of rows) {
    const { readBytes = bytes, readShared = false } = Object.values(roofs)[0] ?? {};
    const short = [
      ...(readBytes < bytes ? [`read was taken of ${megabytes(readBytes)}`] : []),
      ...(readShared ? ['its loops read one array'] : []),
    ];
    if (short.length > 0)
      lines.push(`${section} ${name}: short of memory for ${megabytes(bytes)} a loop; ${short.join(', ')}`);
  }
  const core = Math.min(...rows.map((row) => row.core));
  if (core < QUIET) {
    const held = `${(100 * (1 - core)).toFixed(0)} %`;
    lines.push(
      `Other programs held the core for up to ${held} of a row's time: run again when they are done.`,
    );
  }
  if (!builds.includes('relaxed')) lines.push(NO_RELAXED);
  return lines;
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MB`;
}

/** 28.4 µs, 3.42 ms, 1.23 s */
export function milliseconds(value: number | undefined): string {
  if (value === undefined) return NONE;
  const rounded = Number(value.toPrecision(3));
  if (rounded < 1) return `${significant(value * 1000, 3)} µs`;
  return rounded < 1000 ? `${significant(value, 3)} ms` : `${significant(value / 1000, 3)} s`;
}

/** Without an exponent, and with two decimals at most: 0.01, 1.23, 123, 1234 */
export function significant(value: number, digits: number): string {
  const rounded = Number(value.toPrecision(digits));
  const whole = rounded < 1 ? 0 : Math.floor(Math.log10(rounded)) + 1;
  return value.toFixed(Math.min(2, Math.max(0, digits - whole)));
}

export function trimLines(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
