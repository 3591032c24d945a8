/**
 * The ladder: every rung computes what it should, tails included. How fast it is, is the benchmark's to say.
 *
 * @node the benchmark is a program of Node
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { attentionLadder, matmulLadder } from '../bench/ladder/rungs.ts';
import { every, use } from './laws.ts';

/** No size is a multiple of any tile, block or vector. */
const ladders = [
  matmulLadder({ M: 13, N: 29, K: 67 }),
  attentionLadder({ seq: 103, heads: 2, headDim: 15 }),
  // Two items, the second one of fewer queries than a panel.
  attentionLadder({ seq: 67, heads: 1, headDim: 18 }),
];

describe.each(ladders)('$name', ({ rows, law, rungs }) => {
  it.each(rungs)('$name', async ({ prepare, order }) => {
    const { run, out } = await prepare();
    out.fill(NaN);
    run();
    const parts = [...law(every(1, rows))].map((row) => use(out, row.out(order), row.at));
    expect(Math.max(...parts)).toBeLessThanOrEqual(1);
  });
});

it('docs/ladder.md has a sentence on every rung', () => {
  const page = readFileSync(new URL('../docs/ladder.md', import.meta.url), 'utf8');
  for (const { rungs } of ladders) for (const { name } of rungs) expect(page).toContain(`**${name}**`);
});
