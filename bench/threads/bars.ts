/** What threads are to reach: a part of the speed-up of bare loops beside them, and what sharing may cost. Ratios inside one run. */
import { hold, type Held } from '../held.ts';
import { ofRoof, speedup, type FigureReport, type PairReport, type ThreadsReport } from './report.ts';

/** Of the speed-up of the loops that were sampled in turn with it: at least. */
interface PartBar {
  readonly row: string;
  readonly least: number;
}

const part = (least: number, ...rows: readonly string[]): PartBar[] => rows.map((row) => ({ row, least }));
const both = (row: string): string[] => [row, `${row} tensors`];

export const partBars: readonly PartBar[] = [
  ...[512, 1024, 2048].flatMap((S) =>
    [`attention 12 × 64, S = ${S}`, `attention 12 × 64, S = ${S} causal`].flatMap((row) =>
      part(0.95, ...both(row)),
    ),
  ),
  ...[64, 128].flatMap((headDim) =>
    [1024, 4096].flatMap((S) => part(0.88, ...both(`attention 1 × ${headDim}, S = ${S}`))),
  ),
  ...[512, 1024, 2048].flatMap((n) => part(0.95, ...both(`matmul ${n}³`), ...both(`matmul ${n}³ packed`))),
  ...part(0.95, 'layer 768/12, S = 512', 'decoding 32/8 × 128, 16384 keys'),
];

/** The time with two threads by that with one, of a call too small to gain: at most. */
export const SMALL = 1.03;

/** By the time of what it stands beside, in microseconds, or in microseconds more than that: at most. */
export const figureBars: readonly {
  readonly row: string;
  readonly by: 'other' | 'microseconds' | 'more';
  readonly most: number;
}[] = [
  { row: 'an empty job back to back', by: 'microseconds', most: 20 },
  ...[0.5, 5, 50].map((pause) => {
    return { row: `an empty job after ${pause} ms`, by: 'other', most: 1.5 } as const;
  }),
  // The time that a worker spins.
  { row: 'idle workers CPU in the 10 ms after a job', by: 'more', most: 100 },
  // Nothing, but for what process.cpuUsage() is off by.
  { row: 'idle workers CPU in the 300 ms after those', by: 'more', most: 50 },
];

/** Every bar of a run, for each build that it had. */
export function holdThreads({ rows, builds, machine }: ThreadsReport): Held[] {
  const node = `Node ${machine.node.split('.')[0]!}`;
  const nameOf = ({ section, name }: PairReport | FigureReport): string => `${section} ${name}`;
  const pairs = rows.filter((row) => row.kind === 'pair');
  const figures = new Map(rows.filter((row) => row.kind === 'figure').map((row) => [nameOf(row), row]));
  const byName = new Map(pairs.map((row) => [nameOf(row), row]));
  const held = builds.flatMap((build) => {
    const run = `${node} ${build}`;
    const parts = partBars.map(({ row, least }) => {
      const { results: { [build]: result } = {}, roof = 'peak' } = byName.get(row) ?? {};
      return hold(row, run, result && ofRoof(result), { least, unit: ` × that of ${roof}` });
    });
    const small = pairs
      .filter(({ section }) => section.startsWith('small'))
      .map((row) => {
        const { times = {} } = row.results[build] ?? {};
        const up = speedup(times);
        return hold(nameOf(row), run, up && 1 / up, { most: SMALL, unit: ' × one thread' });
      });
    return [...parts, ...small];
  });
  return [
    ...held,
    ...figureBars.map(({ row, by, most }) => {
      const { value = NaN, other = NaN, beside = 'what it stands beside' } = figures.get(row) ?? {};
      const reached = { other: value / other, microseconds: 1000 * value, more: 1000 * (value - other) }[by];
      const unit = { other: ` × ${beside}`, microseconds: ' µs', more: ` µs more than ${beside}` }[by];
      return hold(row, node, Number.isNaN(reached) ? undefined : reached, { most, unit });
    }),
  ];
}
