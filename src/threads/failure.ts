/** What can become of a job, and of a worker: the pool tells of it, `team.ts` makes errors of it. */

/** Why a job did not come to its end. */
export type Why =
  | 'trapped'
  | 'threw'
  | 'exited'
  | 'out of memory'
  /** A worker says nothing and does nothing: it may still write to memory. */
  | 'lost'
  | 'aborted'
  | 'stopped'
  /** No worker is left. */
  | 'degraded';

export interface Failure {
  readonly why: Why;
  readonly worker?: number | undefined;
  readonly job?: number | undefined;
  readonly exitCode?: number | undefined;
  readonly cause?: unknown;
}
