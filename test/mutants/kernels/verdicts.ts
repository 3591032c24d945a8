/**
 * What is known of the mutants of one build, in build/mutants/: of the battery's tests how long they take, which functions they enter
 * and how often they go round loops; of each mutant the verdict, a line each, as they come. A verdict bears a stamp of what it hangs on:
 * the wasm and the file that kills, with all that it imports; of a survivor all files. With another stamp it is none, but tells which
 * test to try first.
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

export class Verdicts {
  readonly #folder: string;
  /** Of each file of the battery. */
  readonly #stamps: ReadonlyMap<string, string>;
  /** Of all of them. */
  readonly #stamp: string;
  readonly #of = new Map<string, Line>();

  constructor(folder: string, wasm: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    this.#stamps = stampsOf(wasm);
    this.#stamp = hashOf([...this.#stamps.values()]);
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

  of({ id }: Mutant): Found | undefined {
    const line = this.#of.get(id);
    return line !== undefined && line.stamp === this.#stampOf(line.found) ? line.found : undefined;
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

  #stampOf(found: Found): string {
    return 'by' in found ? this.#stamps.get(found.by.split('#')[0]!)! : this.#stamp;
  }

  get #lines(): string {
    return `${this.#folder}/verdicts.jsonl`;
  }
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
