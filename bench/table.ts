/** A report as a table for a terminal of 100 columns. */
import Table, { type CharName } from 'cli-table3';
import { createColors } from 'picocolors';
import type { ContenderName, Report, RowReport } from './report.ts';

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

const heads = [
  'case',
  'JS reference',
  'plain f32 loops',
  'heed baseline',
  'heed relaxed',
  'GFLOP/s',
  '% of peak',
  '× plain loops',
];
const widths = [25, 10, 10, 10, 10, 12, 11, 12];

/** Lines only under the heads: the rows are close enough to be read along. */
export const chars: Readonly<Partial<Record<CharName, string>>> = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '' },
};

/** The whole page: machine, a table for each section, and what must be said below them. */
export function renderTable(report: Report, color = false): string {
  const { bold, dim } = createColors(color);
  const lines = [...machineLines(report).map(dim), ''];
  const sections = [...new Set(report.rows.map(({ section }) => section))];
  for (const section of sections) {
    const table = new Table({
      chars,
      head: heads.map((head, i) => (i === 0 ? bold(section) : dim(head))),
      colWidths: widths,
      colAligns: widths.map((_, i) => (i === 0 ? 'left' : 'right')),
      style: { head: [], border: [], 'padding-left': 0, 'padding-right': 1 },
      wordWrap: true,
    });
    const pairs = report.builds.includes('relaxed');
    for (const row of report.rows) if (row.section === section) table.push(cells(row, pairs, bold));
    lines.push(trimLines(table.toString()), '');
  }
  return [...lines, ...notes(report).map(dim)].join('\n');
}

function cells(row: RowReport, pairs: boolean, bold: (text: string) => string): string[] {
  const { reference, plain, baseline, relaxed } = row.results;
  const speedUp = (name: 'baseline' | 'relaxed'): string => {
    const mine = row.results[name]?.timing?.p50;
    return mine === undefined || plain?.timing === undefined ? NONE : significant(plain.timing.p50 / mine, 2);
  };
  const times = [reference, plain, baseline, relaxed].map((result) => milliseconds(result?.timing?.p50));
  const fastest = relaxed === undefined ? 2 : 3;
  times[fastest] = bold(times[fastest]!);
  const pair = (first: string, second: string): string =>
    pairs ? `${first} / ${second.padStart(2)}` : first;
  const percent = (value: number | undefined): string => (value === undefined ? NONE : value.toFixed(0));
  const rate = (value: number | undefined): string => (value === undefined ? NONE : significant(value, 3));
  return [
    row.name,
    ...times,
    pair(rate(baseline?.rate), rate(relaxed?.rate)),
    pair(percent(baseline?.percent), percent(relaxed?.percent)) + (row.roof === 'read' ? 'ʳ' : ''),
    plain === undefined ? NONE : pair(speedUp('baseline'), speedUp('relaxed')),
  ];
}

function machineLines({ machine, roofs, mode }: Report): string[] {
  const { cpu, cores, system, node, v8, load, date } = machine;
  const peaks = roofs.map(({ build, peak }) => `${peak.toFixed(1)} GFLOP/s ${build}`).join(', ');
  const reads = roofs
    .at(-1)
    ?.read.map(({ bytes, rate }) => `${rate.toFixed(0)} GB/s of ${bytes / 2 ** 20} MB`);
  return [
    `${cpu}, ${cores} ${cores === 1 ? 'core' : 'cores'} · ${system} · Node ${node} (V8 ${v8})`,
    `one thread · peak ${peaks} · read ${reads?.join(', ') ?? NONE}`,
    `${date.slice(0, 10)} · ${mode === 'full' ? 'full run' : 'quick run'} · load ${load.toFixed(1)} before it`,
  ];
}

function notes({ rows, builds }: Report): string[] {
  const lines = [`Times are medians.${builds.includes('relaxed') ? ' Pairs are baseline / relaxed.' : ''}`];
  if (rows.some(({ section }) => section === 'kernels')) lines.push(...KERNELS);
  if (rows.some(({ roof }) => roof === 'read')) {
    lines.push('ʳ memory is the limit, so per cent of the rate at which wasm reads that many bytes');
  }
  const slow = rows.flatMap(({ name, results }) =>
    (Object.entries(results) as [ContenderName, (typeof results)[ContenderName]][])
      .filter(([, result]) => result !== undefined && result.timing === undefined)
      .map(([contender, result]) => `${contender}, ${name}: ${milliseconds(result?.first)}`),
  );
  if (slow.length > 0) lines.push(`${NONE} too slow to be sampled, one call took: ${slow.join('; ')}`);
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
