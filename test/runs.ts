/**
 * How often a property is tried, and from which seed. What fails prints its seed and its path; with both it is the first case, and with
 * others of these variables a person has more cases, or new ones:
 *
 *   HEED_SEED=20240817 HEED_PATH=17:0:3 npx vitest run test/properties -t 'both layouts'
 *   HEED_SEED=1 HEED_RUNS=100000 npx vitest run test/properties -t 'both layouts'
 */
import type { Parameters } from 'fast-check';

type Env = Readonly<Record<string, string | undefined>>;

/** What a person says; in a page there is no process, but what its configuration says (test/browser/vitest.config.ts). */
const { HEED_SEED, HEED_RUNS, HEED_PATH }: Env = {
  ...(import.meta as { readonly env?: Env }).env,
  ...(globalThis as { readonly process?: { readonly env?: Env } }).process?.env,
};

/** Of the fast suite. */
export const SEED = 20240817;
const RUNS = 1000;

/** For `fc.assert`. */
export function tries(): Parameters<unknown> {
  return {
    seed: Number(HEED_SEED ?? SEED),
    numRuns: Number(HEED_RUNS ?? RUNS),
    ...(HEED_PATH === undefined ? {} : { path: HEED_PATH }),
  };
}
