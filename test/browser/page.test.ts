/** The page itself: what runs there, what the two headers give it, and what an engine says where they are missing. */
import { expect, inject, it } from 'vitest';
import { createEngine } from '../../src/index.ts';
import { builds } from '../builds.ts';
import { rejection } from '../nothing-lost.ts';

it('runs both builds', () => {
  expect(builds).toEqual(['relaxed', 'baseline']);
});

if (inject('page') === 'isolated') {
  it('has threads, and nothing to say', async () => {
    const engine = await createEngine({ threads: 3 });
    expect(engine.features).toMatchObject({ threads: 3, reason: '' });
    engine.dispose();
  });
} else {
  it('has one thread, and says why', async () => {
    const engine = await createEngine();
    const error = await rejection(createEngine({ threads: 2 }));
    expect(engine.features.threads).toBe(1);
    expect(error).toMatchObject({ name: 'EnvironmentError', code: 'ERR_NO_THREADS' });
    for (const header of [
      'Cross-Origin-Opener-Policy: same-origin',
      'Cross-Origin-Embedder-Policy: require-corp',
    ]) {
      expect(engine.features.reason).toContain(header);
      expect(error.message).toContain(header);
    }
    engine.dispose();
  });
}
