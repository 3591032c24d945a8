/**
 * The benchmark as a command: in the repository (bench/index.ts), and in the package (bench/bin.ts). Gives the exit code:
 * 1, a contender computed something wrong, or failed, and the rest is measured; 2, wrong arguments.
 */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import colors from 'picocolors';
import { parseArguments, usage } from './arguments.ts';
import { clearProgress, progress } from './progress.ts';
import type { Report } from './report.ts';
import type { Ground, Group } from './rows.ts';
import { run } from './run.ts';
import { problemsOf, renderTable } from './table.ts';

/** What is measured, and how the command is called. */
export interface Command {
  readonly name: string;
  readonly groups: readonly Group[];
  readonly load: () => Promise<Pick<Ground, 'heed' | 'scripts'>>;
  /** Where another process finds heed, once it is loaded. */
  readonly url: URL;
  /** In the repository. */
  readonly pages?: Pages;
}

export interface Pages {
  /** A chart as SVG. */
  readonly draw: (report: Report) => string;
  /** Puts the tables into a page; says what is wrong with it. */
  readonly fill: (file: string, report: Report) => Promise<string | undefined>;
}

/** The `version` of the package. This file and its bundle are one folder deep. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

export async function bench(words: readonly string[], command: Command): Promise<number> {
  const { pages } = command;
  const help = usage(command.name, pages !== undefined);
  const refuse = (problem: string): number => {
    console.error(`bench: ${problem}\n\n${help}`);
    return 2;
  };
  const given = parseArguments(words, pages !== undefined);
  if ('problem' in given) return refuse(given.problem);
  if (given.help) {
    console.log(help);
    return 0;
  }
  const { mode, json, svg, markdown, from, only } = given;
  const chosen = choose(command.groups, mode, only);
  if (chosen.length === 0) {
    const names = command.groups.flat().map(({ section, name }) => `${section} ${name}`);
    return refuse(`no row has "${only}" in its name; there are: ${names.join('; ')}`);
  }
  let earlier: Report | undefined;
  try {
    if (from !== undefined) earlier = read(from) as Report;
    for (const file of [json, svg]) if (file !== undefined && file !== '-') requireWritable(file);
  } catch (error) {
    return refuse((error as Error).message);
  }
  const report = earlier ?? (await measure(command, mode, chosen, only));
  if (json !== '-') console.log(renderTable(report, colors.isColorSupported));
  if (json !== undefined) write(json, JSON.stringify(report, undefined, 2) + '\n');
  if (svg !== undefined && pages !== undefined) write(svg, pages.draw(report));
  const wrong = problemsOf(report);
  if (json === '-') for (const each of wrong) console.error(`bench: ${each}`);
  const refused = markdown === undefined ? undefined : await pages?.fill(markdown, report);
  if (refused !== undefined) return refuse(refused);
  return wrong.length === 0 ? 0 : 1;
}

/** The rows that are asked for, each with the one that it stands beside. */
export function choose(groups: readonly Group[], mode: Report['mode'], only?: string): Group[] {
  return groups
    .map((group) => {
      const asked = group.filter(({ quick, section, name }) =>
        only === undefined ? quick || mode === 'full' : `${section} ${name}`.includes(only),
      );
      return group.filter((row) => asked.includes(row) || asked.some(({ beside }) => beside === row.name));
    })
    .filter((group) => group.length > 0);
}

async function measure(
  { load, url }: Command,
  mode: Report['mode'],
  groups: readonly Group[],
  only: string | undefined,
): Promise<Report> {
  const count = groups.flat().length;
  try {
    return await run({
      ...{ mode, groups, url, ...(await load()), version: packageVersion() },
      cold: only === undefined,
      progress: (done, name) => {
        progress(done, count, name);
      },
    });
  } finally {
    clearProgress();
  }
}

interface Rows {
  readonly machine: unknown;
  readonly problems?: readonly string[];
  readonly rows: readonly { readonly section: string; readonly name: string }[];
}

/** What runs wrote, as one: the rows of all, each from the last that has it, and the machine of the first. Throws at any other file. */
export function read(files: readonly string[]): Rows {
  const runs = files.map((file) => {
    const text = readFileSync(file, 'utf8');
    const problem = `${file} is none that --json has written`;
    let run;
    try {
      run = JSON.parse(text) as Partial<Rows> | null;
    } catch (cause) {
      throw new Error(problem, { cause });
    }
    if (!Array.isArray(run?.rows) || run.machine === undefined) throw new Error(problem);
    return run as Rows;
  });
  const rows = new Map(runs.flatMap((run) => run.rows.map((row) => [`${row.section} ${row.name}`, row])));
  // What only some runs have, cold starts, is taken from them.
  const problems = runs.flatMap((run) => run.problems ?? []);
  return { ...(Object.assign({}, ...runs.toReversed()) as Rows), rows: [...rows.values()], problems };
}

/** Throws before minutes are measured for a file that cannot be written. */
function requireWritable(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  accessSync(existsSync(file) ? file : dirname(file), constants.W_OK);
}

function write(file: string, text: string): void {
  if (file === '-') {
    process.stdout.write(text);
    return;
  }
  writeFileSync(file, text);
}
