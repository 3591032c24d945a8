/** Which tests judge a mutant, and in which order: what has killed most in a function for the time that it takes comes first. */
import type { Known } from './judge.ts';
import type { Mutant } from './mutants.ts';

/** What a test costs beside its own time, ms: what is around it is set up anew. */
const AROUND = 3;

export class Order {
  readonly #tests: readonly Known[];
  /** Function → test → mutants of the function that the test killed. */
  readonly #kills = new Map<number, Map<string, number>>();

  constructor(tests: readonly Known[]) {
    this.#tests = tests;
  }

  killed({ func }: Mutant, test: string): void {
    const kills = this.#kills.get(func) ?? new Map<string, number>();
    this.#kills.set(func, kills.set(test, (kills.get(test) ?? 0) + 1));
  }

  /** Of the tests that enter the function the fastest, for so many seconds. `first`: the test that killed it before. */
  of({ func }: Mutant, seconds: number, first: string | undefined): Known[] {
    let ms = 0;
    const kills = this.#kills.get(func);
    const rank = ({ name, ms }: Known): number =>
      name === first ? 0 : (ms + AROUND) / (1 + (kills?.get(name) ?? 0));
    return this.#tests
      .filter(({ touched }) => touched.includes(func))
      .sort((a, b) => a.ms - b.ms)
      .filter((test) => test.name === first || (ms += test.ms) <= 1000 * seconds)
      .sort((a, b) => rank(a) - rank(b));
  }
}
