/** Survivors that are no holes: in the kernels, and where they are chosen (select.ts, select-rows.ts). */
import { rule, type Rule } from './reasons.ts';

/** Where the register tiles are: alone, and inlined. */
const TILES = /^(testing\/f32GemmT?\dx|select\/(narrow|wide))/;
/** Where a tile is chosen for panels. */
const CHOICE = /^(select\/(rows|columns)(Add|Max|Left)|attention\/attend)$/;

export const KERNELS: readonly Rule[] = [
  // ---- the choice of a tile, of a kernel for one row, of how far a loop is unrolled ----
  rule('speed', CHOICE, /^constant \d1[26] /, /^\(i32\.eq .*\(i32\.const \d1[26]\)/),
  rule('speed', CHOICE, /^select negated/, /i32\.const 616/),
  rule('speed', CHOICE, /^if negated/, /^\(if \(local\.tee .*i32\.const 616/),
  rule('speed', CHOICE, /^(EqInt32 → NeInt32|constant (1 → 2|2 → 1))/, /^\(select .*i32\.const 616/),
  rule('speed', CHOICE, /^constant 1 → 0/, /^\(select \(i32\.const 1\) .*i32\.const 616/),
  rule(
    'speed',
    /^select\/narrow/,
    /^(EqInt32 → NeInt32|constant 608)/,
    /^\((if \()?i32\.eq \(i32\.const 608/,
  ),
  rule('speed', /^select\/narrow/, /^if negated/, /^\(if \(i32\.eq \(i32\.const 608\)/),
  // Six rows that are the last are left to four and two; 16 columns, or 32, to fours.
  rule(
    'speed',
    /^select\/narrow/,
    /^(GeSInt32 → GtSInt32|constant 6 → 7)/,
    /^\((if \()?i32\.ge_s .*\(i32\.const 6\)/,
  ),
  rule(
    'speed',
    /\/f32Pv1x(16|32)$/,
    /^(constant (16 → 17|32 → 33)|GeSInt32 → Gt)/,
    /^\((if \()?i32\.ge_s .*\(i32\.const (16|32)\)/,
  ),
  // Of four rows 4×8 takes all, or 3×12 three.
  rule('speed', /^select\/rowsLeft$/, /^(GeSInt32 → GtSInt32|constant 4 → [35])/, /^\((select \()?i32\.ge_s/),
  rule(
    'speed',
    TILES,
    /^(AndInt32 → Or|ShlInt32 → Shr|constant 5 → 4)/,
    /i32\.shl \(i32\.and \(i32\.const -4\)/,
  ),
  rule('speed', /^kernels\/f32-pack\/f32Pack$/, /^constant 8 → 9/, /^\(i32\.eq /),
  // All steps of the first two panels, then all of the others; a turn ends with its eighth step.
  rule('speed', /\/f32Gemm1x32Pairs$/, /^AddInt32 → SubInt32/, /^\(local\.tee .*\(i32\.const 32\)/),
  rule('speed', /\/f32Gemm1x32Pairs$/, /^constant 32 → 3[13]/, /^\(i32\.add \(i32\.const 32\)/),
  rule('speed', /^select-rows\/dots$/, /^AndInt32 → OrInt32/, /i32\.const 3\)/),
  rule(
    'speed',
    /^select-rows\/sweep$/,
    /^(if negated|LeFloat64|constant 16777216)/,
    /^\((block \()?(if \()?f64\.le/,
  ),
  rule('speed', /^select-rows\/sweep$/, /^constant [48] → [59]/, /^\(i32\.ge_s /),
  rule('speed', /^select-rows\/sweep$/, /^GeSInt32 → GtSInt32/, /^\(if \(i32\.ge_s /),
  // The last whole vectors, or all of them, are left to the loop of single numbers.
  rule('speed', /\/f32-(score-mask|transpose|copy-rows)\//, /^Ge([SU])Int32 → Gt\1/, /^\(if \(i32\.ge_/),
  rule('speed', /\/f32-(score-mask|transpose)\//, /^constant (16 → 17|4 → 5)/, /^\(i32\.add /, /^\(if /),
  rule('speed', /\/f32RowsToPanel$/, /^constant 4 → 5/, /^\(i32\.ge_s /),
  rule(
    'speed',
    /\/f32CopyRows$/,
    /^(constant -64 → -65|SubInt32 → AddInt32|operands of SubInt32)/,
    /\(i32\.const -64\)/,
    /^\(if /,
  ),
  rule(
    'speed',
    /\/f32Merge$/,
    /^(AddInt32 → SubInt32|GeUInt32 → Gt|constant 32 → 33)/,
    /^\((if \(|i32\.ge_u )?(i32\.ge_u .*)?\(?i32\.add \(local\.get \$1\) \(i32\.const 32\)/,
    /^\(if /,
  ),
  rule(
    'speed',
    /\/f16Check$/,
    /^(GeUInt32 → Gt|constant 16 → 17)/,
    /\(i32\.add \(local\.get \$0\) \(i32\.const 16\)/,
  ),
  rule('speed', /\/f16Widen$/, /^AndInt32 → OrInt32/, /^\(i32\.shl \(i32\.and \(i32\.const -8\)/),
  rule(
    'speed',
    /\/(f32Row|f16Narrow|f16Widen)$/,
    /^(constant (2 → 1|1 → 0)|ShlInt32 → ShrU)/,
    /^\((local\.set \$\d+ \()?i32\.shl \(i32\.and \(i32\.const -[48]\)/,
  ),
  // Bytes of a mask are looked at twice, or a row that repeats: what is read across two addresses is neither.
  rule('speed', /\/f32MaskSeen$/, /^constant 16 → 15/, /^\(i32\.add /, /^\(local\.set /),
  rule('speed', /\/f32MaskSeen$/, /^constant 4 → [35]/, /^\(i32\.sub .*i32\.add/),
  rule('speed', /\/f32ScoreMask$/, /^AddInt32 → SubInt32/, /^\(i32\.ge_u .*\(i32\.const 16\)/),
  // Lines are met more than once; one row is touched as several are, or two as one would be.
  rule('speed', /\/f32Touch$/, /^constant (-64 → -63|128 → 127)/, /^\(i32\.(sub|add \(local\.get \$9\)) /),
  // None of the lines of K and V that both have, so all of them after.
  rule('speed', /\/f32Touch$/, /^AndInt32 → OrInt32/, /^\(local\.set \$\d+ \(i32\.and \(i32\.const -128\)/),
  // A sum keeps a NaN, and so does a difference. Where ∞ is among them an item is computed once more, or not.
  rule('speed', /\/f32PanelToRows$/, /^AddVecF32x4 → SubVec/, /^\(\S+ .*f32x4\.add .*offset=96/),
  rule('speed', /\/f32Touch$/, /^(GtSInt32 → GeSInt32|constant 1 → [02])/, /^\((select \()?i32\.gt_s /),

  // ---- unread ----
  rule('unread', /\/f32Gemv1$/, /^constant 0 → /, /^\(call .*lastColumns /),
  // What asc leaves of an argument that is the same in all calls.
  rule(
    'unread',
    /^select\/narrow(Add|Max)$/,
    /^constant [01] → /,
    /^\(local\.set \$2 \(i32\.const [01]\) \)/,
  ),
  rule('unread', /\/f32Dot8$/, /^constant 4 → [35]/, /^\(local\.set \$\d+ \(i32\.const 4\)/),
  rule('unread', /^testing\//, /^constant /, /^\(local\.set \$\d+ \(i32\.const \d+\) \)/),
  // A loop of the testing module over numbers of which some are done twice, or that nobody looks at.
  rule(
    'unread',
    /^testing\/exp2FourVectors$/,
    /^(GtSInt32 → Ge|constant 8 → 7)/,
    /^\((if \(i32\.gt_s|i32\.add) /,
  ),

  // ---- unreached ----
  // A sum of weights has that of the largest score in it, 1: it is not negative and not subnormal; 0 is looked for before.
  rule('unreached', /\.log$/, /^(constant (31|192937984) →|SubFloat32 → Add|DivFloat32 → Mul)/, /./),
  rule('unreached', /\.log$/, /./, /^\(i32\.eqz |^\(i32\.rein.*const 8388608/),
  rule('unreached', /\.log$/, /^constant/, /^\(br_if \$\w+ \(f32\.const -inf/),
  rule('unreached', /\.log$/, /^(GeUInt32 → Gt|constant (8388608|2130706432) → )/, /8388608|2130706432/),
  rule('unreached', /\.log$/, /^(SubInt32 → Add|operands of SubInt32)/, /192937984/),
  rule('unreached', /\.log$/, /^ShrSInt32 → ShrU/, /^\(f64\.convert_i32_s /),
  // No sum of weights is infinite.
  rule('unreached', /\.log$/, /./, /^\((drop \(|br_if .*|i32\.eq ).*2139095040/),
  // It may be NaN, which is far from where NaN begins, and of which any difference is NaN.
  rule(
    'unreached',
    /\.log$/,
    /^(?!if|break|constant 1 → 0|ShlI|operands of Shl)/,
    /i32\.const -16777216|^\(i32\.shl \(local\.get \$1\) \(i32\.const 1\)/,
  ),
  rule('unreached', /\.log$/, /^constant 1 → 0/, /^\(i32\.shl /, /f32\.const -inf/),
  rule(
    'unreached',
    /\.log$/,
    /./,
    /^\(i32\.shr_u \(local\.get \$1\) \(i32\.const 31\)|^\(f32\.div \(f32\.sub/,
  ),

  // ---- the same ----
  // What is subtracted is 0, and of −0 and 0 the powers are one.
  rule('same', /\/exp2FourVectors$/, /^SubVecF32x4 → Add/, /\(f32x4\.sub .*0x00000000 0x00000000/),
  // Steps of 2, 4, 8 or 16: one more or less is no other. Sizes are of whole floats.
  rule('same', /\/f32MaskSeen$/, /^constant 32 → 31/, /^\(i32\.lt_u /),
  rule('same', /\/f32CopyRows$/, /^constant -64 → -63/, /^\(i32\.sub /, /^\(if /),
  rule('same', /\/f16Check$/, /^constant 16 → 15/, /^\(i32\.add /),
  rule('same', /\/f32Merge$/, /^constant 32 → 31/, /^\(i32\.add /, /^\(if /),
  rule('same', /\/f32(Weights|ScoreMask)$/, /^constant 32 → 31/, /^\(i32\.lt_u /),
  // Eight columns are whole vectors of them, and blocks of 32.
  rule('same', /\/f32Pv4x8$/, /^constant 8 → 7/, /^\(i32\.ge_s /),
  rule('same', /\/f16Pv1x32$/, /^constant 0 → 1/, /^\(i32\.gt_s /),
  // Rows come in eights.
  rule('same', /\/f32Dot8$/, /^constant 0 → 1/, /^\(i32\.gt_s /),
  // Of two halves a third has no rows.
  rule(
    'same',
    /\/f32PanelToRows$/,
    /^(LtSInt32 → Le|constant 2 → 3)/,
    /^\((if \()?i32\.lt_s .*\(i32\.const 2\)/,
  ),
  // 2⁻¹⁴ is the same by both formulas.
  rule('same', /\/f16Narrow$/, /^LtSVecI32x4 → Le/, /^\(v128\.bitselect /),
  rule('same', /\/f32RopeTable$/, /^constant (2 → 3|-4 → -3)/, /^\(i32\.and /),
  rule('same', /\/f32PvExact$/, /^constant 32 → 31/, /^\(i32\.lt_u /),
  // True is what is not 0.
  rule(
    'same',
    /\/f32MaskSeen$/,
    /^constant 1 → 2/,
    /^\((local\.set|select|if) (?!\(i32\.const 1\) \(i32\.const 0\))/,
  ),
  // Rows are whole tiles: more than 0 are more than 1.
  rule('same', /^select\/wide/, /^constant (0 → 1|3 → 2)/, /^\(i32\.g[te]_s \(local\.get \$(4[03]|5[23])\)/),
  // Rows of a matmul are added to with factors that are all 1, and their panels of C lie 32 bytes apart: 32 + 16 is 2 · 32 − 16.
  rule(
    'same',
    /^select\/wideAdd$/,
    /^select negated/,
    /^\(select \(i32\.add \(local\.get \$8\) \(i32\.const 16\)/,
  ),
  // All lanes are the same.
  rule('same', /^(probe\/multiplyAdd|.*\/lastColumns)$/, /^lane 0 → 1/, /./),
  rule('same', /\/(f32Merge|f16Widen)$/, /^lane 0 → 1/, /^\(f32\.store /),
  // Both halves of what is narrowed, or all lanes.
  rule('same', /\/f16Narrow$/, /^lane 0 → 1/, /./),
  // A difference without its sign; four of eight ones.
  rule('same', /\/f32ScoreAlibi$/, /^operands of SubVecF32x4/, /^\(f32x4\.abs /),
  rule('same', /\/f32ScoreAlibi$/, /^offset 0 → 4/, /\(i32\.const 96\)/),
  // No pairs are left, and none are turned.
  rule('same', /\/f32Rope(Interleaved|Split)$/, /^AndInt32 → OrInt32/, /^\(if \(i32\.and /),
  // A NaN is the maximum, or makes one of its own: the row is NaN.
  rule('same', /\/f32MergeWeights$/, /^operands of PMaxVecF32x4/, /^\(local\.set .*\(v128\.load /),
  // Only the lower half of a float16's word is stored, and ½ has zeros there.
  rule('same', /\/f16Narrow$/, /^SubVecI32x4 → AddVecI32x4/, /^\(v128\.bitselect /, /^\(i32\.store16 /),
  // Counts are not negative.
  rule('same', /^kernels\//, /^ShrSInt32 → ShrUInt32/, /./),

  // ---- the law ----
  rule('law', /\.log$/, /^constant -8388608 → -8388607/, /^\(i32\.and /),
  // At ⅝ itself both forms of the softcap are right.
  rule('law', /\/f32ScoreCap$/, /^LtVecF32x4 → Le/, /^\(v128\.bitselect /),
  // Which interval a number at the edge of two is taken for: a table of both has it.
  rule('law', /\.log$/, /^constant 1060306944 → /, /^\(i32\.sub /),
];
