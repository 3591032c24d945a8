/** Mutants that no test can kill, each with the reason: they compute the same, or differ in what nobody promises. */
import { DRIVERS } from './explained-drivers.ts';
import { KERNELS } from './explained-kernels.ts';
import type { Mutant } from './mutants.ts';
import type { Rule } from './reasons.ts';

const RULES = [...DRIVERS, ...KERNELS];

/** Why a mutant that survives may do so, by the expression that its change is in; undefined: it is a hole in the tests. */
export function explanation({ place, change: { what } }: Mutant, around: string): Rule['reason'] | undefined {
  return RULES.find((each) => each.place.test(place) && each.what.test(what) && each.around.test(around))
    ?.reason;
}
