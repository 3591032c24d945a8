/**
 * All properties of one build, in rounds: who has had the fewest runs has the next round, with new seeds. What is done is kept in
 * build/properties, so that another campaign goes on from there, as long as neither heed nor a property has changed.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import type { Engine } from '../../src/index.ts';
import { engineOf, type Build } from '../builds.ts';
import type { Property, Trial } from '../properties/property.ts';
import { SEED } from '../runs.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FOLDER = `${ROOT}build/properties/`;

/** Runs of one round: of the slowest property some seconds. */
const ROUND = 500;

/** What is known of a property. */
export interface Row {
  readonly name: string;
  runs: number;
  /** All that its runs have taken. */
  milliseconds: number;
  /** What fast-check has to say: the seed, the path, the smallest case that fails. It has no rounds after that. */
  failure?: string;
}

export class Campaign {
  readonly build: Build;
  readonly rows: readonly Row[];
  /** Of each property. */
  readonly runs: number;
  readonly #properties: readonly Property[];
  readonly #code: string;
  readonly #trials = new Map<string, Trial>();
  #engine: Engine | undefined;

  constructor(build: Build, properties: readonly Property[], runs: number) {
    [this.build, this.#properties, this.runs] = [build, properties, runs];
    this.#code = fingerprint(build);
    const kept = this.#read();
    this.rows = properties.map(({ name }) => {
      return kept.find((row) => row.name === name) ?? { name, runs: 0, milliseconds: 0 };
    });
  }

  /** Of all properties, the one that is farthest behind; none when all are done. */
  get next(): Row | undefined {
    const left = this.rows.filter((row) => row.runs < this.runs && row.failure === undefined);
    return left.sort((a, b) => a.runs - b.runs)[0];
  }

  /** What the rest of a property will take, as far as is known. */
  millisecondsOf({ runs, milliseconds, failure }: Row): number {
    if (failure !== undefined) return 0;
    return (Math.max(0, this.runs - runs) * milliseconds) / Math.max(1, runs);
  }

  /** A round of one property. */
  async round(row: Row): Promise<void> {
    let trial = this.#trials.get(row.name);
    if (trial === undefined) {
      this.#engine ??= await engineOf(this.build);
      trial = await this.#properties.find(({ name }) => name === row.name)!.on(this.#engine);
      this.#trials.set(row.name, trial);
    }
    const begin = performance.now();
    // The seeds after that of the fast suite, one a round.
    const seed = SEED + 1 + Math.floor(row.runs / ROUND);
    const numRuns = Math.min(ROUND, this.runs - row.runs);
    const details = await fc.check(trial.property, { seed, numRuns, includeErrorInReport: true });
    row.runs += details.numRuns;
    row.milliseconds += performance.now() - begin;
    if (details.failed) row.failure = fc.defaultReportMessage(details);
    this.#write();
  }

  /** Ends it. What has been tried, but has proved nothing, has failed. */
  end(): void {
    for (const [name, { proves, dispose }] of this.#trials) {
      const row = this.rows.find((each) => each.name === name)!;
      try {
        proves?.();
      } catch (error) {
        row.failure ??= `proves nothing: ${String(error)}`;
      }
      dispose?.();
    }
  }

  get #path(): string {
    return `${FOLDER}${this.build}.json`;
  }

  #read(): Row[] {
    try {
      const { code, rows } = JSON.parse(readFileSync(this.#path, 'utf8')) as { code: string; rows: Row[] };
      return code === this.#code ? rows : [];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  /** All rows, those of other properties too; whole or not at all. */
  #write(): void {
    const others = this.#read().filter(({ name }) => this.rows.every((row) => row.name !== name));
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(`${this.#path}.new`, JSON.stringify({ code: this.#code, rows: [...this.rows, ...others] }));
    renameSync(`${this.#path}.new`, this.#path);
  }
}

/** Of all that decides whether a property holds. */
function fingerprint(build: Build): string {
  const hash = createHash('sha256').update(readFileSync(`${ROOT}build/${build}.wasm`));
  for (const folder of ['src', 'test/properties']) {
    const names = readdirSync(ROOT + folder, { recursive: true, encoding: 'utf8' });
    for (const name of names.filter((each) => each.endsWith('.ts')).sort()) {
      hash.update(readFileSync(`${ROOT}${folder}/${name}`));
    }
  }
  return hash.digest('hex');
}
