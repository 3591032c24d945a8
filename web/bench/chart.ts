/**
 * The chart of one kind of work: GFLOP/s by size, a line a contender, and a thin one for what one core can do with each build. Its
 * numbers stand in the table too.
 */
import uPlot, { type AlignedData, type Series } from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { CONTENDERS, SIZES, type Build, type RowReport } from './report.ts';

/** In the order of CONTENDERS: each with a colour and a dash of its own, so that either tells them apart. */
const LINES = [
  { colour: '--soft', dash: [3, 4] },
  { colour: '--accent', dash: [] },
  { colour: '--other', dash: [10, 4] },
  { colour: '--head-2', dash: [14, 4, 2, 4] },
] as const;

/** Whose peaks are drawn, in the colours of their lines. */
const PEAKS: readonly Build[] = ['baseline', 'relaxed'];

const PLACES: number[] = SIZES.map((_, at) => at);

export class Chart {
  readonly #place: HTMLElement;
  #rows: readonly RowReport[] = [];
  #plot: uPlot | undefined;

  constructor(place: HTMLElement) {
    this.#place = place;
    new ResizeObserver(() => {
      this.#plot?.setSize({ width: place.clientWidth, height: place.clientHeight });
    }).observe(place);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.show(this.#rows);
    });
  }

  show(rows: readonly RowReport[]): void {
    this.#rows = rows;
    this.#plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const lines = LINES.map(({ colour: name, dash }): Series => ({
      ...{ stroke: colour(name), dash: [...dash], width: 2, spanGaps: false },
      points: { show: true, size: 7, fill: colour(name) },
    }));
    const peaks = PEAKS.map((build): Series => {
      const { colour: name } = LINES[CONTENDERS.indexOf(build)]!;
      return { stroke: colour(name), width: 1, points: { show: false } };
    });
    const axis = {
      stroke: colour('--soft'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
    };
    const font = '12px system-ui, sans-serif';
    this.#plot = new uPlot(
      {
        ...{ width: this.#place.clientWidth, height: this.#place.clientHeight, padding: [12, 20, 0, 0] },
        legend: { show: false },
        cursor: { show: false },
        // Sizes double from one to the next: they are places of one distance.
        scales: {
          x: { time: false, range: [0, SIZES.length - 1] },
          y: { range: (_, __, most) => [0, Math.max(10, most * 1.08)] },
        },
        series: [{}, ...lines, ...peaks],
        axes: [
          {
            ...axis,
            font,
            size: 28,
            splits: () => PLACES,
            values: (_, splits) => splits.map((at) => String(SIZES[at])),
          },
          { ...axis, font, size: 44 },
        ],
      },
      dataOf(rows),
      this.#place,
    );
  }
}

function dataOf(rows: readonly RowReport[]): AlignedData {
  const at = SIZES.map((size) => rows.find((row) => row.size === size));
  return [
    PLACES,
    ...CONTENDERS.map((name) => at.map((row) => row?.results[name]?.gflops ?? null)),
    ...PEAKS.map((build) => at.map((row) => row?.peaks[build] ?? null)),
  ];
}
