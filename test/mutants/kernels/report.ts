/** What has come of the mutants, function by function, as a table in Markdown; then the survivors that are not explained, each at its place. */
import { explanation } from './explained.ts';
import type { Known } from './judge.ts';
import type { Mutant, Original } from './mutants.ts';
import type { Verdicts } from './verdicts.ts';

interface Row {
  readonly tests: number;
  killed: number;
  explained: number;
  unexplained: number;
}

export function report(
  original: Original,
  mutants: readonly Mutant[],
  verdicts: Verdicts,
  tests: readonly Known[],
): string {
  const rows = new Map<string, Row>();
  const survivors: string[] = [];
  for (const mutant of mutants) {
    const { place, func, id, change } = mutant;
    const found = verdicts.of(mutant);
    if (found === undefined) continue;
    const judges = tests.filter(({ touched }) => touched.includes(func)).length;
    const row = rows.get(place) ?? { tests: judges, killed: 0, explained: 0, unexplained: 0 };
    rows.set(place, row);
    if (!('survived' in found)) {
      row.killed++;
      continue;
    }
    const around = original.textAround(mutant);
    const rule = explanation(place, change.what, around);
    row[rule ? 'explained' : 'unexplained']++;
    if (rule === undefined) survivors.push(`- ${id}; in ${around.slice(0, 200)}`);
  }
  const all = { tests: tests.length, killed: 0, explained: 0, unexplained: 0 };
  for (const { killed, explained, unexplained } of rows.values()) {
    all.killed += killed;
    all.explained += explained;
    all.unexplained += unexplained;
  }
  const list = [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
  const judged = all.killed + all.explained + all.unexplained;
  return [
    '| function | tests | killed | explained | unexplained |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...list.map(([place, row]) => lineOf(place, row)),
    lineOf('all', all),
    '',
    ...survivors.sort(),
    '',
    `killed: ${share(all.killed, judged)}; without the explained: ${share(all.killed, judged - all.explained)}`,
  ].join('\n');
}

function lineOf(name: string, { tests, killed, explained, unexplained }: Row): string {
  return `| ${name} | ${tests} | ${killed} | ${explained} | ${unexplained} |`;
}

function share(part: number, whole: number): string {
  return `${part} of ${whole} (${((100 * part) / Math.max(1, whole)).toFixed(1)} %)`;
}
