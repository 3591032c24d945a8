/** A report as a picture: how much of its roof each row reaches, a bar a build, as SVG. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { Build } from '../test/builds.ts';
import type { Report, RowReport } from './report.ts';
import { milliseconds } from './table.ts';

/** Sections of the standard table. */
const SECTIONS: readonly string[] = ['matmul', 'attention', 'layer', 'decoding'];

/** Rows of so few FLOPs are not about a roof: nearly all of their time is the call. */
const LEAST = 1e5;

const OF = { peak: '', read: ' of read', sum: ' of sum' } as const;
const COLORS: Readonly<Record<Build, string>> = { baseline: '#9dbdf5', relaxed: '#2457c5' };
const [INK, FAINT, PAPER] = ['#1f2937', '#6b7280', '#ffffff'] as const;

/** Pixels. */
const [WIDTH, ROW, TOP, BOTTOM, LEFT, RIGHT] = [840, 22, 92, 36, 190, 124] as const;

const TICKS = [0, 25, 50, 75, 100];

/** A band of the picture: the head of a section, or a row. */
interface Band {
  readonly key: string;
  readonly text: string;
  readonly row?: RowReport;
}

interface Bar {
  readonly key: string;
  readonly build: Build;
  readonly percent: number;
  readonly text: string;
}

export function drawChart(report: Report): string {
  const bands = bandsOf(report);
  const rows = bands.filter(({ row }) => row !== undefined);
  const bars = bands.flatMap(({ key, row }) =>
    row === undefined ? [] : report.builds.flatMap((build) => barOf(key, row, build)),
  );
  const fastest = report.builds.at(-1)!;
  const { document } = parseHTML('<html></html>');
  const svg = Plot.plot({
    document: document,
    width: WIDTH,
    height: TOP + BOTTOM + ROW * bands.length,
    ...{ marginTop: TOP, marginBottom: BOTTOM, marginLeft: LEFT, marginRight: RIGHT },
    style: { fontFamily: 'system-ui, sans-serif', fontSize: '12px', color: INK, background: PAPER },
    x: { domain: [0, 100], ticks: TICKS, tickSize: 0, tickFormat: (x: number) => `${x} %`, label: null },
    y: { domain: [...report.builds], axis: null, paddingInner: 0.1, paddingOuter: 0.25 },
    fy: { domain: bands.map(({ key }) => key), axis: null, padding: 0 },
    color: { domain: Object.keys(COLORS), range: Object.values(COLORS) },
    marks: [
      ...head(report),
      Plot.gridX(TICKS, { stroke: FAINT, strokeOpacity: 0.25 }),
      Plot.barX(bars, { fy: 'key', y: 'build', x: 'percent', fill: 'build' }),
      Plot.text(bars, { fy: 'key', y: 'build', x: 'percent', text: 'text', dx: 4, ...small('start', FAINT) }),
      Plot.text(rows, { fy: 'key', x: 0, text: 'text', frameAnchor: 'left', dx: -8, textAnchor: 'end' }),
      Plot.text(
        rows.map(({ key, row }) => ({ key, text: milliseconds(row!.results[fastest]?.timing.p50) })),
        { fy: 'key', frameAnchor: 'right', text: 'text', dx: RIGHT - 8, textAnchor: 'end' },
      ),
      Plot.text(
        bands.filter(({ row }) => row === undefined),
        { fy: 'key', text: 'text', frameAnchor: 'left', dx: 8 - LEFT, textAnchor: 'start', fontWeight: 700 },
      ),
    ],
  });
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return svg.outerHTML + '\n';
}

/** Title, machine, and which bar is which, above everything. */
function head({ version, machine, builds, mode }: Report): Plot.Markish[] {
  const { cpu, system, node, date } = machine;
  const line = (text: string, dy: number, more: Plot.TextOptions = {}): Plot.Markish =>
    Plot.text([text], {
      ...{ text: [text], facet: 'super', frameAnchor: 'top-left', textAnchor: 'start', lineAnchor: 'top' },
      ...{ dx: 8 - LEFT, dy: dy - TOP, ...more },
    });
  return [
    line('Per cent of what one core can do', 12, { fontSize: 17, fontWeight: 700 }),
    line(
      `heed ${version} · ${cpu}, ${system} · Node ${node} · ${date.slice(0, 10)} · ${mode} run · one thread`,
      37,
      { fill: FAINT },
    ),
    line(
      '100 % is a loop that only multiplies and adds; of read: one that only reads as many bytes; of sum: the two, one after the other',
      54,
      { fill: FAINT, fontSize: 11 },
    ),
    ...builds.map((build, i) =>
      line(`■ ${build}`, 14, {
        fill: COLORS[build],
        dx: WIDTH - LEFT - 8 - 84 * (builds.length - i),
        fontWeight: 700,
      }),
    ),
    line(`time, ${builds.at(-1)!}`, TOP - 20, {
      fill: FAINT,
      dx: WIDTH - LEFT - 8,
      textAnchor: 'end',
      fontSize: 11,
    }),
  ];
}

function small(textAnchor: 'start' | 'end', fill: string): Plot.TextOptions {
  return { textAnchor, fill, fontSize: 9 };
}

function bandsOf({ rows }: Report): Band[] {
  return SECTIONS.flatMap((section) => {
    const own = rows.filter((row) => row.section === section && row.flops >= LEAST);
    if (own.length === 0) return [];
    return [
      { key: section, text: section },
      ...own.map((row) => ({ key: `${section} ${row.name}`, text: row.name, row })),
    ];
  });
}

function barOf(key: string, { results, roof }: RowReport, build: Build): Bar[] {
  const percent = results[build]?.percent;
  if (percent === undefined) return [];
  return [{ key, build, percent: Math.min(percent, 100), text: percent.toFixed(0) + OF[roof] }];
}
