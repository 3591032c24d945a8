/**
 * Mutants that no test can see, each with the reason: the program does the same with them. A rule is for one line, told by a part of
 * its text, and for one change in it: what stands there, and what the mutant has in its place. It is asked for survivors only.
 */

/** Of errors.ts door-errors.test.ts fails where it is put into the source by hand, of words.ts words.test.ts and machine.test.ts. */
const AT_LOAD = 'it is made as the module loads, before the mutant is switched on';

const COPIES = 'each way to copy copies the same, but for the bits of a NaN';

/** File → rules: a part of the line, what is changed, what to, and why that cannot be seen. */
const RULES = {
  'src/checks/operands.ts': [
    ['apply(keys, x, [])', /^\[\]$/, /./, 'the built-in takes no argument'],
    ["tag ?? ''", /^''$/, /./, 'no kind of array has either name'],
    ["tag ?? ''", /^tag === allowed\[0\]$/, /^false$/, 'a quick look: the list has the first, too'],
    ...[
      ['if (shape === undefined) return count > 0', /^shape === undefined$/, /^true$/],
      ['own?.length !== shape.length', /./, /^true$/],
      ['own[i] !== shape[i]', /^i < shape.length$/, /<=/],
      ['own[i] !== shape[i]', /^own/, /^true$/],
      ['return true;', /^true$/, /^false$/],
    ].map((rule) => [...rule, '`isLike` is a quick look: where it says no, `operand` looks']),
    ['return count > 0', /^count > 0$/, /./, 'a call of empty arrays is not kept'],
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
  'src/call.ts': [
    ['this.#later?.signal', /./, /later\.signal/, 'a call that is computed later is a later one'],
    ['if (this.#runtime.disposed) return;', /./, /^false$/, 'what is put back and freed then, nobody reads'],
    ['NOWHERE: Slot', /./, /./, 'undefined is written as 0'],
    ...['few = piece.bytes <= FEW', 'if (bytes <= FEW)', 'else if (shared)', 'else if (runtime.shared)'].map(
      (text) => [text, /./, /^(true|false|.* [<>] FEW)$/, COPIES],
    ),
    ['else if (few)', /./, /^false$/, COPIES],
    [
      'this.#later !== undefined || this.threads > 1',
      /./,
      /^(true|.*>= 1)$/,
      'nobody holds what a call of one thread uses',
    ],
    [
      'given !== undefined && this.#later !== undefined',
      /^given !== undefined$/,
      /^true$/,
      'what is not given views no tensor',
    ],
    [
      'given !== undefined && this.#later !== undefined',
      /./,
      /^(true|.*\|\|.*)$/,
      'of a synchronous call nobody holds the view, but where a worker says no more: then its memory stays taken',
    ],
    [
      '          this.#requireAlive();',
      /./,
      /^;$/,
      'it is asked again behind the work, which may refuse first',
    ],
    [
      'lengthOf(result) !== bytes / 4',
      /^this/,
      /^true$/,
      'only another thread takes an array from a call that waits',
    ],
    [
      'this.#stagedBytes > runtime.staged',
      /./,
      /^(true|.*>= .*)$/,
      'room is asked for that is there: it costs time only',
    ],
    ['piece.arg !== undefined) piece.result', /./, /^true$/, 'an array that nobody gets'],
    ['arg !== undefined && result', /^arg !== undefined$/, /^true$/, 'only what has a name has a result'],
  ],
  'src/engine.ts': [
    [
      "why !== '').join('; ')",
      /^'; '$/,
      /./,
      'test/threads-faults.test.ts, which is not among its tests, sees it',
    ],
  ],
  'src/errors.ts': [
    ["Class, 'name'", /./, /./, AT_LOAD],
    ['Class.prototype, ', /./, /./, AT_LOAD],
    ["errorClass('", /./, /./, AT_LOAD],
    ["'MemoryLimitError',", /./, /./, AT_LOAD],
  ],
  'src/feed.ts': [['bytes <= FEW', /./, /./, COPIES]],
  'src/items.ts': [
    ['cut.seqK > SPLIT', /./, /^(true|.*>=.*)$/, 'the general case cuts the same'],
    ['if (!packed) blocks', /./, /^false$/, 'they are counted one by one: as many'],
    ['export const prefills', /./, /^true$/, 'there are no items of its family then'],
    ['export const decodes', /./, /^true$/, 'the same'],
    [
      'this.head > 0 && this.#rows <= height',
      /./,
      /^(false|this.#rows < height)$/,
      'the same block, computed again',
    ],
  ],
  'src/kv-cache.ts': [
    ['#special = false', /^false$/, /./, 'read as a cache that has ∞ or NaN: slower, and the same bits'],
    ["call.input('", /^'[kv]'$/, /./, 'errors name tensors by it: these are arrays'],
  ],
  'src/launch/append.ts': [
    ["APPEND_ARGS.indexOf('found')", /./, /./, AT_LOAD],
    ['end > token', /./, /^(true|.*>=.*)$/, 'a piece of no bytes'],
    [
      '!ring || lengths',
      /./,
      /^(false|!ring && .*|.*count < capacity)$/,
      'places beyond a length, which nobody sees, are put back, too',
    ],
    ['take(from, first', /^first \* token$/, /\//, 'more is put back than was written over: it is the same'],
  ],
  'src/launch/attention.ts': [
    ['++launches', /./, /--/, 'another number, which no other launch has either'],
    ['decoding.parts > 0', /./, /^(true|.*>=.*)$/, 'no parts take no room'],
    ['attentionShape !== this.#number', /./, /^true$/, 'written again: it costs time only'],
    [
      'cache.special || addresses.special',
      /./,
      /^true$/,
      'NaN is looked for where none is: it costs time only',
    ],
    ['b < batch', /./, /<=/, 'one more, where scratch or what is written later lies'],
    ['biasSteps[3]', /./, /\//, 'a step is 1, or 0 where there is one key; 4 / 0 is written as 0'],
    ['NO_STEPS: BroadcastShape', /./, /./, 'undefined is written as 0'],
    ['size === 0 ||', /./, /./, 'a quick look: what follows comes to 1 there'],
  ],
  'src/launch/gemm.ts': [
    [
      'items.count === 0) return 0',
      /./,
      /^false$/,
      'without items nothing is asked for, by either of two lines',
    ],
    ['return items.count === 0', /./, /^false$/, 'the same'],
  ],
  'src/make-engine.ts': [
    ['compileSync();', /./, /./, 'an instance compiles what is not compiled'],
    [
      "shared = makeEngine(op, DEFAULT, ALL & ~untested, '')",
      /^''$/,
      /./,
      'nobody can ask the default engine',
    ],
    [
      'runtime.untested !== 0',
      /./,
      /^true$/,
      'who is to test is asked only where there is something untested',
    ],
    [
      "threads !== 'auto' && threads > 1",
      /^(threads !== )?'auto'$/,
      /^(true|"")$/,
      "'auto' is not greater than 1 either",
    ],
    ["forThreads = code === 'ERR", /./, /^true$/, 'what else there is to fail fails on one thread, too'],
    [
      'return String(message).replace',
      /./,
      /^\/(createEngine: \| \\\[\\w\+\\\]\$|\^createEngine: \| \\\[\\w\+\\\])\/g$/,
      'it begins with the one and ends with the other, and has neither twice',
    ],
    ['runtime.dispose();', /^runtime.dispose\(\);$/, /./, 'nobody else holds it'],
  ],
  'src/multi-head-attention.ts': [
    ['if (!this.#alive) return;', /./, /^false$/, 'matrices and biases may be disposed of twice'],
  ],
  'src/pass.ts': [
    ["call.input('x'", /^'x'$/, /./, 'errors name tensors by it: it is an array'],
    ["call.input('context'", /^'context'$/, /./, 'errors name tensors by it: it is an array'],
    ["call.output('weights'", /^'weights'$/, /./, 'errors name what was given by it: none was'],
    ["'weights', ", /^'weights'$/, /./, 'a layer that is alive has all its weights'],
    ['wantsSum = inspect', /./, /^true$/, 'a sum that nobody is given'],
    [
      'transposeB: false, sharedB: true',
      /^(false|true)$/,
      /./,
      'of one matrix by one that is packed neither is asked',
    ],
    ['if (held) append', /./, /^true$|append\.check/, 'there is a launch where there is a cache'],
    ...[
      [/^append && held$/, /^(true|append \|\| held)$/],
      [/^append && held && cache$/, /^append && held \|\| cache$/],
    ].map((rule) => ['append && held && cache', ...rule, 'there are all three, or none']),
    ['special: (found', /./, /^true$/, 'a slower way to the same bits'],
    ["dtype === 'f16'", /./, /^true$/, 'in two steps, the same'],
    ['if (problem.cache) cache', /./, /^true$|cache\.commit/, 'there are both, or none'],
    ['tensors: false', /./, /^true$/, 'launches do not ask'],
    ['totalQ: batch', /./, /./, 'what a pass is worth to be shared: time alone'],
    ['totalK: batch', /./, /./, 'what a pass is worth to be shared: time alone'],
  ],
  'src/memory/allocator.ts': [
    ['i > 0', /./, /^(true|.*>= 0)$/, 'there is no neighbour at −1: undefined, which no address equals'],
    ['number[] = []', /./, /./, 'it begins with a word, which is no number: no size fits it'],
  ],
  'src/memory/copy.ts': [
    ['done < bytes', /./, /<=/, 'one more piece, of no bytes'],
    ['(toAt - fromAt) % 8', /./, /./, 'which way it copies: the bytes are the same'],
  ],
  'src/operations/attention.ts': [
    [
      '[heads, totalQ]',
      /^\[heads, totalQ\]$/,
      /^\[\]$/,
      'a new one is made beside weights only, which packed sequences have not',
    ],
    ["  const Q = call.input('q'", /^'q'$/, /./, 'errors name tensors by it: it is an array'],
    ['special: false', /./, /./, 'NaN is looked for where none is: up to 2¹⁰⁰ it costs time only'],
    ['ready.team === undefined', /./, /^false$/, 'a quick look: `inPlace` looks, too'],
    ['const inPlace =', /./, /^false$/, 'more memory goes through the caches: it costs time only'],
    ["call.output('weights'", /^'weights'$/, /./, 'nobody gives it: no error has the name'],
  ],
  'src/operations/matmul.ts': [
    ["call.input('b'", /^'b'$/, /./, 'where it is packed, the door has looked behind the options'],
    ['batch: 1, M: 0', /./, /./, 'there are no rows, and there is one B'],
  ],
  'src/operations/merge.ts': [
    ["call.output('out'", /^'out'$/, /./, 'nobody gives it: no error has the name'],
    ["call.output('logSumExp'", /^'logSumExp'$/, /./, 'the same'],
  ],
  'src/operations/ready.ts': [
    [
      'plain === runtime ||',
      /^plain === runtime$/,
      /^false$/,
      'tried again, and refused again in the same words',
    ],
  ],
  'src/operations/tensor.ts': [["'tensor'", /./, /./, 'nobody gives it: no error has the name']],
  'src/options/again.ts': [
    ['i < names.length', /./, /<=/, 'one more of nothing'],
    ['i < values.length', /./, /<=/, 'one more of nothing'],
    ['out >= 0', /./, /^true$/, 'a field of no name is set'],
    [
      'outShape !== undefined &&',
      /./,
      /./,
      'where it says no more often, `resolve` does it all: it costs time only',
    ],
    ["arg: 'out'", /^'out'$/, /./, 'whoever reads the name has read it in the first call'],
    ['again: true', /^true$/, /./, 'the launch is looked up anew: it costs time only'],
    ['a !== 0 || Object.is', /./, /./, 'it says no more often: `resolve` does it all'],
    ['out < 0 ?', /./, /^false$/, 'a field of no name is undefined'],
  ],
  'src/options/attention.ts': [
    ['isLike(op, door,', /^totalK/, /./, 'a quick look: where it says no, `resolve` looks'],
  ],
  'src/options/cache.ts': [['...absent', /./, /./, 'what is missing is undefined as well']],
  'src/options/engine.ts': [['...absent', /./, /./, 'what is missing is undefined as well']],
  'src/options/merge.ts': [['...absent', /./, /./, 'what is missing is undefined as well']],
  'src/options/layer.ts': [
    ['to < part.length', /./, /<=/, 'one more row, of no numbers'],
    ['i < names.length', /./, /<=/, 'one more of nothing: both are undefined'],
  ],
  'src/options/rope.ts': [
    ['...absent', /./, /./, 'what is missing is undefined as well'],
    ['check.length(op, arg, x)', /./, /./, 'lengths are looked at once more, with all others'],
  ],
  'src/options/scores.ts': [
    ['shape.length !== 4', /^shape.length !== 4$/, /^false$/, '`values` has taken four, no more and no less'],
    ['data$', /./, /./, 'there is one "data" in it, at its end'],
  ],
  'src/runtime.ts': [
    ['tile.decided', /./, /^false$/, 'a choice that is made gives what it has found'],
    ['this.#words.f32.length === 0', /./, /^true$/, 'words of the same memory, made anew'],
    ["new Runtime('createEngine'", /^'createEngine'$/, /./, 'nobody is told of its error'],
    ['bytes > this.#stagingBytes)', /./, />=/, 'the same block, given back and taken'],
    ["??= 'poisoned'", /^'poisoned'$/, /./, 'it is another word than that of the end'],
    ['#instance === undefined ? 0', /./, /^false$/, 'one that has ended is not asked'],
    ['      this.#plain?.dispose();', /./, /plain\.dispose/, 'one memory alone never comes beyond its limit'],
    [
      'if (this.#shared) {',
      /./,
      /^true$/,
      'the words of plain memory, made at once; its buffers are not asked',
    ],
  ],
  'src/self-test.ts': [
    ['i < length; i++', /./, /<=/, 'nothing is written behind the end of an array'],
    ['i < x.length; i += size', /./, /<=/, 'nothing is written behind the end of an array'],
    ['column < columns', /./, /<=/, 'nothing is written behind the end of an array'],
    ['% modulus) - (modulus', /./, /\+/, 'other integers, as exact'],
    ['ak < M * K', /./, /<=/, 'nothing is written behind the end of an array'],
    ['i < M * N', /./, /<=/, 'nothing is written behind the end of an array'],
    ['i < k.length', /./, /<=/, 'nothing is written behind the end of an array'],
    ['d < valueDim', /./, /<=/, 'nothing is written behind the end of an array'],
    ['d < size; d++) q[', /./, /<=/, 'one element of a row that finds its key by far more'],
    ['(d * 7) % 11', /./, /^(d \/ 7|.*\+ 5)$/, 'other numbers, which spread as well'],
    ['sharedB: true', /./, /./, 'there is one matrix'],
    ['outShape: [', /./, /./, 'arrays have no shape'],
    ['again: false', /./, /./, 'one more launch is kept, which no other problem finds'],
    ["arg: 'bias'", /^'bias'$/, /./, 'errors name tensors by it: it is an array'],
    [
      'exact(1, false,',
      /^false$/,
      /^true$/,
      'A is one row, which lies either way; of B the products of self-test.test.ts tell',
    ],
    ["layout: 'bhsd'", /./, /./, "what is not 'bshd' is the other"],
    ["layout: 'bshd'", /./, /./, 'of one head both layouts are one'],
    ['    packed: false,', /./, /./, 'there is one sequence, and the other family has no items'],
    ['<= 2 **', /./, /^[^=]* < 2/, 'an error of just so much'],
  ],
  'src/threads/crew.ts': [
    [
      "why: 'lost'",
      /./,
      /^""$/,
      'of a worker that never began the cause is told, not which kind of end it was',
    ],
    ["why: 'threw', worker: thread, cause });", /./, /^""$/, 'the same'],
  ],
  'src/threads/job.ts': [["before = ''", /./, /./, 'what is compared with it begins with a number']],
  'src/threads/machine.ts': [
    ['which a page has only', /./, /./, AT_LOAD],
    ['Cross-Origin-Opener-Policy', /./, /./, 'the same'],
  ],
  'src/threads/pool.ts': [
    [
      'this.#waiting.length > 0',
      /./,
      /^false$/,
      'calls wait while none runs where there is no worker: it is asked for beside',
    ],
    ['job.publish(program, false)', /^false$/, /./, 'a message that nobody waits for'],
    ['member.is(BUSY);', /./, /^;$/, 'of the caller it is only asked whether he is parked'],
    ['#member.is(NONE);', /./, /^;$/, 'the same'],
    ['CLAIMS]! - 1', /./, /./, 'one more is woken: it costs time only'],
    [
      'if (member.spin(over)) continue;',
      /./,
      /^false$/,
      'a wait without a spin before it: it costs time only',
    ],
    ['job.death !== undefined', /./, /^true$/, 'without a death nobody is gone'],
    ['t < this.threads', /./, /<=/, 'no thread has that number'],
    ['performance.now() > until', /./, />=/, 'one look more'],
    ['job === this.#running', /./, /^true$/, 'one that is done no longer listens'],
    ['this.#member.work();', /./, /^;$/, 'what is left is claimed by a worker, or by the next look'],
    ['this.#leaves();', /./, /^;$/, 'a worker that has gone costs nothing where no claim is missing'],
    ['if (this.#stopped) return;', /./, /^false$/, 'nothing is left to be stopped'],
    ['if (this.#running === undefined) return;', /./, /^false$/, 'no job runs: nobody is told of its end'],
    ['!== undefined && !this.helps', /undefined$/, /^true$/, 'the same'],
    ['this.#member.spin(quiet)', /./, /./, 'it looks without a rest'],
    ['compareExchange(words, CANCEL, 0, ABORTED)', /./, /./, 'the rest is computed, and never read'],
    ['Atomics.store(words, STATE, OVER);', /./, /./, 'the next job says what it is'],
    [
      'Atomics.load(words, TICKET) === 0',
      /./,
      /^(true|.*\|\|.*)$/,
      'a race of a few instructions: a step that opens between two looks; a wait for what has come returns at once',
    ],
    [
      'if (member.spin(over)) return false;',
      /^false$/,
      /./,
      'patience looks itself whether anything was done',
    ],
  ],
  'src/threads/team.ts': [
    ['2 ** 24', /./, /./, AT_LOAD],
    ['Record<Build, number>> = {', /./, /./, 'the same'],
    ['FinalizationRegistry', /./, /./, 'the same'],
    ['  #inside = false;', /^false$/, /^true$/, 'workers that have nothing are looked at once more'],
    ['signal!.reason', /./, /./, 'only a signal aborts'],
  ],
  'src/threads/wait.ts': [['} catch {', /./, /./, 'undefined is false, too']],
  'src/threads/program.ts': [['at + DRIVER', /./, /./, 'DRIVER is 0']],
  'src/threads/protocol.ts': [
    ['at + DRIVER', /./, /./, 'DRIVER is 0'],
    ['PROGRAM = THREAD +', /./, /./, AT_LOAD],
    ['CONTROL_BYTES: number =', /./, /./, 'the same; test/threads-block.test.ts has the sizes'],
    ['performance.now() < until', /./, /<=/, 'one look more'],
  ],
  'src/words.ts': [
    [
      'i > 1 && j > 1',
      /^(i > 1|j > 1|i > 1 && j > 1)$/,
      /^(true|.*>= 1|i > 1 \|\| j > 1)$/,
      'before the first letter there is none, which no letter is like',
    ],
    ['} catch {', /./, /./, 'undefined is no yes'],
    [
      '>= fewest',
      /./,
      /^(false|.*> fewest)$/,
      'a quick look: as many edits as letters are missing, at least',
    ],
    ['const buffers:', /./, /./, AT_LOAD],
    ["['ArrayBuffer', ", /./, /./, AT_LOAD],
    ['if (typeof SharedArrayBuffer', /./, /./, AT_LOAD],
    ["buffers.push(['Shared", /./, /./, AT_LOAD],
  ],
  'src/wasm/brought.ts': [
    ['said.status !== undefined', /undefined$/, /^true$/, 'undefined is neither below nor above'],
    [
      'said.status !== undefined',
      /< 200|> 299/,
      /^(false|.*>= 299)$/,
      'a server says nothing below 200, nor 299',
    ],
  ],
  'src/wasm/inlined.ts': [
    ['bytes === undefined', /./, /^true$/, 'decoded again: it costs time only'],
    ['known.set(build, bytes)', /./, /./, 'the same'],
    ['decoders.Buffer)', /./, /^false$/, 'the loop below it makes the same bytes'],
  ],
  'src/wasm/instantiate.ts': [
    ['known === undefined', /./, /^true$/, 'validated again: it costs time only'],
    ['valid.set(build, known)', /./, /./, 'the same'],
    ['odules.set(build, module)', /./, /./, 'compiled again: it costs time only'],
    ['export async function compile(', /./, /./, 'compiled, or refused in the same words, by who goes on'],
    ['modules.set(build, await', /./, /./, 'the same'],
    ['if (modules.has(build)) return;', /./, /^(true|false)$/, 'the same, or compiled again'],
    ['export function compileSync(', /./, /./, 'the same'],
    ['for (const build of BUILDS) {', /./, /./, 'the same'],
    ['modules.set(build, new', /./, /./, 'the same'],
  ],
};

/** Why a survivor may live; undefined: it is a hole in the tests. */
export function explanation({ file, line, what, to }) {
  const rule = RULES[file]?.find(([text, was, is]) => line.includes(text) && was.test(what) && is.test(to));
  return rule?.[3];
}
