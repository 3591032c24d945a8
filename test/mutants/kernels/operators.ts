/**
 * What may be wrong in a kernel, one small change at a time: another operation, operands the other way round, a lane, an
 * offset, a bound or a constant beside the right one, a store or a call that is left out, a branch taken the other way.
 */
import binaryen from 'binaryen';
import { bytesOf, field, kindOf, operation, setBytes, setField, textOf, typeOf } from './ir.ts';
import type { Kind, Ref, Site } from './ir.ts';

/** A change of one expression. */
export interface Change {
  /** In words: `AddVecF32x4 → SubVecF32x4`. */
  readonly what: string;
  /** Makes it; what is given back takes it back. */
  readonly make: (module: binaryen.Module) => () => void;
}

const FLOATS = ['VecF32x4', 'VecF64x2', 'Float32', 'Float64'];
const INTEGERS = ['VecI32x4', 'Int32', 'Int64'];

/** Operations of the same types that are taken for one another. */
const pairs = [
  ...[...FLOATS, ...INTEGERS].flatMap((type) => [
    [`Add${type}`, `Sub${type}`],
    [`Sub${type}`, `Add${type}`],
    [`Mul${type}`, `Add${type}`],
    [`Eq${type}`, `Ne${type}`],
    [`Ne${type}`, `Eq${type}`],
  ]),
  ...FLOATS.flatMap((type) => [
    [`Div${type}`, `Mul${type}`],
    [`Min${type}`, `Max${type}`],
    [`Max${type}`, `Min${type}`],
  ]),
  ...['VecF32x4', 'VecF64x2'].flatMap((type) => [
    [`PMin${type}`, `PMax${type}`],
    [`PMax${type}`, `PMin${type}`],
  ]),
  ...[...FLOATS, ...INTEGERS.flatMap((type) => [`S${type}`, `U${type}`])].flatMap((type) => [
    [`Lt${type}`, `Le${type}`],
    [`Le${type}`, `Lt${type}`],
    [`Gt${type}`, `Ge${type}`],
    [`Ge${type}`, `Gt${type}`],
  ]),
  ...['Int32', 'Int64'].flatMap((type) => [
    [`And${type}`, `Or${type}`],
    [`Or${type}`, `And${type}`],
    [`Xor${type}`, `Or${type}`],
    [`Shl${type}`, `ShrU${type}`],
    [`ShrU${type}`, `Shl${type}`],
    [`ShrS${type}`, `ShrU${type}`],
    [`DivS${type}`, `Mul${type}`],
    [`DivU${type}`, `Mul${type}`],
    [`RemS${type}`, `DivS${type}`],
    [`RemU${type}`, `DivU${type}`],
  ]),
  ['AndVec128', 'OrVec128'],
  ['OrVec128', 'AndVec128'],
  ['XorVec128', 'OrVec128'],
  ['AndNotVec128', 'AndVec128'],
] as [string, string][];

const others: Partial<Record<Kind, [string, string][]>> = {
  Binary: pairs,
  Unary: [
    ['AbsVecF32x4', 'NegVecF32x4'],
    ['NegVecF32x4', 'AbsVecF32x4'],
    ['AbsFloat32', 'NegFloat32'],
    ['NegFloat32', 'AbsFloat32'],
    ['AbsFloat64', 'NegFloat64'],
    ['NegFloat64', 'AbsFloat64'],
    ['NearestVecF32x4', 'FloorVecF32x4'],
    ['NearestVecF64x2', 'FloorVecF64x2'],
  ],
  SIMDShift: [
    ['ShlVecI32x4', 'ShrUVecI32x4'],
    ['ShrUVecI32x4', 'ShlVecI32x4'],
    ['ShrSVecI32x4', 'ShrUVecI32x4'],
  ],
  SIMDTernary: [
    ['RelaxedMaddVecF32x4', 'RelaxedNmaddVecF32x4'],
    ['RelaxedNmaddVecF32x4', 'RelaxedMaddVecF32x4'],
    ['RelaxedMaddVecF64x2', 'RelaxedNmaddVecF64x2'],
    ['RelaxedNmaddVecF64x2', 'RelaxedMaddVecF64x2'],
  ],
};

