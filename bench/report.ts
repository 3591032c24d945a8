/** What a run of the benchmark found: the shape of its JSON, and what the table is drawn from. Data only. */
import type { Build } from '../test/builds.ts';
import type { Chains } from './roof.ts';
import type { Timing } from './sample.ts';

/** Who computes a row: two in JavaScript, then a build of heed each. */
export const CONTENDERS = ['reference', 'plain', 'baseline', 'relaxed'] as const;
export type ContenderName = (typeof CONTENDERS)[number];

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly system: string;
  readonly node: string;
  readonly v8: string;
  /** ISO 8601. */
  readonly date: string;
  /** Mean number of running programs over the last minute, before the run; this run itself adds one. */
  readonly load: number;
}

/** The roof of one build. Rates in GFLOP/s and GB/s. */
export interface RoofReport {
  readonly build: Build;
  /** The best of the chains, each at its median over the rows. A row is compared with its own peak, not with this. */
  readonly peak: number;
  /** By number of chains. */
  readonly chains: Readonly<Record<Chains, number>>;
  /** By bytes of the array that was read: best of many. */
  readonly read: readonly { readonly bytes: number; readonly rate: number }[];
}

export interface Result {
  /** Milliseconds; undefined where it was too slow to be sampled. */
  readonly timing: Timing | undefined;
  /** Milliseconds of the first call, with everything cold. */
  readonly first: number;
  /** GFLOP/s at p50; GB/s where the row has no FLOPs. */
  readonly rate: number | undefined;
  /** Of the row's roof, which was sampled in turn with this. Only heed's builds have one. */
  readonly percent: number | undefined;
  /** The largest part of its error bound (test/laws.ts) that any checked element uses. */
  readonly errorOfBound: number;
}

export interface RowReport {
  readonly section: string;
  readonly name: string;
  readonly flops: number;
  /** What the per cent are of: multiply-adds, or reading so many bytes. */
  readonly roof: 'peak' | 'read';
  readonly bytes: number | undefined;
  /** GFLOP/s or GB/s, by build, sampled in this row. */
  readonly roofs: Readonly<Partial<Record<Build, number>>>;
  /** Every how many rows of the result one was held against the law. */
  readonly checkedEvery: number;
  /** The part of the time that this program had a core: well below 1, other programs were running. */
  readonly core: number;
  readonly results: Readonly<Partial<Record<ContenderName, Result>>>;
}

export interface Report {
  readonly mode: 'quick' | 'full';
  readonly machine: Machine;
  readonly builds: readonly Build[];
  readonly roofs: readonly RoofReport[];
  readonly rows: readonly RowReport[];
}
