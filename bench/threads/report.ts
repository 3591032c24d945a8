/** What a run of the benchmark of threads found: the shape of its JSON, and what the tables are drawn from. Data only. */
import type { Build } from '../../test/builds.ts';
import type { Machine } from '../report.ts';
import type { Timing } from '../sample.ts';

/** What a row's speed-up is compared with: that of loops that multiply and add in registers, or that read. */
export type PairRoof = 'peak' | 'read';

/** Times of the same thing with some numbers of threads, sampled in turn. */
export type Times = Readonly<Record<number, Timing>>;

export interface PairResult {
  /** Milliseconds, by threads. */
  readonly times: Times;
  /** Of the loops beside it, for as much work with one thread as with two; of calls too small for a roof none. */
  readonly roof: Times | undefined;
  /** In words: why there are no times. */
  readonly problem?: string;
}

/** A call with one thread and with more. */
export interface PairReport {
  readonly kind: 'pair';
  readonly section: string;
  readonly name: string;
  readonly roof: PairRoof | undefined;
  readonly results: Readonly<Partial<Record<Build, PairResult>>>;
}

/** One thing beside another: an empty job beside a bare round trip, an asynchronous call beside a synchronous one. */
export interface FigureReport {
  readonly kind: 'figure';
  readonly section: string;
  readonly name: string;
  /** What it stands beside; '' where it stands alone. */
  readonly beside: string;
  /** Milliseconds. */
  readonly value: number;
  readonly other: number | undefined;
}

export type ThreadsRow = PairReport | FigureReport;

export interface ThreadsReport {
  readonly kind: 'threads';
  /** Of heed. */
  readonly version: string;
  readonly mode: 'quick' | 'full';
  readonly machine: Machine;
  readonly builds: readonly Build[];
  readonly rows: readonly ThreadsRow[];
}

/** One thread's median by that of more. */
export function speedup(times: Times, threads = 2): number | undefined {
  const [one, more] = [times[1], times[threads]];
  return one && more && one.p50 / more.p50;
}

/** The speed-up by that of the loops beside it. */
export function ofRoof({ times, roof }: PairResult): number | undefined {
  const [mine, bare] = [speedup(times), roof && speedup(roof)];
  return mine && bare && mine / bare;
}
