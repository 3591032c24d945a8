/** What a run of the benchmark found: the shape of its JSON, and what the table and the chart are drawn from. Data only. */
import type { Build } from '../test/builds.ts';
import type { Chains } from './roof-loops.ts';
import type { Timing } from './sample.ts';

/** Who computes a row: two in JavaScript, then a build of heed each. */
export const CONTENDERS = ['reference', 'plain', 'baseline', 'relaxed'] as const;
export type ContenderName = (typeof CONTENDERS)[number];

/**
 * What limits a row: multiply-adds, reading its bytes once, or both, one after the other (wasm has no prefetch: they add
 * up).
 */
export type RoofKind = 'peak' | 'read' | 'sum';

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
  /** Milliseconds. */
  readonly timing: Timing;
  /** Milliseconds of the first call, with everything cold. */
  readonly first: number;
  /** GFLOP/s at p50; GB/s where the row has no FLOPs. */
  readonly rate: number;
  /** Of the row's roof, which was sampled in turn with this. Only heed's builds have one. */
  readonly percent: number | undefined;
  /** Its median time by that of the same contender in the row that this one stands beside. */
  readonly ratio: number | undefined;
  /** The largest part of its error bound (test/laws.ts) that any checked element uses. */
  readonly errorOfBound: number;
}

/** What a row could reach. GFLOP/s and GB/s; the rate of what it does not need is undefined. */
export interface RowRoof {
  readonly peak: number | undefined;
  readonly read: number | undefined;
  /** Bytes of the array that was read for it: fewer than the row's where memory for more could not be had. */
  readonly readBytes: number | undefined;
  /** Whether the loops had to read one array, for want of memory: it stays in a cache that heed's data is pushed out of. */
  readonly readShared?: boolean | undefined;
}

export interface RowReport {
  readonly section: string;
  readonly name: string;
  readonly flops: number;
  /** Bytes that must be read. */
  readonly bytes: number;
  /** What the per cent are of. */
  readonly roof: RoofKind;
  /** By build, sampled in turn with this row. */
  readonly roofs: Readonly<Partial<Record<Build, RowRoof>>>;
  /** The row of this section that was sampled in turn with this one, and that its ratio is of. */
  readonly beside: string | undefined;
  /** Every how many rows of the result one was held against the law. */
  readonly checkedEvery: number;
  /** The part of the time that this program had a core: well below 1, other programs were running. */
  readonly core: number;
  readonly results: Readonly<Partial<Record<ContenderName, Result>>>;
  /** In words: who computed something wrong, or failed. Nothing of theirs is timed. */
  readonly problems: readonly string[];
}

/** Milliseconds in a process that has just begun, and that does nothing else. */
export interface ColdReport {
  /** The build that is taken by itself. */
  readonly build: Build;
  /** The first call of attention in its process, and the same once the code has settled. */
  readonly first: number;
  readonly settled: number;
  /** From before the import to the first small result. */
  readonly small: number;
}

export interface Report {
  /** Of heed. */
  readonly version: string;
  readonly mode: 'quick' | 'full';
  readonly machine: Machine;
  readonly builds: readonly Build[];
  readonly roofs: readonly RoofReport[];
  readonly rows: readonly RowReport[];
  /** Undefined where the run was of some rows only. */
  readonly cold: ColdReport | undefined;
  /** In words, what else failed. */
  readonly problems: readonly string[];
}
