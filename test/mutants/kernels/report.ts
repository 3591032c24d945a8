/**
 * What has come of the mutants, function by function, as a table in Markdown; then the survivors that are not explained, each at its place,
 * and the rules that say too much: they would excuse what a test kills.
 */
import { ruleFor } from './explained.ts';
import type { Known } from './judge.ts';
import type { Mutant, Original } from './mutants.ts';
import { REASONS, type Rule } from './reasons.ts';
import type { Verdicts } from './verdicts.ts';

interface Row {
  readonly tests: number;
  /** Mutants that there are, judged or not. */
  readonly mutants: number;
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
  const counts = new Map<string, number>();
  for (const { place } of mutants) counts.set(place, (counts.get(place) ?? 0) + 1);
  const rows = new Map<string, Row>();
  const survivors: string[] = [];
  const reasons = new Map<keyof typeof REASONS, number>();
  const tooWide = new Map<Rule, number>();
  for (const mutant of mutants) {
    const { place, func, id } = mutant;
    const found = verdicts.of(mutant);
    if (found === undefined) continue;
    const judges = tests.filter(({ touched }) => touched.includes(func)).length;
    const row = rows.get(place) ?? {
      tests: judges,
      mutants: counts.get(place)!,
      killed: 0,
      explained: 0,
      unexplained: 0,
    };
    rows.set(place, row);
    const rule = ruleFor(mutant, original);
    if (!('survived' in found)) {
      row.killed++;
      if (rule) tooWide.set(rule, (tooWide.get(rule) ?? 0) + 1);
      continue;
    }
    row[rule ? 'explained' : 'unexplained']++;
    if (rule) reasons.set(rule.reason, (reasons.get(rule.reason) ?? 0) + 1);
    else survivors.push(`- ${id}; in ${original.textOf(mutant, 'around').slice(0, 200)}`);
  }
  const all = { tests: tests.length, mutants: mutants.length, killed: 0, explained: 0, unexplained: 0 };
  for (const { killed, explained, unexplained } of rows.values()) {
    all.killed += killed;
    all.explained += explained;
    all.unexplained += unexplained;
  }
  const list = [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
  const judged = all.killed + all.explained + all.unexplained;
  return [
    '| function | tests | mutants | killed | explained | unexplained |',
    '| --- | ---: | ---: | ---: | ---: | ---: |',
    ...list.map(([place, row]) => lineOf(place, row)),
    lineOf('all', all),
    '',
    ...survivors.sort(),
    '',
    ...[...reasons].map(([reason, count]) => `explained, ${count}: ${REASONS[reason]}`),
    ...[...tooWide].map(
      ([rule, count]) => `a rule is too wide, it has ${count} that are killed: ${textOf(rule)}`,
    ),
    `killed: ${share(all.killed, judged)}; without the explained ${share(all.killed, judged - all.explained)}`,
    `of all that there are, by the shares of each function: ${percent(weighted(rows, false))}; without the explained ${percent(weighted(rows, true))}`,
  ].join('\n');
}

/** The share that is killed if what is not judged is as what is: functions take turns, so small ones are judged first. */
function weighted(rows: ReadonlyMap<string, Row>, without: boolean): number {
  let [killed, all] = [0, 0];
  for (const row of rows.values()) {
    const each = row.mutants / (row.killed + row.explained + row.unexplained);
    killed += each * row.killed;
    all += each * (row.killed + row.unexplained + (without ? 0 : row.explained));
  }
  return killed / all;
}

function lineOf(name: string, { tests, mutants, killed, explained, unexplained }: Row): string {
  return `| ${name} | ${tests} | ${mutants} | ${killed} | ${explained} | ${unexplained} |`;
}

function share(part: number, whole: number): string {
  return `${part} of ${whole} (${percent(part / whole)})`;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}

function textOf({ place, what, around, statement }: Rule): string {
  return [place, what, around, statement ?? ''].map(String).join(' ');
}
