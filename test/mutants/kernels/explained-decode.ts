/** Survivors that are no holes: in decode.ts and weights.ts. */
import { rule, type Rule } from './reasons.ts';

export const DECODE: readonly Rule[] = [
  // ---- decode ----
  rule('speed', /^decode\/attend$/, /^(EqInt32 → NeInt32|if negated)/, /^\(if \(i32\.eq .*1x32.*1x16/),
  rule('speed', /^decode\/attend$/, /^(offset 184|constant 312) → /, /^\(i32\.eq \(i32\.load \S+ offset=184/),
  // Four rows that are the last are taken one by one.
  rule(
    'speed',
    /^decode\/attend$/,
    /^LtSInt32 → LeSInt32/,
    /^\(select \(i32\.const 1\) \(i32\.and .*\(i32\.const [37]\)/,
  ),
  // A block is begun at its first key, though nobody sees that.
  rule('speed', /^decode\/attend$/, /^select negated/, /^\(select .*offset=128 .*\(i32\.const -4\)/),
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
    /^\(if /,
  ),
  // Of four rows that are met together the last is met again, as the first of the next.
  rule(
    'speed',
    /^decode\/attend$/,
    /^constant 4 → 3/,
    /^\(i32\.add \(local\.get \$\d+\) \(i32\.const 4\)/,
    /^\(local\.set /,
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
  rule('speed', /^decode\/attend$/, /^constant 1 → 0/, /^\(local\.set \$\d \(i32\.const 1\)/),
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
    /^(ShlInt32 → ShrU|constant (-4 → -[35]|3 → [24]|5 → 4|160 → 1(59|61)))/,
    /^\(i32\.(and|add|shl) .*offset=60 /,
  ),
  rule('room', /^decode\/combinePanel$/, /^constant 32 → 3[13]/, /^\(i32\.add /),
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
    /^\(local\.set \$\d \(select /,
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
  // A row that meets float16 as it lies is alone: its lane, which the relaxed build adds last, is 0.
  rule('same', /^decode\/attend$/, /^AddInt32 → SubInt32/, /^\(call .*\/f16Pv1x32 \S+ \S+ \S+ \$8\)/),
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
  rule('speed', /^weights\/weighPanel$/, /^constant 0 → -1/, /^\(i32\.gt_s .*\/scores /, /f32PanelToRows/),
  // Weights are never asked for float16, packed sequences or a ring.
  rule(
    'unreached',
    /^weights\/scores$/,
    /^(?!constant (0 → 1|1 → 0)|if neg|select neg|offset 192 → 196)/,
    /f16Widen|offset=60 \(local|i32\.const 3\) \) \(i32\.const -4/,
  ),
  rule('unreached', /^weights\/scores$/, /^constant 0 → 1/, /^\(call .*(f16Widen|panelScores) /),
  rule('unreached', /^weights\/scores$/, /^(offset 188 → 192|RemSInt32 → Div)/, /offset=188/),
  rule('unreached', /^weights\/scores$/, /^offset 188 → 184/, /^\(i32\.rem_s /),
  rule('same', /^weights\/weighPanel$/, /^GtSInt32 → GeSInt32/, /^\(if \(i32\.gt_s .*f32Weights/),
];
