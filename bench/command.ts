/**
 * The benchmark as a command: in the repository (bench/index.ts), and in the package (bench/bin.ts). Gives the exit code:
 * 1, a contender computed something wrong; 2, wrong arguments.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import colors from 'picocolors';
import { parseArguments, usage } from './arguments.ts';
import { clearProgress, progress } from './progress.ts';
import type { Report } from './report.ts';
import type { Group, Heed } from './rows.ts';
import { run, WrongResult } from './run.ts';
import { renderTable } from './table.ts';

/** What is measured, and how the command is called. */
export interface Command {
  readonly name: string;
  readonly groups: readonly Group[];
  readonly load: () => Promise<Heed>;
  /** Where another process finds heed, once it is loaded. */
  readonly url: URL;
  /** A chart as SVG, where one can be drawn. */
  readonly draw?: (report: Report) => string;
}

/** The `version` of the package. This file and its bundle are one folder deep. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

export async function bench(words: readonly string[], command: Command): Promise<number> {
  const { draw } = command;
  const help = usage(command.name, draw !== undefined);
  const refuse = (problem: string): number => {
    console.error(`bench: ${problem}\n\n${help}`);
    return 2;
  };
  const given = parseArguments(words, draw !== undefined);
  if ('problem' in given) return refuse(given.problem);
  if (given.help) {
    console.log(help);
    return 0;
  }
  const { mode, json, svg, from, only } = given;
  const chosen = choose(command.groups, mode, only);
  if (chosen.length === 0) {
    const names = command.groups.flat().map(({ section, name }) => `${section} ${name}`);
    return refuse(`no row has "${only}" in its name; there are: ${names.join('; ')}`);
  }
  try {
    const report = from === undefined ? await measure(command, mode, chosen, only) : read(from);
    if (json !== '-') console.log(renderTable(report, colors.isColorSupported));
    if (json !== undefined) write(json, JSON.stringify(report, undefined, 2) + '\n');
    if (svg !== undefined && draw !== undefined) write(svg, draw(report));
    return 0;
  } catch (error) {
    if (!(error instanceof WrongResult)) throw error;
    console.error(`bench: ${error.message}`);
    return 1;
  }
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
      ...{ mode, groups, url, heed: await load(), version: packageVersion() },
      cold: only === undefined,
      progress: (done, name) => {
        progress(done, count, name);
      },
    });
  } finally {
    clearProgress();
  }
}

function read(file: string): Report {
  return JSON.parse(readFileSync(file, 'utf8')) as Report;
}

function write(file: string, text: string): void {
  if (file === '-') {
    process.stdout.write(text);
    return;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
