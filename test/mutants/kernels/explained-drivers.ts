/** Survivors that are no holes: in the other drivers, matmul's, merge's and rope's, and in all of them. */
import { rule, type Rule } from './reasons.ts';

export const DRIVERS: readonly Rule[] = [
  // ---- matmul ----
  rule('speed', /^gemm\/rowTimesPanels$/, /^(EqInt32 → NeInt32|if negated)/, /^\(if \(i32\.eq .*1x32/),
  rule(
    'speed',
    /^gemm\/rowTimesPanels$/,
    /^(offset 72|constant 312) → /,
    /^\((i32\.eq|drop) \(i32\.load \S+ offset=72/,
  ),
  // Fewer of its columns side by side; what is left, or done already, as a block of one row. That may be all of them, or none.
  rule(
    'speed',
    /^gemm\/rowTimesPanels$/,
    /^constant (5 → 4|4 → 5|3 → 4)/,
    /^\(i32\.(shl \(local\.tee|div_s|shr_s \(i32\.load \S+ offset=16)/,
  ),
  rule('speed', /^gemm\/rowTimesPanels$/, /^call left out/, /^\(block \(local\.set /),
  rule('speed', /^gemm\/rowTimesPanels$/, /^LtSInt32 → LeSInt32/, /^\(if \(i32\.lt_s .*\/block /),
  rule('speed', /^gemm\/gemm$/, /^constant 1 → 0/, /^\(i32\.eq \(i32\.load \S+ offset=24/),
  // B seems small.
  rule('speed', /^gemm\/rowInPlace$/, /^(MulFloat64 → Add|offset 48 → )/, /f64\.convert_i32/),
  rule('speed', /^gemm\/gemm$/, /^offset 24 → 20/, /^\(i32\.eq \(i32\.load \S+ offset=24/),
  rule('speed', /^gemm\/depthBlock$/, /^offset 72 → /, /^\(local\.set /),
  // A step of no depth more adds zeros.
  rule('speed', /^gemm\/block$/, /^GtSInt32 → GeSInt32/, /^\(br_if .*i32\.const 256/),
  rule(
    'speed',
    /^gemm\/row(InPlace|TimesPanels)$/,
    /^LtSInt32 → LeSInt32/,
    /^\(if \(i32\.lt_s .*\/(sweep|f32Gemm1x32) /,
  ),
  rule('room', /^pack\/pack$/, /^constant 8 → 9/, /^\(i32\.lt_s /),
  rule('room', /^(gemm|merge)\/\w+Scratch$/, /^constant (\d+) → (?!0)/, /f64\.(add|mul|max) /),
  rule('room', /^gemm\/rowInPlace$/, /^constant 32 → 31/, /^\(i32\.add /),
  // Rows are of whole floats.
  rule('same', /^gemm\/rowInPlace$/, /^constant -16 → -15/, /^\(i32\.and /),
  // True is what is not 0.
  rule('same', /^gemm\/depthBlock$/, /^constant 1 → 2/, /^\(select \(i32\.const 1\) /),
  // One row has no next one, and may be begun twice.
  rule('unread', /^gemm\/row(InPlace|TimesPanels)$/, /^constant (0 → -?1|1 → 2)/, /^\(call .*beginRows /),
  // Where there is no bias nothing of it is read.
  rule('unread', /^gemm\/block$/, /^offset 16 → /, /^\(if \(i32\.load \S+ offset=16 .*memory\.copy /),
  // Maxima that nobody asks for.
  rule('unread', /^gemm\/depthBlock$/, /^constant 0 → 1/, /^\(call .*rowsMax /),
  // A batch that shares its packed B is one tall matrix: a single row is of the first.
  rule(
    'unreached',
    /^gemm\/rowTimesPanels$/,
    /^offset (0|56|64|68) → /,
    /^\(i32\.mul \(i32\.load \S+ \(local\.get \$1\) \)/,
  ),
  rule(
    'unreached',
    /^gemm\/rowTimesPanels$/,
    /^AddInt32 → Sub/,
    /^\((i32\.add|local\.set \$\d+) \(i32\.add \(i32\.load \S+ (offset=\d+ )?\(local\.get \$0\) \) \(i32\.mul /,
  ),
  rule('unreached', /^gemm\/rowTimesPanels$/, /^offset 0 → 4/, /^\(call .*\/block /),
  rule(
    'unreached',
    /^gemm\/rowTimesPanels$/,
    /^MulInt32 → AddInt32/,
    /^\(i32\.add \(i32\.load \S+ offset=8 /,
  ),
  // A transposed B is packed in items of all its steps.
  rule('unreached', /^pack\/pack$/, /^constant 4 → /, /^\(if \(result i32\) .*offset=40/),
  // B of a packed matrix is its panels.
  rule('same', /^gemm\/rowTimesPanels$/, /^offset 8 → 4/, /offset=8 /),
  // Where a B that lies is packed, or read, its rows are as long as those of C; it comes in pieces only so.
  rule('same', /^pack\/pack$/, /^offset 48 → 52/, /^\((if \(result i32\)|call .*f32Pack )/),
  rule('same', /^gemm\/rowInPlace$/, /^offset 48 → 52/, /^\((call .*\/sweep |i32\.mul \(local)/),
  rule(
    'same',
    /^gemm\/block$/,
    /^offset 52 → 48/,
    /^\(call .*f32CopyRows \(local\.get \$\d+\) \(i32\.load \S+ offset=52/,
  ),
  // A transposed B has rows as long as one of A.
  rule(
    'same',
    /^gemm\/rowInPlace$/,
    /^offset 48 → 44/,
    /^\((call .*\/(f32Dot|dots) |if \(result i32\) \(i32\.load \S+ offset=40)/,
  ),
  // Of 256 steps there are 256, with > 255, too.
  rule('same', /^gemm\//, /^constant 256 → 255/, /^\(i32\.gt_s /),
  // Of eight columns there are eight, with > 7, too; the first lane, 0, is below 8 and not above.
  rule('same', /^pack\/pack$/, /^constant 8 → 7/, /^\(i32\.gt_s /),
  rule(
    'same',
    /^pack\/pack$/,
    /^LtSInt32 → LeSInt32/,
    /^\(if \(i32\.lt_s \(local\.get \$\d+\) \(i32\.const 8\)/,
  ),

  // ---- merge ----
  // Rows in another order, or some of them twice: a fifth is written once more, as the first of the next four.
  rule(
    'speed',
    /^merge\/merge$/,
    /^(?!constant)/,
    /^\((select .*)?\(?i32\.ge_u \(i32\.load \S+ offset=36 .*offset=40/,
  ),
  rule('speed', /^merge\/merge$/, /^constant 4 → 3/, /^\(i32\.add /),
  rule('unread', /^merge\/merge$/, /^constant 4 → 5/, /^\((select|i32\.gt_s) /),
  // An item has a row, at least.
  rule(
    'unreached',
    /^merge\/merge$/,
    /^LtSInt32 → LeSInt32/,
    /^\(if \(i32\.lt_s \(local\.get \$\d+\) \(local\.get \$\d+\) \) \(then \(local\.set \$\d+ \(local\.get /,
  ),
  // A fifth weight is written over by the next part's first, or by the table.
  rule(
    'unread',
    /^merge\/mergeFour$/,
    /^(LtSInt32 → LeSInt32|constant 4 → 5)/,
    /^\((if \()?i32\.lt_s \(local\.get \$\d+\) \(i32\.const 4\)/,
  ),
  // Of four rows there are four, with > 3 and with > 4.
  rule('same', /^merge\/merge$/, /^constant 4 → 3/, /^\(i32\.gt_s /),

  // ---- rope ----
  // Heads of a token first, or tokens of a head.
  rule('speed', /^rope\/tokens$/, /^offset 5[26] → /, /^\(i32\.lt_u /),
  rule(
    'speed',
    /^rope\/tokens$/,
    /^LtUInt32 → LeUInt32/,
    /^\(local\.tee \$\d+ \(i32\.lt_u .*offset=56 .*offset=52/,
  ),
  // A rest of no bytes is copied.
  rule('same', /^rope\/tokens$/, /^constant 0 → -?1/, /^\(select \(i32\.ne .*\(i32\.const 0\)/),
  rule(
    'room',
    /^rope\/ropeScratch$/,
    /^(constant (2 → 1|3 → 4|5 → 6)|ShrUInt32 → Shl)/,
    /i32\.shr_u |^\(i32\.add /,
  ),
  // A head has at least twice as many elements as pairs.
  rule('room', /^rope\/ropeScratch$/, /^offset 28 → 24/, /offset=28/),

  // ---- all of them ----
  // The host aligns it up.
  rule('same', /^probe\/heapBase$/, /^constant /, /./),
  // Places and counts are not negative.
  rule('same', /^(gemm|pack|attention|decode|panel|weights|rope)\//, /^ShrSInt32 → ShrUInt32/, /./),
];
