/**
 * What is known of the mutants of one build, in build/mutants/: of the battery's tests how long they take, which functions they enter
 * and how often they go round loops; of each mutant the verdict, a line each, as they come. A verdict bears a stamp of the wasm, the
 * tests and the source that it was found with. With another stamp it is none, but tells which test to try first.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
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
  readonly #wasm: string;
  readonly #stamp: string;
  readonly #of = new Map<string, Line>();

  constructor(folder: string, wasm: string) {
    this.#folder = folder;
    this.#wasm = wasm;
    mkdirSync(folder, { recursive: true });
    this.#stamp = stampOf([wasm, ...FILES.map((file) => `test/${file}`), ...helpers(), ...sources('src')]);
    if (!existsSync(this.#lines)) return;
    for (const text of readFileSync(this.#lines, 'utf8').split('\n').filter(Boolean)) {
      const line = JSON.parse(text) as Line;
      this.#of.set(line.id, line);
    }
  }

  /** The battery as it was measured, or is: of a file that is as it was, with the same wasm and helpers, nothing is measured again. */
  async tests(measure: (files: readonly string[]) => Promise<Known[]>): Promise<readonly Known[]> {
    const file = `${this.#folder}/tests.json`;
    const before = existsSync(file)
      ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, Known[]>)
      : {};
    const stamps = new Map(FILES.map((each) => [each, stampOf([this.#wasm, `test/${each}`, ...helpers()])]));
    const missing = FILES.filter((each) => before[stamps.get(each)!] === undefined);
    const measured = missing.length > 0 ? await measure(missing) : [];
    const now = FILES.map((each) => {
      const stamp = stamps.get(each)!;
      return [stamp, before[stamp] ?? measured.filter(({ name }) => name.startsWith(`${each}#`))] as const;
    });
    writeFileSync(file, JSON.stringify(Object.fromEntries(now)));
    return now.flatMap(([, tests]) => tests);
  }

  of({ id }: Mutant): Found | undefined {
    const line = this.#of.get(id);
    return line?.stamp === this.#stamp ? line.found : undefined;
  }

  /** The test that killed it, now or before something changed. */
  killerOf({ id }: Mutant): string | undefined {
    const found = this.#of.get(id)?.found;
    return found !== undefined && 'by' in found ? found.by : undefined;
  }

  set({ id }: Mutant, found: Found): void {
    const line = { id, stamp: this.#stamp, found };
    this.#of.set(id, line);
    appendFileSync(this.#lines, `${JSON.stringify(line)}\n`);
  }

  get #lines(): string {
    return `${this.#folder}/verdicts.jsonl`;
  }
}

function stampOf(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}

/** What tests stand on. Tests outside of the battery, and the mutator itself, change no verdict. */
function helpers(): string[] {
  return [...sources('test', false), ...sources('test/kernels', false)].filter(
    (file) => !file.endsWith('.test.ts'),
  );
}

function sources(folder: string, recursive = true): string[] {
  return readdirSync(folder, { recursive, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.startsWith('generated'))
    .sort()
    .map((name) => `${folder}/${name}`);
}
