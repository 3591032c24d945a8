/**
 * Mutants that no test can kill, each with the reason: they compute the same, or differ in what nobody promises. A rule is for one
 * function, one change and one place there, told by the expression around it; a mutant that is killed all the same is none of it.
 */

/** Why, as docs/mutants.md has it in full. */
export type Reason = 'same' | 'speed' | 'room' | 'unread';

interface Rule {
  /** The function, as reports have it. */
  readonly place: string;
  /** The change begins so. */
  readonly what: string;
  /** The expression around it has this in it, in binaryen's text. */
  readonly around: string;
  readonly reason: Reason;
  readonly why: string;
}

const RULES: readonly Rule[] = [];

/** The rule that a surviving mutant falls under. */
export function explanation(place: string, what: string, around: string): Rule | undefined {
  return RULES.find(
    (rule) => rule.place === place && what.startsWith(rule.what) && around.includes(rule.around),
  );
}
