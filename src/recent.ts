/** The last few of what calls came to, for those that come again. Who looks for one goes through `all`. */

/** As many as a program calls by turns: a model has fewer kinds of layers. */
const MOST = 8;

export class Recent<T> {
  readonly #all: T[] = [];
  #next = 0;

  get all(): readonly T[] {
    return this.#all;
  }

  /** Keeps one more, in the place of the oldest. */
  keep(each: T): void {
    this.#all[this.#next] = each;
    this.#next = (this.#next + 1) % MOST;
  }
}
