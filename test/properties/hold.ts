/** Properties as tests of the fast suite. */
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { builds, engineOf } from '../builds.ts';
import { tries } from '../runs.ts';
import type { Property } from './property.ts';

export function hold(properties: readonly Property[]): void {
  describe.each(builds)('%s', async (build) => {
    const engine = await engineOf(build);
    it.each(properties.map((each) => [each.name, each] as const))('%s', async (_, { on }) => {
      const { property, proves, dispose } = await on(engine);
      try {
        await fc.assert(property, tries());
        proves?.();
      } finally {
        dispose?.();
      }
    });
  });
}
