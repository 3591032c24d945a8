/**
 * The IR of a module, as binaryen has it: every expression of a function with what it takes to change it. binaryen's types
 * leave out the accessors that are used here, so they are looked up by name.
 */
import binaryen from 'binaryen';

export type Ref = number;
type Accessor = (ref: Ref, ...rest: number[]) => number;
const api = binaryen as unknown as Readonly<Record<string, Readonly<Record<string, Accessor>>>>;
const numbers = binaryen as unknown as Readonly<Record<string, number>>;

/** Kinds of expressions that have others in them, and where. The operands of a call or block come behind. */
const CHILDREN = {
  Block: [],
  Break: ['Condition', 'Value'],
  Call: [],
  Const: [],
  Drop: ['Value'],
  GlobalSet: ['Value'],
  If: ['Condition', 'IfTrue', 'IfFalse'],
  Load: ['Ptr'],
  LocalSet: ['Value'],
  Loop: ['Body'],
  MemoryCopy: ['Dest', 'Source', 'Size'],
  MemoryFill: ['Dest', 'Value', 'Size'],
  Return: ['Value'],
  SIMDExtract: ['Vec'],
  SIMDLoad: ['Ptr'],
  SIMDLoadStoreLane: ['Ptr', 'Vec'],
  SIMDReplace: ['Vec', 'Value'],
  SIMDShift: ['Vec', 'Shift'],
  SIMDShuffle: ['Left', 'Right'],
  SIMDTernary: ['A', 'B', 'C'],
  Select: ['IfTrue', 'IfFalse', 'Condition'],
  Store: ['Ptr', 'Value'],
  Switch: ['Condition', 'Value'],
  Unary: ['Value'],
  Binary: ['Left', 'Right'],
} as const;

export type Kind = keyof typeof CHILDREN;
const kinds = new Map(Object.keys(CHILDREN).map((kind) => [numbers[`${kind}Id`]!, kind as Kind]));
/** They have nothing in them that could be changed. */
const LEAVES = new Set(
  ['Nop', 'LocalGet', 'GlobalGet', 'Unreachable', 'MemorySize'].map((kind) => numbers[`${kind}Id`]!),
);

/** One expression. */
export interface Site {
  readonly kind: Kind;
  readonly ref: Ref;
  /** What it is an operand of; 0: nothing, it is the function's body. */
  readonly around: Ref;
  /** What it is a part of, in a block, a loop or an arm of an `if`, one that gives a value too. */
  readonly statement: Ref;
  /** Puts another in its place. */
  readonly replace: (other: Ref) => void;
}

/** What kind of expression it is; undefined: nothing in it could be changed. */
export function kindOf(ref: Ref): Kind | undefined {
  return kinds.get(binaryen.getExpressionId(ref));
}

/** A number of an expression: `field(site, 'Offset')`. */
export function field({ kind, ref }: Site, name: string): number {
  return api[kind]![`get${name}`]!(ref);
}

export function setField({ kind, ref }: Site, name: string, value: number): void {
  api[kind]![`set${name}`]!(ref, value);
}

/** The sixteen bytes of a shuffle's mask or of a vector constant. */
export function bytesOf({ kind, ref }: Site, name: 'Mask' | 'ValueV128'): number[] {
  return Array.from(api[kind]![`get${name}`]!(ref) as unknown as ArrayLike<number>);
}

export function setBytes({ kind, ref }: Site, name: 'Mask' | 'ValueV128', bytes: number[]): void {
  (api[kind]![`set${name}`] as unknown as (ref: Ref, bytes: number[]) => void)(ref, bytes);
}

/** The number that binaryen has for an operation: `operation('AddVecF32x4')`. */
export function operation(name: string): number {
  const op = numbers[name];
  if (typeof op !== 'number') throw new Error(`binaryen has no operation ${name}`);
  return op;
}

export function typeOf({ ref }: Site): number {
  return binaryen.getExpressionType(ref);
}

/** What an assertion does where it does not hold: a call of the one import of a function, in a block. */
function isRefusal(ref: Ref): boolean {
  const id = binaryen.getExpressionId(ref);
  if (id === numbers.BlockId) return isRefusal(api.Block!.getChildAt!(ref, 0));
  return id === numbers.CallId && String(api.Call!.getTarget!(ref)).startsWith('fimport$');
}

/** An expression on one line; binaryen's text, not asc's. */
export function textOf(ref: Ref): string {
  return binaryen.emitText(ref).replace(/\s+/g, ' ');
}

/** All of a function's expressions, those around others first. Assertions stay out: none of them ships. */
export function* sitesOf(func: Ref): Generator<Site> {
  const { body } = binaryen.getFunctionInfo(func);
  yield* within(body, 0, body, (other) => api.Function!.setBody!(func, other));
}

function* within(ref: Ref, around: Ref, statement: Ref, replace: (other: Ref) => void): Generator<Site> {
  if (ref === 0) return;
  const id = binaryen.getExpressionId(ref);
  const kind = kinds.get(id);
  if (kind === undefined) {
    if (LEAVES.has(id)) return;
    throw new Error(`an expression of kind ${id}, which the mutator does not know`);
  }
  const accessors = api[kind]!;
  if (kind === 'If' && isRefusal(accessors.getIfTrue!(ref))) return;
  yield { kind, ref, around, statement, replace };
  for (const name of CHILDREN[kind]) {
    const child = accessors[`get${name}`]!(ref);
    const own = name === 'Body' || (kind === 'If' && name !== 'Condition');
    yield* within(child, ref, own ? child : statement, (other) => accessors[`set${name}`]!(ref, other));
  }
  const [count, child] = kind === 'Block' ? ['NumChildren', 'ChildAt'] : ['NumOperands', 'OperandAt'];
  if (kind !== 'Block' && kind !== 'Call') return;
  const length = accessors[`get${count}`]!(ref);
  for (let i = 0; i < length; i++) {
    const each = accessors[`get${child}`]!(ref, i);
    yield* within(each, ref, kind === 'Block' ? each : statement, (other) =>
      accessors[`set${child}`]!(ref, i, other),
    );
  }
}
