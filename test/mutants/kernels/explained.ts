/**
 * Mutants that no test can kill, each with the reason: they compute the same, or differ in what nobody promises. A rule is for one
 * function (tiles and drivers that have the same lines in them are one), one change, and one place, told by the expression around it.
 * It is asked for survivors only: a mutant that is killed needs no excuse.
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

interface Rule {
  /** Functions, as reports have them. */
  readonly place: RegExp;
  readonly what: RegExp;
  /** In binaryen's text. */
  readonly around: RegExp;
  readonly reason: keyof typeof REASONS;
}

const rule = (reason: Rule['reason'], place: RegExp, what: RegExp, around: RegExp): Rule => ({
  place,
  what,
  around,
  reason,
});

/** Where the register tiles are: alone, and inlined. */
const TILES = /^(testing\/f32GemmT?\dx|select\/(narrow|wide))/;

const RULES: readonly Rule[] = [
  // ---- the choice of a tile, of a kernel for one row, of how far a loop is unrolled ----
  rule(
    'speed',
    /^select\/(rows|columns)(Add|Max|Left)$/,
    /^constant \d16 /,
    /^\(i32\.eq \(i32\.const \d16\)/,
  ),
  rule('speed', /^select\/(rows|columns)(Add|Max)$/, /^(if|select) negated/, /i32\.const 616/),
  rule('speed', /^(gemm\/rowTimesPanels|decode\/attend)$/, /^(EqInt32 → NeInt32|if negated)/, /1x32|1x16/),
  rule('speed', TILES, /^AndInt32 → OrInt32/, /^\(i32\.shl \(i32\.and \(i32\.const -4\)/),
  rule('speed', /^kernels\/f32-pack\/f32Pack$/, /^constant 8 → 9/, /^\(i32\.eq /),
  rule('speed', /^select-rows\/dots$/, /^(AndInt32 → OrInt32|constant 3 → \d)/, /i32\.const 3\)/),
  rule('speed', /^select-rows\/sweep$/, /^(if negated|LeFloat64|constant 16777216)/, /16777216/),
  rule('speed', /^select-rows\/sweep$/, /^constant [48] → [59]/, /^\(i32\.ge_s /),
  // The last whole vectors are left to the loop of single numbers.
  rule('speed', /^kernels\/f32-(score-mask|transpose)\//, /^Ge([SU])Int32 → Gt\1/, /^\(if \(i32\.ge_/),
  // An item is computed once more, by the kernels that know of NaN.
  rule('speed', /^decode\/isRight$/, /^lane \d of zeros/, /^\(local\.set /),
  // Rows in another order, or some of them twice.
  rule('speed', /^merge\/merge$/, /./, /\(i32\.ge_u \(i32\.load \S+ offset=36 .*offset=40/),
  rule('speed', /^merge\/merge$/, /^constant 4 → 3/, /^\(i32\.add /),
  // The first time already with those.
  rule('speed', /^(attention\/attention|decode\/decode)$/, /^constant 0 → -?1/, /^\(call .*\/attend /),
  // Panels of weights that overlap are computed twice.
  rule('speed', /^weights\/weights$/, /^constant 8 → 7/, /^\(i32\.add /),
  // Scores that could be finished as they are multiplied go the longer way: without a softcap capHalf is 0, not 1.
  rule(
    'speed',
    /^(attention\/attend|panel\/panelScores)$/,
    /^offset 72 → /,
    /^\(f32\.eq \(f32\.load .* offset=72/,
  ),

  // ---- scratch: what is asked for, and where in it things lie. Of dimensions there is room for eight more ----
  rule('room', /Scratch$/, /^constant (\d+) → (?!0)/, /f64\.(add|mul|max) /),
  rule('room', /^rope\/ropeScratch$/, /^(constant 2 → 1|ShrUInt32 → ShlInt32)/, /^\(i32\.shr_u /),
  rule('room', /^attention\/attentionScratch$/, /^offset 48 → 44/, /offset=48/),
  rule('room', /^attention\/attentionScratch$/, /^constant 256 → 257/, /^\(i32\.le_s /),
  rule('room', /^panel\/nearBlock$/, /^constant 3 → 4/, /^\(i32\.add /),

  rule('room', /^pack\/pack$/, /^constant 8 → 9/, /^\(i32\.lt_s /),
  rule('room', /^weights\/weighPanel$/, /^constant 15584 → 15585/, /^\(i32\.add /),

  // ---- unread ----
  // One panel has no next one.
  rule('unread', /^panel\/panelScores$/, /^constant 0 → /, /^\(call \$assembly\/select\/rowsMax /),
  rule('unread', /^kernels\/f32-gemv\/f32Gemv1$/, /^constant 0 → /, /^\(call .*lastColumns /),
  rule(
    'unread',
    /^panel\/addAlibi$/,
    /^(SubInt32 → AddInt32|constant 1 → 0)/,
    /i32\.sub \(local\.get \$\d+\) \(i32\.const 1\)/,
  ),
  // Of what is loaded nothing is used: it is in the cache then.
  rule('unread', /^kernels\/f32-touch\/f32Touch$/, /^OrInt32 → AndInt32/, /./),
  // A fifth row is written once more, as the first of the next four.
  rule('unread', /^merge\/merge$/, /^constant 4 → 5/, /^\((select|i32\.gt_s) /),
  // Lanes beyond the last row repeat it, or are rows behind it: computed, never stored.
  rule('unread', /^panel\/openPanel$/, /^constant 1 → 0/, /^\(i32\.sub /),

  // ---- unreached ----
  // Weights are never asked for float16 or packed sequences.
  rule('unreached', /^weights\/scores$/, /./, /f16Widen|offset=60 \(local|i32\.const 3\) \) \(i32\.const -4/),
  // A transposed B is packed in items of all its steps.
  rule('unreached', /^pack\/pack$/, /^constant 4 → /, /^\(if \(result i32\) .*offset=40/),
  // An item has a row, at least.
  rule('unreached', /^merge\/merge$/, /^LtSInt32 → LeSInt32/, /^\(if \(i32\.lt_s /),
  // A sum of weights has that of the largest score in it, 1: it is not negative and not subnormal; 0 is looked for before.
  rule(
    'unreached',
    /NativeMathf\.log$/,
    /^(constant (31|192937984) →|SubFloat32 → Add|DivFloat32 → Mul)/,
    /./,
  ),

  // ---- the same ----
  // The host aligns it up.
  rule('same', /^probe\/heapBase$/, /^constant /, /./),
  // Of four rows there are four, with > 3 and with > 4.
  rule('same', /^merge\/merge$/, /^constant 4 → 3/, /^\(i32\.gt_s /),
  // True is what is not 0.
  rule('same', /^(attention\/attention|decode\/decode)$/, /^constant 1 → 2/, /^\(call .*\/attend /),
  // What is subtracted is 0, and of −0 and 0 the powers are one.
  rule(
    'same',
    /^testing\/exp2FourVectors$/,
    /^SubVecF32x4 → AddVecF32x4/,
    /\(f32x4\.sub .*0x00000000 0x00000000/,
  ),
  rule('same', /^kernels\/f32-score-mask\/f32MaskSeen$/, /^constant 1 → 2/, /^\((local\.set|select|if) /),
  // Lanes are 4 bytes apart: the last begins at 28.
  rule('same', /^kernels\/f32-score-mask\/f32MaskSeen$/, /^constant 32 → 31/, /^\(i32\.lt_u /),
  // All lanes are the same.
  rule('same', /^probe\/multiplyAdd$/, /^lane 0 → 1/, /./),
  // Sizes are of whole floats: 1 more or less is no other multiple of 4.
  rule('same', /^kernels\/f32-copy-rows\//, /^constant -64 → -63/, /^\(i32\.sub /),
  // Any score beyond 2.3e38 is infinite, so none lies between these.
  rule('same', /^panel\/startSoftmax$/, /^lane \d of a constant/, /0xff7fffff/),
  // Places and counts are not negative.
  rule('same', /^(gemm|pack|attention|decode|panel|weights)\//, /^ShrSInt32 → ShrUInt32/, /./),
  // Where a B that lies is packed, its rows are as long as those of C.
  rule('same', /^pack\/pack$/, /^offset 48 → 52/, /^\((if \(result i32\)|call .*f32Pack )/),
  // Of eight columns there are eight, with > 7, too; the first lane, 0, is below 8 and not above.
  rule('same', /^pack\/pack$/, /^constant 8 → 7/, /^\(i32\.gt_s /),
  rule('same', /^pack\/pack$/, /^LtSInt32 → LeSInt32/, /^\(if \(i32\.lt_s /),

  // ---- the law ----
  rule('law', /NativeMathf\.log$/, /^constant -8388608 → -8388607/, /^\(i32\.and /),
];

/** Why a mutant that survives may do so; undefined: it is a hole in the tests. */
export function explanation(place: string, what: string, around: string): Rule['reason'] | undefined {
  return RULES.find((each) => each.place.test(place) && each.what.test(what) && each.around.test(around))
    ?.reason;
}
