/**
 * The calls before. Programs call with the same few options over and over, so what they came to is kept: who is told the same
 * numbers and words again has the same problem, the very same object, by which a launch knows that it was made for it. That
 * takes 0.1 µs, where resolving takes 0.5 and a launch 0.3.
 *
 * What is compared is what was read: own values, each asked for once. A call that was told of a list or an array is not kept, so
 * that nothing of a caller's is held here, or looked at twice. Only `out` may be one: it is no part of a problem.
 */
import { Recent } from '../recent.ts';
import { isFloats, type Operand, type Told } from '../checks.ts';

/** A problem, and where its result goes. */
export interface Resolved<Problem> {
  readonly problem: Problem;
  readonly out: Operand | undefined;
  /** Whether a call that is told the same has this very problem: what is made for it may be used again. */
  readonly again: boolean;
}

interface Call<Problem> {
  readonly problem: Problem;
  readonly names: readonly string[];
  readonly values: readonly unknown[];
  /** Which of them is `out`, or −1. */
  readonly out: number;
}

export class Again<Problem> {
  readonly #calls = new Recent<Call<Problem>>();

  /** A call before that was told the same but for `out`. */
  find(told: Told): Call<Problem> | undefined {
    const { all } = this.#calls;
    for (let i = 0; i < all.length; i++) if (isSame(all[i]!, told)) return all[i];
    return undefined;
  }

  /** Keeps what a call came to, where all that it was told may be kept. */
  keep({ names, values }: Told, problem: Problem): boolean {
    const kept: unknown[] = [];
    let out = -1;
    for (let i = 0; i < names.length; i++) {
      if (names[i] === 'out') out = i;
      else if (typeof values[i] === 'object') return false;
      kept.push(i === out ? undefined : values[i]);
    }
    this.#calls.keep({ problem, names, values: kept, out });
    return true;
  }
}

function isSame<Problem>(call: Call<Problem>, { names, values }: Told): boolean {
  if (names.length !== call.names.length) return false;
  for (let i = 0; i < names.length; i++) {
    if (names[i] !== call.names[i]) return false;
    if (i !== call.out && !Object.is(values[i], call.values[i])) return false;
  }
  return true;
}

/** The problem of such a call, with `out` of this one: if that is absent, or an array of `count` numbers. */
export function withOut<Problem>(
  { problem, out }: Call<Problem>,
  { values }: Told,
  count: number,
): Resolved<Problem> | undefined {
  const value = out < 0 ? undefined : values[out];
  if (value === undefined) return { problem, out: undefined, again: true };
  if (!isFloats(value, count)) return undefined;
  return { problem, out: { arg: 'out', value, shape: undefined }, again: true };
}
