/** What every engine is held to: the goldens' hashes as they are recorded. */
import { expect } from 'vitest';
import recorded from './programs/goldens.json' with { type: 'json' };

/** What the check `goldens` has found: as many engines, and all hashes of each. What differs is listed by name. */
export function expectRecorded(found: unknown, engines: number): void {
  const all = Object.entries(found as Readonly<Record<string, unknown>>);
  expect(all).toHaveLength(engines);
  for (const [threads, hashes] of all) expect(hashes, threads).toEqual(recorded);
}
