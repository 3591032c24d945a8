/**
 * Mutants that no test can see, each with the reason: the program does the same with them. A rule is for one line, told by a part of
 * its text, and for one change in it: what stands there, and what the mutant has in its place. It is asked for survivors only.
 */

/** File → rules: a part of the line, what is changed, what to, and why that cannot be seen. */
const RULES = {
  'src/checks/operands.ts': [
    ['apply(keys, x, [])', /^\[\]$/, /./, 'the built-in takes no argument'],
    ["tag ?? ''", /^''$/, /./, 'no kind of array has either name'],
    ["tag ?? ''", /^tag === allowed\[0\]$/, /^false$/, 'a quick look: the list has the first, too'],
    ...[
      ['if (shape === undefined) return count > 0', /^(shape === undefined|count > 0)/],
      ['own?.length !== shape.length', /./],
      ['own[i] !== shape[i]', /./],
      ['return true;', /^true$/],
    ].map(([line, what]) => [line, what, /./, '`isLike` is a quick look: where it says no, `operand` looks']),
    ["kinds.join(' or ')}, as", /^' or '$/, /./, 'where tensors are taken there is one kind of array'],
  ],
  'src/checks/options.ts': [
    ['typeof x ===', /^typeof x === 'number'$/, /^true$/, 'what is no number is no integer either'],
    ['i < names.length; i++) all[', /./, /<=/, 'one more of the name undefined, which nobody asks for'],
    ['i < names.length; i++) values', /./, /<=/, 'one more value, which has no name'],
    ['names.length === 0', /./, /^false$/, 'a copy of what is there without options'],
  ],
  'src/checks/sizes.ts': [
    ['row.count === 0 || 4 * row.count', /./, /^(true|.*>=.*)$/, 'a quick look: `size` looks again'],
    ['!== row.count', /./, /^true$/, 'a quick look: `fitsLength` looks again'],
  ],
  'src/memory/allocator.ts': [
    ['i > 0', /./, /^(true|.*>= 0)$/, 'there is no neighbour at −1: undefined, which no address equals'],
    ['number[] = []', /./, /./, 'it begins with a word, which is no number: no size fits it'],
  ],
  'src/memory/copy.ts': [
    ['done < bytes', /./, /<=/, 'one more piece, of no bytes'],
    ['(toAt - fromAt) % 8', /./, /./, 'which way it copies: the bytes are the same'],
  ],
  'src/threads/pool.ts': [],
  'src/threads/program.ts': [],
  'src/threads/protocol.ts': [],
};

/** Why a survivor may live; undefined: it is a hole in the tests. */
export function explanation({ file, line, what, to }) {
  const rule = RULES[file]?.find(([text, was, is]) => line.includes(text) && was.test(what) && is.test(to));
  return rule?.[3];
}
