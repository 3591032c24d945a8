/** The options of mergeAttention, and its resolver: as in `attention.ts`. */
import * as check from '../checks/index.ts';
import { fit, or, type Door, type Filled, type FloatArray, type Operand } from '../checks/index.ts';
import { LAYOUTS, type AttentionShape } from './attention.ts';

/** The dimensions of a merge. For tensors all default to those of the first part. */
export interface MergeShape extends Pick<AttentionShape, 'seqQ' | 'batch' | 'heads' | 'layout'> {
  /** Elements of one head's output, at least 1. */
  readonly valueDim: number;
}

/** Attention over some of the keys: what `attentionWeights` gives, or `attention` with a `logSumExp`. */
export interface AttentionPart<T = FloatArray> {
  /** [batch, seqQ, heads, valueDim] in the layout. Not read where logSumExp is −∞. */
  readonly out: T;
  /** [batch, heads, seqQ] */
  readonly logSumExp: T;
}

/** A merge with nothing left open. */
export interface MergeProblem extends Filled<MergeShape> {
  /** All parts are tensors; else all are arrays. */
  readonly tensors: boolean;
  readonly parts: readonly Readonly<Record<'out' | 'logSumExp', Operand>>[];
}

const MERGE = new check.Known((absent) => ({ ...absent }), 'batch', 'seqQ', 'heads', 'valueDim', 'layout');
/** What attentionWeights gives is a part as it is. */
const PART = new check.Known((absent) => ({ ...absent }), 'out', 'logSumExp', 'weights');

/** More parts than anybody has, few enough to be looked at one by one. */
const MAX_PARTS = 2 ** 16;

/** `mergeAttention(parts, options)`. @throws HeedTypeError, HeedRangeError; whatever the door throws. */
export function resolveMerge(op: string, door: Door, parts: unknown, options: unknown): MergeProblem {
  const o = check.options(op, options, MERGE);
  const layout = check.word(op, 'layout', o.layout, LAYOUTS);
  const list = check.values(op, 'parts', check.arrayLike(op, 'parts', parts, 'an array'), 1, MAX_PARTS);
  let like: Operand | undefined;
  const given = list.map((part, i) => {
    const p = check.options(op, part, PART, `parts[${i}]`);
    const out = check.operand(op, door, `parts[${i}].out`, p.out, like);
    like ??= out;
    return { out, logSumExp: check.operand(op, door, `parts[${i}].logSumExp`, p.logSumExp, like) };
  });
  for (const { out } of given) check.rank(op, out, 4);
  const shape = like?.shape;
  const bshd = layout === 'bshd';
  const [batch, heads, seqQ, valueDim] = check.dims(
    op,
    ['batch', 'heads', 'seqQ', 'valueDim'],
    or(o.batch, shape?.[0], 1),
    or(o.heads, shape?.[bshd ? 2 : 1], 1),
    or(o.seqQ, shape?.[bshd ? 1 : 2]),
    or(o.valueDim, shape?.[3]),
  );
  const tensors = shape !== undefined;
  const turned = tensors && bshd;
  const fits = given.flatMap(({ out, logSumExp }) => [
    turned
      ? fit(out.arg, 'batch × seqQ × heads × valueDim', out, batch, seqQ, heads, valueDim)
      : fit(out.arg, 'batch × heads × seqQ × valueDim', out, batch, heads, seqQ, valueDim),
    fit(logSumExp.arg, 'batch × heads × seqQ', logSumExp, batch, heads, seqQ),
  ]);
  check.sizes(op, fits);
  check.fits(op, fits);
  return { tensors, batch, heads, seqQ, valueDim, layout, parts: given };
}