/** Numbers of operations mean nothing without their kind: kind → operation → names. Those that binaryen lacks are none. */
const swaps = new Map(
  Object.entries(others).map(([kind, list]) => {
    const there = list.filter(([from, to]) => from in binaryen && to in binaryen);
    return [kind, new Map(there.map(([from, to]) => [operation(from), [from, to] as const]))] as const;
  }),
);

/** Operations whose operands are not to be taken the other way round: a maximum's, for the sake of NaN. */
const ORDERED = ['Sub', 'Div', 'DivS', 'DivU', 'PMin', 'PMax', 'Shl', 'ShrU'];
const ordered = new Map(
  ORDERED.flatMap((name) => [...FLOATS, ...INTEGERS].map((type) => name + type))
    // Vectors are shifted by another kind of expression, whose numbers mean something else here.
    .filter((name) => name in binaryen && !/^Sh.*Vec/.test(name))
    .map((name) => [operation(name), name]),
);

/** All that may be wrong with an expression. */
export function* changesOf(site: Site): Generator<Change> {
  const { kind } = site;
  const swap = swaps.get(kind)?.get(swaps.has(kind) ? field(site, 'Op') : 0);
  if (swap && !isOfEquals(site)) yield set(site, 'Op', operation(swap[1]), `${swap[0]} → ${swap[1]}`);
  if (kind === 'Binary') {
    const name = ordered.get(field(site, 'Op'));
    if (name !== undefined) yield exchange(site, 'Left', 'Right', `operands of ${name}`);
  }
  if (kind === 'SIMDTernary' && field(site, 'Op') === operation('BitselectVec128')) {
    yield exchange(site, 'A', 'B', 'operands of bitselect');
  }
  if (kind === 'Const') yield* constants(site);
  if (kind === 'SIMDShuffle') yield* lanesOfShuffle(site);
  if (kind === 'SIMDExtract' || kind === 'SIMDReplace' || kind === 'SIMDLoadStoreLane') {
    yield* beside(site, 'Index', 1, 'lane', (lane) => lane >= 0 && lane < lanesOf(site));
  }
  if (kind === 'Load' || kind === 'Store' || kind === 'SIMDLoad' || kind === 'SIMDLoadStoreLane') {
    yield* beside(site, 'Offset', 4, 'offset', (offset) => offset >= 0);
  }
  const isStatement = typeOf(site) === binaryen.none;
  if (kind === 'Store' || (isStatement && (kind === 'Call' || kind === 'SIMDLoadStoreLane'))) {
    yield leftOut(site);
  }
  if ((kind === 'If' || kind === 'Break' || kind === 'Select') && field(site, 'Condition') !== 0) {
    yield negated(site);
  }
}

/**
 * Whether it is a comparison that chooses between what it compares, as of a minimum: where the two are equal it is the same which
 * of them is taken, so < is as right as ≤.
 */
