/**
 * Why a mutant may survive, and what a rule is that says so of some: of one function (tiles and drivers that have the same lines in
 * them are one), one change, and one place, told by the expression around it, in binaryen's text, and by the statement where several look
 * alike. Rules excuse survivors only; what a test kills and a rule would excuse tells that the rule is too wide. Where a rule names a local by
 * its number, another compiler may number it otherwise: then the rule excuses nothing, or is too wide.
 */

/** In words: docs/mutants.md has a table of them. */
export const REASONS = {
  speed: 'another way to the same bits: the choice of a tile, a kernel, a loop that takes what another would',
  room: 'a little more scratch than is needed',
  unread: 'what is changed is never read: strides of one row, lanes beyond the last row',
  unreached: 'heed never asks for it: the numbers are refused at the door, or cannot come about',
  same: 'the same number, whatever the operands that there can be',
  law: 'a last bit, inside the law of accuracy',
} as const;

export interface Rule {
  readonly reason: keyof typeof REASONS;
  /** Functions, as reports have them. */
  readonly place: RegExp;
  readonly what: RegExp;
  readonly around: RegExp;
  /** The statement that this is in, where more places than are meant look the same. */
  readonly statement?: RegExp;
}

export const rule = (
  reason: Rule['reason'],
  place: RegExp,
  what: RegExp,
  around: RegExp,
  statement?: RegExp,
): Rule => ({ reason, place, what, around, ...(statement && { statement }) });
