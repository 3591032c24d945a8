/**
 * Every property a hundred thousand times, shared among the builds that run here: the cases that come after those of the fast suite. It
 * may be ended at any time, and goes on where it was (campaign.ts).
 *
 *   npm run test:properties                        until all is done
 *   npm run test:properties -- --minutes 10
 *   npm run test:properties -- --only P22 --runs 1000000 --build baseline
 */
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { MultiBar, type SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { builds, missing } from '../builds.ts';
import { PROPERTIES } from '../properties/index.ts';
import { Campaign } from './campaign.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: 'Infinity' },
    runs: { type: 'string', default: '100000' },
    only: { type: 'string', default: '' },
    build: { type: 'string' },
  },
});
const chosen = builds.filter((build) => values.build === undefined || build === values.build);
if (chosen.length === 0) throw new Error(`builds that run here: ${builds.join(', ')}`);
const properties = PROPERTIES.filter(({ name }) => name.includes(values.only));
const each = Math.ceil(Number(values.runs) / builds.length);
const campaigns = chosen.map((build) => new Campaign(build, properties, each));
const end = performance.now() + 60_000 * Number(values.minutes);
for (const line of missing) console.log(line);

/** A bar for each property; where they have no room, or the output is no terminal, a line a minute for all. */
class Progress {
  readonly #bars: readonly SingleBar[] = [];
  readonly #all: MultiBar | undefined;
  #last = performance.now();

  constructor() {
    const { isTTY, rows } = process.stderr;
    if (!isTTY || rows <= properties.length) return;
    const all = new MultiBar({
      ...{ format: '{bar} {value} {left} {name}', barsize: 12, stream: process.stderr },
      ...{ barCompleteChar: '█', barIncompleteChar: '░', hideCursor: true, linewrap: false },
    });
    const total = each * campaigns.length;
    this.#bars = properties.map(({ name }) => all.create(total, 0, { name, left: '' }));
    this.#all = all;
    this.show();
  }

  show(): void {
    for (const [i, bar] of this.#bars.entries()) {
      const all = campaigns.map(({ rows }) => rows[i]!);
      const left = campaigns.reduce((sum, campaign, n) => sum + campaign.millisecondsOf(all[n]!), 0);
      bar.update(
        all.reduce((sum, { runs }) => sum + runs, 0),
        { left: minutes(left).padStart(7) },
      );
    }
    if (this.#all) {
      // By itself it draws from a timer, which does not run while a round does.
      this.#all.update();
      return;
    }
    if (performance.now() < this.#last + 60_000) return;
    this.#last = performance.now();
    for (const campaign of campaigns) {
      const { build, rows, runs } = campaign;
      const least = Math.min(...rows.map((row) => row.runs));
      const left = rows.reduce((sum, row) => sum + campaign.millisecondsOf(row), 0);
      console.log(`${build}: at least ${least} of ${runs} runs of each property, ${minutes(left)} left`);
    }
  }

  stop(): void {
    this.#all?.stop();
  }
}

function minutes(milliseconds: number): string {
  return `${Math.ceil(milliseconds / 60_000)} min`;
}

const progress = new Progress();
while (performance.now() < end) {
  // The builds take turns.
  const least = (campaign: Campaign): number => campaign.next?.runs ?? Infinity;
  const campaign = [...campaigns].sort((a, b) => least(a) - least(b))[0]!;
  const { next } = campaign;
  if (next === undefined) break;
  await campaign.round(next);
  progress.show();
  // Lets the bars draw, and Ctrl-C be heard.
  await setImmediate();
}
progress.stop();
for (const campaign of campaigns) campaign.end();

const table = new Table({ head: ['property', ...chosen], style: { compact: true, head: [], border: [] } });
for (const [i, { name }] of properties.entries()) {
  table.push([name, ...campaigns.map(({ rows }) => `${rows[i]!.runs}${rows[i]!.failure ? ', FAILED' : ''}`)]);
}
console.log(table.toString());
for (const { build, rows } of campaigns) {
  for (const { name, failure } of rows) {
    if (failure === undefined) continue;
    console.error(`${build}: ${name}\n${failure}\n`);
    process.exitCode = 1;
  }
}
