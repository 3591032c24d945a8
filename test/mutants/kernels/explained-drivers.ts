/** Survivors that are no holes: in the drivers, attention.ts, decode.ts and their like, and in panel.ts. */
import { rule, type Rule } from './reasons.ts';

export const DRIVERS: readonly Rule[] = [
  // ---- attention, panel ----
  // Numbers that name no tile are 4×8's.
  rule('speed', /./, /^offset 184 → 18[08]/, /^\(call .*(rowsMax|rowsAdd|columnsAdd) .*offset=184/),
  // A block of no keys.
  rule('speed', /\/attend$/, /^LtSInt32 → LeSInt32/, /^\(if \(i32\.lt_s .*offset=20 \(local\.get \$1\)/),
  // Fewer panels, or five, meet a block together: the scores of a fifth lie where the bias would, and there is none then.
  rule('speed', /^attention\/attend$/, /./, /^\(i32\.sub \(i32\.const 4\) \(i32\.rem_s /),
  rule('speed', /^attention\/attend$/, /^constant 4 → [35]/, /^\(i32\.rem_s \(i32\.const 4\)/),
  rule(
    'speed',
    /^attention\/attend$/,
    /./,
    /^\((if \(result i32\)|select|i32\.or|local\.tee) .{0,140}const (312|616)/,
  ),
  rule('speed', /^attention\/attend$/, /^offset 184 → 18[08]/, /^\(local\.tee /),
  rule(
    'speed',
    /^attention\/attend$/,
    /^(constant 1 → 0|SubInt32 → Add|operands of SubInt32)/,
    /^\(if \(result i32\) \(local\.get \$3\) \(then \(i32\.const 1\)/,
  ),
  rule('speed', /^attention\/attend$/, /^if negated/, /^\(if \(if \(result i32\) \(i32\.lt_s .*offset=136/),
  rule(
    'speed',
    /^attention\/attend$/,
    /^(AddInt32 → Sub|operands of SubInt32|constant (7 → 6|3 → 4))/,
    /^\(i32\.(shr_s|add) .*\(i32\.const 7\)/,
  ),
  rule(
    'speed',
    /^attention\/attend$/,
    /^GeSInt32 → GtSInt32/,
    /^\(if \(result i32\) \(i32\.ge_s .*offset=136/,
  ),
  // A panel never begins to see all where the last of its rows ceases to: it would go alone.
  rule(
    'speed',
    /^attention\/attend$/,
    /^offset (136 → 1(32|40)|140 → 136)/,
    /^\(i32\.ge_s .*offset=1(36|40)/,
  ),
  // Of no mask it is said that it is one.
  rule('speed', /^attention\/attend$/, /^constant 0 → -?1/, /^\(if \(result i32\) .*offset=24 .*offset=164/),
  // Where a softcap's place is a stride something seems to be added.
  rule('speed', /^attention\/attend$/, /^offset 84 → 88/, /^\(f32\.eq .* offset=84/),
  // No other factor is 2.
  rule('speed', /^attention\/attend$/, /^constant 1 → 2/, /^\(f32\.eq .* offset=72/),
  // A block is begun at its first key, though nobody sees that; or it has no keys.
  rule('speed', /\/attend$/, /^AndInt32 → OrInt32/, /^\(local\.tee .*offset=128 .*\(i32\.const -4\)/),
  rule('speed', /\/attend$/, /^LeSInt32 → LtSInt32/, /^\(br_if \$\w+ \(i32\.le_s .*offset=132 /),
  rule('speed', /\/attend$/, /^constant 0 → -1/, /^\(i32\.le_s .*offset=132 /),
  // One panel and none are one.
  rule(
    'same',
    /^attention\/attend$/,
    /^constant 0 → 1/,
    /^\(i32\.le_s \(local\.get \$\d+\) \(i32\.const 0\)/,
  ),
  // Of eight lanes there are eight, with > 7.
  rule(
    'same',
    /\/attend$|\/weighPanel$|\/combinePanel$/,
    /^constant 8 → 7/,
    /^\(i32\.gt_s \(local\.get \$\d+\) \(i32\.const 8\)/,
  ),
  // Whether a second run was right nobody asks.
  rule('unread', /^attention\/attend$/, /^constant 0 → -?1/, /^\(select \(i32\.const 0\) \(v128\.any_true/),
  // Values are copied to lie side by side, or not; what is read is brought into the cache before, or less of it.
  rule('speed', /^attention\/attend$/, /^(Le|Ge)\wInt32 → [LG]t/, /offset=120|\(i32\.const (128|256)\)/),
  rule('speed', /^attention\/attend$/, /^(constant 256 → 255|offset 64 → )/, /^\(i32\.le_s .*offset=64/),
  rule('speed', /^attention\/attend$/, /^constant 2048 → /, /^\(i32\.ge_u .*offset=120/),
  rule(
    'speed',
    /^attention\/attend$/,
    /^(constant|offset) /,
    /^\(i32\.ge_s \(i32\.load \S+ offset=12 .*const (128|256)\)/,
  ),
  rule('speed', /^attention\/attend$/, /^constant 2 → 1/, /^\(i32\.shl \((local\.get|i32\.load) /),
  rule(
    'speed',
    /^attention\/attend$/,
    /^(call left out|ShlInt32 → ShrU|operands of SubInt32|offset 120 → 116)/,
    /^(\(if \(i32\.ge_s .*offset=12 .*const 256\) \) \(then )?\(call .*\/f32Touch /,
  ),
  rule(
    'speed',
    /^attention\/attend$/,
    /^if negated/,
    /^\(block .*\(if \(i32\.ge_s .*offset=12 .*const 256.*f32Touch /,
  ),
  // The first time already with the kernels that know of NaN.
  rule('speed', /^(attention\/attention|decode\/decode)$/, /^constant 0 → -?1/, /^\(call .*\/attend /),
  // Scores that could be finished as they are multiplied go the longer way: without a softcap capHalf is 0, not 1.
  rule('speed', /^(attention\/attend|panel\/panelScores)$/, /^offset 72 → /, /^\(f32\.eq .* offset=72/),
  // Times 1 is no change. No other factor is 2.
  rule('speed', /^panel\/finishScores$/, /^(offset 72 → |constant 1 → 2)/, /^\(f32\.ne .* offset=72/),
  // More keys than need be are looked at: a row that sees nothing is in its own limit already.
  rule('speed', /^panel\/hideRows$/, /^constant 8 → 9/, /^\(i32\.lt_s /),
  rule('speed', /^panel\/hideRows$/, /^LtSInt32 → LeSInt32/, /^\(if \(i32\.lt_s .*\(i32\.const 8\)/),
  rule('speed', /^panel\/hideRows$/, /^(store left out|offset 132 → 136)/, /^\(block \(local\.set /),
  // The next row's limit, of a row that sees as far or farther.
  rule('speed', /^panel\/hideRows$/, /^offset 96 → 100/, /^\(local\.tee /),
  // Of dimensions there is room for eight more.
  rule('room', /Scratch$/, /^constant (\d+) → (?!0)/, /f64\.(add|mul|max) /),
  rule('room', /^attention\/attentionScratch$/, /^offset 48 → 44/, /offset=48/),
  rule('room', /^attention\/attentionScratch$/, /^constant 256 → 257/, /^\(i32\.le_s /),
  // Tokens are of whole floats.
  rule('same', /^attention\/attentionScratch$/, /^constant 2048 → 2047/, /^\(i32\.ge_u /),
  rule('room', /^attention\/attentionScratch$/, /^constant (0 → -?1|1 → 2)/, /^\(if \(result i32\)/),
  rule('room', /^panel\/nearBlock$/, /^constant (3 → 4|15584 → 15585|160 → 161)/, /^\(i32\.add /),
  rule('room', /^attention\/attend$/, /^constant -4 → -3/, /^\(i32\.and \(i32\.add .*\(i32\.const 3\)/),
  rule('room', /^panel\/nearBlock$/, /^constant -4 → -3/, /^\(i32\.and \(i32\.add /),
  rule('room', /^attention\/attend$/, /^constant (160 → 161|3 → 4)/, /^\(i32\.add /),
  // One panel has no next one.
  rule('unread', /^panel\/panelScores$/, /^constant 0 → /, /^\(call .*rowsMax /),
  // It is computed twice, to the same place.
  rule('speed', /^panel\/panelScores$/, /^constant 1 → 2/, /^\(call .*rowsMax .*\(i32\.const 160\)/),
  // A table, and the bias of a block, lie a byte nearer or farther: beside them nothing is of use then.
  rule('room', /^panel\/finishScores$/, /^constant (160 → 1(59|61)|12512 → 12511)/, /^\(i32\.add /),
  // Maxima that nobody asks for lie where something else is written before it is read; of a panel too many likewise.
  rule('unread', /^panel\/panelScores$/, /^constant 160 → 1(59|61)/, /^\(i32\.add /),
  rule('unread', /^panel\/panelScores$/, /^GtUInt32 → GeUInt32/, /^\(if \(i32\.gt_u .*offset=48/),
  // Scores behind the last key.
  rule('unread', /^panel\/finishScores$/, /^constant 1 → 2/, /^\(i32\.shl \(local/),
  // A lane before the first lies where another is written later.
  rule('unread', /^panel\/addAlibi$/, /^constant 0 → -1/, /^\(local\.set /),
  // Lanes beyond the last row repeat it, or are rows behind it: computed, never stored.
  rule(
    'unread',
    /^panel\/addAlibi$/,
    /^(SubInt32 → AddInt32|constant 1 → 0)/,
    /i32\.sub .* \(i32\.const 1\)/,
  ),
  rule('unread', /^panel\/openPanel$/, /^(constant 1 → 0|SubInt32 → Add)/, /^\((i32x4\.splat \()?i32\.sub /),
  rule('unread', /^panel\/openPanel$/, /^(select negated|constant 8 → 9)/, /i32\.sub .*i32\.gt_s /),
  rule('unread', /^panel\/openPanel$/, /^SubInt32 → AddInt32/, /^\(local\.tee \$\d+ \(i32\.sub /),
  rule('unread', /^panel\/startSoftmax$/, /^(SubInt32 → AddInt32|constant 1 → 0)/, /i32\.sub /),
  // No lane is the eighth, or the one behind the last: those repeat the last.
  rule('same', /^panel\/openPanel$/, /^lane 3 of a constant/, /^\(i32x4\.min_s .*0x00000007/),
  rule('same', /^panel\/openPanel$/, /^GtSInt32 → GeSInt32/, /^\(if \(i32\.gt_s \(select \(i32\.const 8\)/),
  // Of eight lanes there are eight, with > 7 and with > 9.
  rule('same', /^panel\/openPanel$/, /^constant 8 → [79]/, /^\(i32\.gt_s /),
  // An item ends with the last key that any of its rows sees: no limit is beyond the keys in effect.
  rule('same', /^panel\/openPanel$/, /^SubVecI32x4 → AddVecI32x4/, /^\(i32x4\.min_s /),
  // Any score beyond 2.3e38 is infinite, so none lies between these.
  rule('same', /^panel\/startSoftmax$/, /^lane \d of a constant/, /0xff7fffff/),
  rule('same', /^panel\/startSoftmax$/, /^operands of SubFloat32/, /f32\.sub (\(local\.get \$\d+\)) \1/),
  // A row that saw nothing is zeros: times anything.
  rule('same', /^panel\/inverseSums$/, /^lane \d of zeros/, /^\(v128\.bitselect /),
  rule('same', /^panel\/inverseSums$/, /^constant 32 → 31/, /^\(i32\.lt_u /),
  // Who sees the keys before −1 sees as few as who sees those before 0.
  rule('same', /^panel\/hideRows$/, /^constant 0 → -1/, /^\(i32\.store \S+ offset=(96|140) /),
  // A place times no slope.
  rule('same', /^panel\/addAlibi$/, /^constant 0 → 1/, /^\(if \(result f32\) \(f32\.eq /),
  // True is what is not 0.
  rule('same', /^(attention\/attention|decode\/decode)$/, /^constant 1 → 2/, /^\(call .*\/attend /),
  rule('same', /^panel\/openPanel$/, /^constant 1 → 2/, /^\(if \(result i32\) .*offset=24 .*offset=164/),
  rule('same', /^panel\/panelScores$/, /^constant 1 → 2/, /^\(block \(result i32\)/),
  rule(
    'same',
    /^(attention\/attend|panel\/)/,
    /^constant 1 → 2/,
    /^\(if \(result i32\) .*offset=84 .*offset=32 /,
  ),

  // ---- decode ----
  rule('speed', /^decode\/attend$/, /^(EqInt32 → NeInt32|if negated)/, /1x32|1x16/),
  rule('speed', /^decode\/attend$/, /^(offset 184|constant 312) → /, /^\(i32\.eq \(i32\.load \S+ offset=184/),
  // Four rows that are the last are taken one by one.
  rule(
    'speed',
    /^decode\/attend$/,
    /^LtSInt32 → LeSInt32/,
    /^\(select \(i32\.const 1\) \(i32\.and .*\(i32\.const [37]\)/,
  ),
  // A block is begun at its first key, though nobody sees that.
  rule('speed', /^decode\/attend$/, /^select negated/, /^\(local\.\w+ .*offset=128 .*\(i32\.const -4\)/),
  rule(
    'speed',
    /^decode\/attend$/,
    /^GtSInt32 → GeSInt32/,
    /^\(if \(i32\.gt_s .*offset=20 \(local\.get \$1\)/,
  ),
  rule('speed', /^decode\/attend$/, /^constant 0 → -1/, /^\(i32\.gt_s .*offset=20 \(local\.get \$1\)/),
  // Rows one by one, or four again of which some are done or none; with a row beyond the last.
  rule(
    'speed',
    /^decode\/attend$/,
    /^(AndInt32 → OrInt32|GeSInt32 → GtSInt32)/,
    /^\(select (\(i32\.const [01]\)|\(i32\.and ).*i32\.(lt|ge)_s /,
  ),
  rule(
    'speed',
    /^decode\/attend$/,
    /^constant 4 → [35]/,
    /^\(i32\.add \(local\.get \$\d+\) \(i32\.const 4\)/,
  ),
  // Of more than four rows both halves of a panel are looked at, or of four.
  rule(
    'speed',
    /^decode\/attend$/,
    /^(constant (1 → 2|4 → 3)|GtSInt32 → GeSInt32)/,
    /^\((select \(i32\.const 2\) \(i32\.const 1\) \()?i32\.gt_s .*\(i32\.const 4\)/,
  ),
  // Four rows that begin with one before the first: what is written before their scores is not in use yet.
  rule('speed', /^decode\/attend$/, /^constant 0 → -1/, /^\(local\.set \$[78] \(i32\.const 0\) \)/),
  // Less of a row is brought into the cache. Parts have an address, always.
  rule(
    'speed',
    /^decode\/attend$/,
    /^(constant (1 → 0|2 → 1)|offset 192 → 196)/,
    /^\(select \(i32\.const 1\) \(i32\.const 2\) .*offset=192/,
  ),
  // A row is taken for no single one, or two are met as they lie.
  rule('speed', /^decode\/attend$/, /^offset 12 → /, /^\(i32\.eq .*offset=12 .*\(i32\.const 1\)/),
  rule('speed', /^decode\/attend$/, /^constant 1 → [02]/, /^\(i32\.eq .*offset=12 .*\(i32\.const 1\)/),
  // Float16 is widened, not unpacked; or unpacked, where it could be met as it lies.
  rule('speed', /^decode\/attend$/, /^AndInt32 → OrInt32/, /^\(i32\.eqz \(i32\.and .*\(i32\.const (7|31)\)/),
  rule('speed', /^decode\/attend$/, /^offset 192 → /, /^\(i32\.eq /),
  // An item is computed once more, by the kernels that know of NaN.
  rule('speed', /^decode\/attend$/, /^constant 1 → 0/, /^\(local\.set \$\d+ \(i32\.const 1\)/),
  rule('speed', /^decode\/isRight$/, /^lane \d of zeros/, /^\(local\.set /),
  rule('speed', /^decode\/isRight$/, /^GtUInt32 → GeUInt32/, /^\(if \(i32\.gt_u /),
  rule('speed', /^decode\/isRight$/, /^constant 1 → 0/, /^\(block \(result i32\)/),
  // Whatever row's sum is read, one that is NaN of its own is taken for wrong.
  rule('speed', /^decode\/isRight$/, /^(offset 32 → 28|operands of ShlInt32)/, /./),
  rule('room', /^decode\/partBytes$/, /^constant (3 → 4|-4 → -3|32 → 33|64 → 65)/, /./),
  rule('room', /^decode\/combinePanel$/, /^constant 15584 → 1558[35]/, /^\(i32\.add /),
  // The parts' sums lie behind queries that are none: a little nearer or farther.
  rule(
    'room',
    /^decode\/combinePanel$/,
    /^(ShlInt32 → ShrU|constant (-4 → -[35]|32 → 3[13]|3 → [24]|5 → 4|160 → 1(59|61)))/,
    /^\(i32\.(and|add|shl) /,
  ),
  // The tile that one row of the relaxed build is not asked for.
  rule('unread', /^decode\/attend$/, /^offset 184 → /, /^\(drop /),
  // Scores behind the last key; rows of them that are none.
  rule('unread', /^decode\/attend$/, /^constant 1 → 2/, /^\(i32\.shl \(local/),
  rule('unread', /^decode\/attend$/, /^SubInt32 → AddInt32/, /^\(local\.tee \$[47] \(i32\.sub /),
  rule(
    'unread',
    /^decode\/attend$/,
    /^constant 1 → [02]/,
    /^\(select \(i32\.const 1\) \(local\.get \$[47]\) \(local\.get \$3\)/,
  ),
  rule(
    'unread',
    /^decode\/attend$/,
    /^constant 8 → 9/,
    /^\((select \(i32\.const 8\) .*i32\.sub .*|i32\.gt_s )/,
  ),
  rule('unread', /^decode\/combinePanel$/, /^constant 8 → 9/, /^\(i32\.gt_s /),
  // A ninth row is written once more, as the first of the next eight.
  rule('unread', /^decode\/combinePanel$/, /^constant 8 → 9/, /^\(select \(i32\.const 8\) .*i32\.sub /),
  // True is what is not 0.
  rule('same', /^decode\/isRight$/, /^constant 1 → 2/, /^\(block \(result i32\)/),
  rule(
    'same',
    /^decode\/attend$/,
    /^constant 1 → 2/,
    /^\((local\.set|select \(i32\.const 1\) \(i32\.and|select \(i32\.and)/,
  ),
  // A byte that is written over next.
  rule('same', /^decode\/attend$/, /^constant 64 → 65/, /^\(memory\.copy /),
  // 2.4e-38 times 0: a first factor.
  rule('same', /^decode\/attend$/, /^constant 0 → 1/, /^\(memory\.fill /),
  rule('same', /^decode\/combinePanel$/, /^constant 32 → 31/, /^\(i32\.lt_u /),
  // A row before the first ends before it begins: addresses wrap.
  rule('same', /^decode\/combinePanel$/, /^constant 0 → -1/, /^\(local\.set \$4 \(i32\.const 0\)/),
  rule(
    'same',
    /^decode\/attend$/,
    /^constant 1 → 2/,
    /^\(select \(local\.get \$\d+\) \(i32\.const 1\) .*offset=192/,
  ),
  // A row that meets float16 as it lies is alone: its lane is 0.
  rule('same', /^decode\/attend$/, /^AddInt32 → SubInt32/, /^\(call .*\/f16(Dot|Pv1x32) /),
  // Where a maximum is NaN, or this difference, a sum is NaN already.
  rule('same', /^decode\/combinePanel$/, /^operands of PMaxVecF32x4/, /./),

  // ---- weights ----
  // Panels that overlap are computed twice, and so are blocks.
  rule('speed', /^weights\/weights$/, /^constant 8 → 7/, /^\(i32\.add /),
  rule('speed', /^weights\/weighPanel$/, /^constant 96 → 95/, /^\(i32\.add /),
  rule('room', /^weights\/weighPanel$/, /^constant 15584 → 15585/, /^\(i32\.add /),
  // Scores of no keys.
  rule('speed', /^weights\/scores$/, /^(LeSInt32 → Lt|constant 0 → -1)/, /^\((if \()?i32\.le_s |^\(return /),
  rule('speed', /^weights\/weighPanel$/, /^LtSInt32 → LeSInt32/, /^\(if \(i32\.lt_s .*offset=20 .*\/scores /),
  rule('speed', /^weights\/weighPanel$/, /^constant 0 → -1/, /^\(i32\.gt_s .*\/scores /),
  // Weights are never asked for float16, packed sequences or a ring.
  rule('unreached', /^weights\/scores$/, /./, /f16Widen|offset=60 \(local|i32\.const 3\) \) \(i32\.const -4/),
  rule('unreached', /^weights\/scores$/, /^(offset 188 → |RemSInt32 → Div)/, /offset=188/),
  rule('same', /^weights\/weighPanel$/, /^GtSInt32 → GeSInt32/, /^\(if \(i32\.gt_s .*f32Weights/),

  // ---- matmul ----
  rule('speed', /^gemm\/rowTimesPanels$/, /^(EqInt32 → NeInt32|if negated)/, /1x32|1x16/),
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
  rule('speed', /^gemm\/gemm$/, /^constant 1 → /, /^\(i32\.eq \(i32\.load \S+ offset=24/),
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
  rule('same', /^pack\/pack$/, /^LtSInt32 → LeSInt32/, /^\(if \(i32\.lt_s /),

  // ---- merge ----
  // Rows in another order, or some of them twice: a fifth is written once more, as the first of the next four.
  rule('speed', /^merge\/merge$/, /./, /\(i32\.ge_u \(i32\.load \S+ offset=36 .*offset=40/),
  rule('speed', /^merge\/merge$/, /^constant 4 → 3/, /^\(i32\.add /),
  rule('unread', /^merge\/merge$/, /^constant 4 → 5/, /^\((select|i32\.gt_s) /),
  // An item has a row, at least.
  rule('unreached', /^merge\/merge$/, /^LtSInt32 → LeSInt32/, /^\(if \(i32\.lt_s /),
  // A fifth weight is written over by the next part's first, or by the table.
  rule(
    'unread',
    /^merge\/mergeFour$/,
    /^(LtSInt32 → LeSInt32|constant 4 → 5)/,
    /^\((if \()?i32\.lt_s .*\(i32\.const 4\)/,
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
