/** The goldens with every number of threads from 1 to 16; of the baseline build those recorded, of the relaxed one those of one thread. */
import { describe, expect, it } from 'vitest';
import * as heed from '../../src/index.ts';
import { builds } from '../builds.ts';
import recorded from '../platform/programs/goldens.json' with { type: 'json' };
import { hashes } from '../platform/programs/goldens.mjs';

const THREADS = Array.from({ length: 16 }, (_, i) => i + 1);

describe.each(builds)('%s', (simd) => {
  let expected: Record<string, string> | undefined = simd === 'baseline' ? recorded : undefined;

  it.each(THREADS)('%i threads', async (threads) => {
    const engine = await heed.createEngine({ simd, threads });
    const found = await hashes(heed, engine);
    engine.dispose();
    expected ??= found;
    expect(found).toEqual(expected);
    for (const hash of Object.values(found)) expect(hash).toMatch(/^[0-9a-f]{64}$/);
  });
});
