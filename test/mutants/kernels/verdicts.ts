/**
 * What is known of the mutants of one build, in build/mutants/: of the battery's tests how long they take, which functions they enter
 * and how often they go round loops; of each mutant the verdict, a line each, as they come. A verdict bears a stamp of what it hangs on:
 * the wasm and the file that kills, with all that it imports; of a survivor all files, but for one that is explained, which stands as long as
 * the wasm does. With another stamp it is none, but tells which test to try first.
 *
 * What hours have found is kept beside this file too, in known/, a letter a mutant.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { buildSync } from 'esbuild';
import { FILES } from './battery.ts';
import type { Known, Verdict } from './judge.ts';
import type { Mutant } from './mutants.ts';

/** What has come of a mutant: which test fails on it, or in how many seconds of tests nothing was found. */
export type Found = Verdict | { readonly survived: number };

interface Line {
  readonly id: string;
  readonly stamp: string;
  readonly found: Found;
}

/** What is known of a build: a letter says which of the files kills a mutant, a digit in how many seconds it has survived. */
interface Ledger {
  /** What it was found on. */
  readonly wasm: string;
  /** Of each file of the battery. */
  readonly stamps: Readonly<Record<string, string>>;
  readonly seconds: readonly number[];
  /** Of each function, of its mutants in their order. */
  readonly verdicts: Readonly<Record<string, string>>;
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

export class Verdicts {
  readonly #folder: string;
  /** In the repository. */
  readonly #file: string;
  /** Of each file of the battery. */
  readonly #stamps: ReadonlyMap<string, string>;
  readonly #wasm: string;
  readonly #isExplained: (mutant: Mutant) => boolean;
  readonly #of = new Map<string, Line>();

  constructor(
    folder: string,
    file: string,
    wasm: string,
    mutants: readonly Mutant[],
    isExplained: (mutant: Mutant) => boolean,
  ) {
    [this.#folder, this.#file, this.#isExplained] = [folder, file, isExplained];
    mkdirSync(folder, { recursive: true });
    this.#stamps = stampsOf(wasm);
    this.#wasm = hashOf([readFileSync(wasm)]);
    if (existsSync(file)) this.#recall(mutants);
    if (!existsSync(this.#lines)) return;
    for (const text of readFileSync(this.#lines, 'utf8').split('\n').filter(Boolean)) {
      const line = JSON.parse(text) as Line;
      this.#of.set(line.id, line);
    }
  }

  /** The battery as it was measured, or is: of a file that is as it was, nothing is measured again. */
  async tests(measure: (files: readonly string[]) => Promise<Known[]>): Promise<readonly Known[]> {
    const file = `${this.#folder}/tests.json`;
    const before = existsSync(file)
      ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, Known[]>)
      : {};
    const missing = FILES.filter((each) => before[this.#stamps.get(each)!] === undefined);
    const measured = missing.length > 0 ? await measure(missing) : [];
    const now = FILES.map((each) => {
      const stamp = this.#stamps.get(each)!;
      return [stamp, before[stamp] ?? measured.filter(({ name }) => name.startsWith(`${each}#`))] as const;
    });
    writeFileSync(file, JSON.stringify(Object.fromEntries(now)));
    return now.flatMap(([, tests]) => tests);
  }

  of(mutant: Mutant): Found | undefined {
    const line = this.#of.get(mutant.id);
    if (line === undefined) return undefined;
    const { stamp, found } = line;
    if (stamp === this.#stampOf(found)) return found;
    const stands = 'survived' in found && stamp.startsWith(this.#wasm) && this.#isExplained(mutant);
    return stands ? found : undefined;
  }

  /** The test that killed it, now or before something changed. */
  killerOf({ id }: Mutant): string | undefined {
    const found = this.#of.get(id)?.found;
    return found !== undefined && 'by' in found ? found.by : undefined;
  }

  set({ id }: Mutant, found: Found): void {
    const line = { id, stamp: this.#stampOf(found), found };
    this.#of.set(id, line);
    appendFileSync(this.#lines, `${JSON.stringify(line)}\n`);
  }

  #recall(mutants: readonly Mutant[]): void {
    const { wasm, stamps, seconds, verdicts } = JSON.parse(readFileSync(this.#file, 'utf8')) as Ledger;
    const files = Object.keys(stamps);
    const stamp = stampOfAll(wasm, Object.values(stamps));
    for (const { mutant, at } of placed(mutants)) {
      const letter = verdicts[mutant.place]?.[at] ?? '';
      const file = files[LETTERS.indexOf(letter)];
      const survived = seconds[Number(letter)];
      const { id } = mutant;
      if (letter === '') continue;
      if (file !== undefined) {
        this.#of.set(id, { id, stamp: stamps[file]!, found: { by: `${file}#`, name: file, why: '' } });
      } else if (survived !== undefined) this.#of.set(id, { id, stamp, found: { survived } });
    }
  }

  /** Keeps what is known now in the repository. */
  keep(mutants: readonly Mutant[]): void {
    const seconds: number[] = [];
    const verdicts: Record<string, string> = {};
    for (const { mutant, at } of placed(mutants)) {
      verdicts[mutant.place] = (at === 0 ? '' : verdicts[mutant.place]!) + this.#letterOf(mutant, seconds);
    }
    const known: Ledger = { wasm: this.#wasm, stamps: Object.fromEntries(this.#stamps), seconds, verdicts };
    writeFileSync(this.#file, `${JSON.stringify(known, undefined, 1)}\n`);
  }

  #letterOf(mutant: Mutant, seconds: number[]): string {
    const found = this.of(mutant);
    if (found === undefined) return '.';
    if ('by' in found) return LETTERS[FILES.indexOf(found.by.split('#')[0]!)]!;
    if (!seconds.includes(found.survived)) seconds.push(found.survived);
    return String(seconds.indexOf(found.survived));
  }

  #stampOf(found: Found): string {
    if ('by' in found) return this.#stamps.get(found.by.split('#')[0]!)!;
    return stampOfAll(this.#wasm, [...this.#stamps.values()]);
  }

  get #lines(): string {
    return `${this.#folder}/verdicts.jsonl`;
  }
}

/** Mutants, each with its place among those of its function. */
function placed(mutants: readonly Mutant[]): { readonly mutant: Mutant; readonly at: number }[] {
  const counts = new Map<string, number>();
  return mutants.map((mutant) => {
    const at = counts.get(mutant.place) ?? 0;
    counts.set(mutant.place, at + 1);
    return { mutant, at };
  });
}

/** Of a survivor: the wasm, and all files. */
function stampOfAll(wasm: string, stamps: readonly string[]): string {
  return `${wasm} ${hashOf(stamps)}`;
}

function hashOf(texts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text);
  return hash.digest('hex').slice(0, 16);
}

/** Of each file of the battery a hash of the wasm, the file, and all that it imports. The shipped modules are not among it: the mutant stands for them. */
function stampsOf(wasm: string): Map<string, string> {
  const { inputs } = buildSync({
    entryPoints: FILES.map((file) => `test/${file}`),
    outdir: 'build',
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    write: false,
    metafile: true,
  }).metafile;
  const stamp = (file: string): string => {
    const reached = new Set([file]);
    for (const each of reached)
      for (const { path, external } of inputs[each]!.imports) if (!external) reached.add(path);
    const read = [...reached].filter((path) => !path.startsWith('src/generated/')).sort();
    return hashOf([wasm, ...read].flatMap((path) => [path, readFileSync(path)]));
  };
  return new Map(FILES.map((file) => [file, stamp(`test/${file}`)]));
}
