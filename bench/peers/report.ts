/** What a run beside the peers found: the shape of its JSON, and what the table is drawn from. Data only. */
import type { Machine } from '../report.ts';
import type { Timing } from '../sample.ts';
import type { PeerRow } from './rows.ts';

/** One way of one peer. */
export interface Outcome {
  readonly peer: string;
  readonly way: string;
  /** Told, and in no ratio (peer.ts). */
  readonly aside?: boolean;
  /** Milliseconds a call; undefined where it is wrong, fails, or is too slow to be sampled. */
  readonly timing?: Timing;
  /** Milliseconds of the first call. */
  readonly first?: number;
  /** The largest part of its error bound (test/laws.ts) that any checked element uses. */
  readonly errorOfBound?: number;
  /** In words, why it is not timed. */
  readonly problem?: string;
}

export interface RowOutcome extends Pick<PeerRow, 'name' | 'bar'> {
  readonly section: PeerRow['section'] | 'cold start';
  readonly flops: number;
  /** The part of the time that the process had a core: well below 1, other programs were running. */
  readonly core?: number;
  /** Every how many rows of the result one was held against the law. */
  readonly checkedEvery: number;
  readonly outcomes: readonly Outcome[];
}

export interface PeerReport {
  readonly mode: 'quick' | 'full';
  readonly machine: Machine;
  /** Of the peers' packages, by the names of the peers. */
  readonly versions: Readonly<Record<string, string | undefined>>;
  readonly rows: readonly RowOutcome[];
}
