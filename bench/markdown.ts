/**
 * Tables in the pages of this repository, so that nobody copies figures by hand: what stands between `<!-- NAME -->` and
 * `<!-- /NAME -->` is replaced, where the first marker may say more (`<!-- bench: matmul 512³, layer 768/12, S = 128 -->`).
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import type { Report } from './report.ts';
import { gridOf, gridsOf, machineLines, notes, type Grid } from './table.ts';

/**
 * Replaces what is between the markers of a name. A file that does not exist is written with all there is.
 *
 * @param text by what the first marker says behind the name; '' where it says nothing
 * @returns what is wrong with the file, in words
 */
export async function fill(
  file: string,
  name: string,
  text: (more: string) => string,
): Promise<string | undefined> {
  const before = existsSync(file) ? readFileSync(file, 'utf8') : `<!-- ${name} -->\n<!-- /${name} -->\n`;
  const marked = new RegExp(`(<!-- ${name}(?:: (.*))? -->\\n)[^]*?(<!-- /${name} -->)`, 'g');
  if (!marked.test(before)) return `${file} has no place for it: <!-- ${name} --> and <!-- /${name} -->`;
  const after = before.replace(
    marked,
    (_, begin: string, more: string | undefined, end: string) => `${begin}\n${text(more ?? '')}\n\n${end}`,
  );
  writeFileSync(file, await format(after, { ...(await resolveConfig(file)), filepath: file }));
  return undefined;
}

export function markdownTable({ heads, rows }: Pick<Grid, 'heads' | 'rows'>): string {
  const rule = heads.map((_, i) => (i === 0 ? '---' : '--:'));
  return [heads, rule, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** A report as Markdown: all of it, or one table of the rows that are named, by section and name with `; ` between. */
export function markdownReport(report: Report, names: string): string {
  const [machine = '', roof = '', run = ''] = machineLines(report);
  if (names !== '') {
    const rows = names.split('; ').map((name) => {
      const row = report.rows.find((each) => `${each.section} ${each.name}` === name);
      if (row === undefined) throw new Error(`the run has no row "${name}"`);
      return [name, row] as const;
    });
    return `${machine} · ${run}\n\n${markdownTable(gridOf(report, 'row', rows))}`;
  }
  const lines = [[machine, roof, run].join(' · '), ...gridsOf(report).map(markdownTable)];
  return [...lines, notes(report).join(' \\\n')].join('\n\n');
}
