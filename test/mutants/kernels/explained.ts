/** Mutants that no test can kill, each with the reason: they compute the same, or differ in what nobody promises. */
import { ATTENTION } from './explained-attention.ts';
import { DECODE } from './explained-decode.ts';
import { DRIVERS } from './explained-drivers.ts';
import { KERNELS } from './explained-kernels.ts';
import type { Mutant, Original } from './mutants.ts';
import type { Rule } from './reasons.ts';

const RULES = [...ATTENTION, ...DECODE, ...DRIVERS, ...KERNELS];

/** The rule that says why a mutant may survive, by the expressions that its change is in; undefined: it is a hole in the tests. */
export function ruleFor(mutant: Mutant, original: Original): Rule | undefined {
  return RULES.find((rule) => explains(rule, mutant, original));
}

function explains(rule: Rule, mutant: Mutant, original: Original): boolean {
  return (
    rule.place.test(mutant.place) &&
    rule.what.test(mutant.change.what) &&
    rule.around.test(original.textOf(mutant, 'around')) &&
    (rule.statement === undefined || rule.statement.test(original.textOf(mutant, 'statement')))
  );
}
