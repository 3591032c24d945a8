/**
 * Mutants that no test can see, each with the reason: the program does the same with them. A rule is for one line, told by a part of
 * its text, and for one change in it: what stands there, and what the mutant has in its place. It is asked for survivors only.
 */
import { FOLDERS } from './explained-folders.mjs';
import { OWN } from './explained-own.mjs';

const RULES = { ...OWN, ...FOLDERS };

/** Why a survivor may live; undefined: it is a hole in the tests. */
export function explanation({ file, line, what, to }) {
  const rule = RULES[file]?.find(([text, was, is]) => line.includes(text) && was.test(what) && is.test(to));
  return rule?.[3];
}
