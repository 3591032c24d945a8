/** What has come of the mutants, function by function, as a table in Markdown; then the survivors, each at its place. */
import type { Known } from './judge.ts';
import type { Mutant, Original } from './mutants.ts';
import type { Verdicts } from './verdicts.ts';

export function report(
  original: Original,
  mutants: readonly Mutant[],
  verdicts: Verdicts,
  tests: readonly Known[],
): string {
  const rows = new Map<string, { all: number; killed: number; judges: number }>();
  const survivors: string[] = [];
  for (const mutant of mutants) {
    const verdict = verdicts.of(mutant);
    if (verdict === undefined) continue;
    const judges = tests.filter(({ touched }) => touched.includes(mutant.func)).length;
    const row = rows.get(mutant.place) ?? { all: 0, killed: 0, judges };
    const killed = !('survived' in verdict);
    rows.set(mutant.place, { ...row, all: row.all + 1, killed: row.killed + Number(killed) });
    if (!killed) survivors.push(`- ${mutant.id}; ${original.lineOf(mutant)}`);
  }
  const list = [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
  const [all, killed] = [sum(list.map(([, row]) => row.all)), sum(list.map(([, row]) => row.killed))];
  const share = ((100 * killed) / all).toFixed(1);
  return [
    '| function | tests | mutants | killed |',
    '| --- | ---: | ---: | ---: |',
    ...list.map(([place, row]) => `| ${place} | ${row.judges} | ${row.all} | ${row.killed} |`),
    `| all | | ${all} | ${killed} (${share} %) |`,
    '',
    ...survivors,
  ].join('\n');
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
