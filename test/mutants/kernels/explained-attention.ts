/** Survivors that are no holes: in attention.ts and panel.ts. */
import { rule, type Rule } from './reasons.ts';

export const ATTENTION: readonly Rule[] = [
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
    /^(?!constant 1 → 0)/,
    /^\((if \(result i32\)|select|i32\.or|local\.tee) .{0,140}const (312|616)/,
  ),
  rule('speed', /^attention\/attend$/, /^offset 184 → 18[08]/, /^\(local\.tee /),
  rule(
    'speed',
    /^attention\/attend$/,
    /^(constant 1 → 0|SubInt32 → Add|operands of SubInt32)/,
    /^\(if \(result i32\) \(local\.get \$3\) \(then \(i32\.const 1\)/,
  ),
  rule('speed', /^attention\/attend$/, /^if negated/, /^\(if \(result i32\) \(i32\.lt_s .*offset=136/),
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
    /^(call left out|ShlInt32 → ShrU|offset 120 → 116)/,
    /^(\(if \(i32\.ge_s .*offset=12 .*const 256\) \) \(then )?\(call .*\/f32Touch /,
  ),
  rule('speed', /^attention\/attend$/, /^if negated/, /^\(if \(i32\.ge_s .*offset=12 .*const 256.*f32Touch /),
  // The first time already with the kernels that know of NaN.
  rule('speed', /^decode\/decode$/, /^constant 0 → -?1/, /^\(call .*\/attend /),
  // Scores that could be finished as they are multiplied go the longer way: without a softcap capHalf is 0, not 1.
  rule('speed', /^attention\/attend$/, /^offset 72 → /, /^\(f32\.eq .* offset=72/),
  // Times 1 is no change. No other factor is 2.
  rule('speed', /^panel\/finishScores$/, /^(offset 72 → |constant 1 → 2)/, /^\(f32\.ne .* offset=72/),
  // More keys than need be are looked at: a row that sees nothing is in its own limit already.
  rule('speed', /^panel\/hideRows$/, /^constant 8 → 9/, /^\(i32\.lt_s /),
  rule('speed', /^panel\/hideRows$/, /^LtSInt32 → LeSInt32/, /^\(if \(i32\.lt_s .*\(i32\.const 8\)/),
  rule('speed', /^panel\/hideRows$/, /^(store left out|offset 132 → 136)/, /^\(block \(local\.set /),
  // The next row's limit, of a row that sees as far or farther.
  rule('speed', /^panel\/hideRows$/, /^offset 96 → 100/, /^\(local\.tee /),
  // Tokens are of whole floats.
  rule('same', /^attention\/attentionScratch$/, /^constant 2048 → 2047/, /^\(i32\.ge_u /),
  rule('same', /^attention\/attentionScratch$/, /^constant 1 → 2/, /^\(if \(result i32\)/),
  rule('room', /^panel\/nearBlock$/, /^constant (3 → 4|15584 → 15585|160 → 161)/, /^\(i32\.add /),
  rule(
    'room',
    /^attention\/attend$/,
    /^constant (-4 → -3|3 → 4)/,
    /^\(i32\.(and|add) .*\(i32\.const 3\)/,
    /^\(i32\.shl \(i32\.and .*\(i32\.const 2\) \) ?$/,
  ),
  rule('room', /^panel\/nearBlock$/, /^constant -4 → -3/, /^\(i32\.and \(i32\.add /),
  // One panel has no next one.
  rule('unread', /^panel\/panelScores$/, /^constant 0 → /, /^\(call .*rowsMax /),
  // It is computed twice, to the same place.
  rule('speed', /^panel\/panelScores$/, /^constant 1 → 2/, /^\(call .*rowsMax .*\(i32\.const 160\)/),
  // A table, and the bias of a block, lie a byte nearer or farther: beside them nothing is of use then.
  rule('room', /^panel\/finishScores$/, /^constant (160 → 1(59|61)|12512 → 12511)/, /^\(i32\.add /),
  // Maxima that nobody asks for lie where something else is written before it is read; of a panel too many likewise.
  rule('unread', /^panel\/panelScores$/, /^constant 160 → 1(59|61)/, /^\(i32\.add /, /^\(call .*rowsMax /),
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
];