function isOfEquals(site: Site): boolean {
  if (site.kind !== 'Binary' || site.around === 0 || kindOf(site.around) !== 'Select') return false;
  const choice = { ...site, kind: 'Select', ref: site.around } as const;
  if (field(choice, 'Condition') !== site.ref) return false;
  // What is kept in a local by one of them is read from it by the other.
  const value = (ref: Ref): string =>
    textOf(ref)
      .replace(/^\(local\.tee (\S+) .*/, '(local.get $1)')
      .trim();
  const compared = [field(site, 'Left'), field(site, 'Right')].map(value);
  const chosen = [field(choice, 'IfTrue'), field(choice, 'IfFalse')].map(value);
  return compared.sort().join() === chosen.sort().join();
}

function set(site: Site, name: string, value: number, what: string): Change {
  const make = () => {
    const before = field(site, name);
    setField(site, name, value);
    return () => {
      setField(site, name, before);
    };
  };
  return { what, make };
}

/** The same number, one step up and one down. */
function* beside(
  site: Site,
  name: string,
  step: number,
  word: string,
  allowed: (value: number) => boolean,
): Generator<Change> {
  const value = field(site, name);
  for (const other of [value + step, value - step]) {
    if (allowed(other)) yield set(site, name, other, `${word} ${value} → ${other}`);
  }
}

function exchange(site: Site, one: string, two: string, what: string): Change {
  const make = () => {
    const [a, b] = [field(site, one), field(site, two)];
    setField(site, one, b);
    setField(site, two, a);
    return () => {
      setField(site, one, a);
      setField(site, two, b);
    };
  };
  return { what, make };
}

function* constants(site: Site): Generator<Change> {
  const type = typeOf(site);
  if (type === binaryen.i32) yield* beside(site, 'ValueI32', 1, 'constant', () => true);
  if (type === binaryen.f32 || type === binaryen.f64) {
    const name = type === binaryen.f32 ? 'ValueF32' : 'ValueF64';
    const value = field(site, name);
    const other = Number.isFinite(value) ? value + Math.max(1, Math.abs(value) / 128) : 1;
    yield set(site, name, other, `constant ${value} → ${other}`);
  }
  if (type === binaryen.v128) {
    const before = bytesOf(site, 'ValueV128');
    for (const lane of [0, 1, 2, 3]) {
      // Of a float it is 1 % and more; 2 instead of 0.
      const isZero = before.slice(4 * lane, 4 * lane + 4).every((byte) => byte === 0);
      const [place, bit] = isZero ? [3, 64] : [2, 1];
      const after = before.map((byte, at) => (at === 4 * lane + place ? byte ^ bit : byte));
      yield bytes(site, 'ValueV128', before, after, `lane ${lane} of ${isZero ? 'zeros' : 'a constant'}`);
    }
  }
}

function* lanesOfShuffle(site: Site): Generator<Change> {
  const before = bytesOf(site, 'Mask');
  for (const lane of [0, 1, 2, 3]) {
    const after = before.map((byte, at) => (at >> 2 === lane ? (byte + 4) % 32 : byte));
    yield bytes(site, 'Mask', before, after, `lane ${lane} of a shuffle`);
  }
}

function bytes(
  site: Site,
  name: 'Mask' | 'ValueV128',
  before: number[],
  after: number[],
  what: string,
): Change {
  const make = () => {
    setBytes(site, name, after);
    return () => {
      setBytes(site, name, before);
    };
  };
  return { what, make };
}

/** Lanes of a vector, as the operation sees it. */
function lanesOf(site: Site): number {
  const op = field(site, 'Op');
  const is = (...names: string[]): boolean => names.some((name) => operation(name) === op);
  if (site.kind === 'SIMDLoadStoreLane') {
    if (is('Load64LaneVec128', 'Store64LaneVec128')) return 2;
    if (is('Load32LaneVec128', 'Store32LaneVec128')) return 4;
    return is('Load16LaneVec128', 'Store16LaneVec128') ? 8 : 16;
  }
  if (is(...['F64x2', 'I64x2'].map((type) => laneName(site, type)))) return 2;
  return 4;
}

function laneName({ kind }: Site, type: string): string {
  return kind === 'SIMDExtract' ? `ExtractLaneVec${type}` : `ReplaceLaneVec${type}`;
}

function leftOut(site: Site): Change {
  const make = (module: binaryen.Module) => {
    site.replace(module.nop());
    return () => {
      site.replace(site.ref);
    };
  };
  return { what: `${site.kind.toLowerCase()} left out`, make };
}

function negated(site: Site): Change {
  const make = (module: binaryen.Module) => {
    const condition = field(site, 'Condition');
    setField(site, 'Condition', module.i32.eqz(condition));
    return () => {
      setField(site, 'Condition', condition);
    };
  };
  return { what: `${site.kind.toLowerCase()} negated`, make };
}
