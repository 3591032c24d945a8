/** `attention`, `attentionAsync` and `attentionWeights`: check, stage, launch. And what a layer and a cache need of it. */
import { Call, type Keep, type Later, type ResultSlot } from '../call.ts';
import type { Slot } from '../feed.ts';
import { decodes, many, prefills } from '../items.ts';
import { launchAttention, type AttentionAddresses } from '../launch/attention.ts';
import type { Resolved } from '../options/again.ts';
import { outShapeOf, resolveAttention, type AttentionProblem } from '../options/attention.ts';
import type { Scores } from '../options/scores.ts';
import { takeSignal } from '../options/signal.ts';
import { DECODING, PREFILL, WEIGHTS, type Runtime } from '../runtime.ts';
import { EngineDoor, type Values } from '../tensor.ts';
import { areArrays, inPlace, valueOf, type Ready } from './ready.ts';

/** The result of `attentionWeights` and `inspect`. */
export interface Inspection<T = Float32Array> {
  /** As of `attention`. */
  readonly out: T;
  /** `[batch, heads, seqQ, seqK]`: the part of each value in each output. A row sums to 1; zeros if it sees no key. */
  readonly weights: T;
  /** `[batch, heads, seqQ]`: ln Σ exp(score); −Infinity for a row that sees no key. */
  readonly logSumExp: T;
}

/** `attention` */
export function attention(
  runtime: Runtime,
  op: string,
  q: unknown,
  k: unknown,
  v: unknown,
  options: unknown,
  keep?: Keep,
): Values {
  return attend(runtime, op, q, k, v, options, false, keep).out;
}

/** `attentionAsync`: checked, and its operands copied, before it returns. */
export async function attentionAsync(
  runtime: Runtime,
  op: string,
  q: unknown,
  k: unknown,
  v: unknown,
  options: unknown,
): Promise<Values> {
  runtime.requireAlive(op);
  const { signal, rest } = takeSignal(op, options);
  const resolved = resolveAttention(op, new EngineDoor(runtime), q, k, v, rest, false);
  signal?.throwIfAborted();
  const args = [q as Values, k as Values, v as Values] as const;
  const { call, work, result } = readyAttention(runtime, op, ...args, resolved, false, { signal });
  await call.computeLater(work);
  return result().out;
}

/** `attentionWeights` */
export function attentionWeights(
  runtime: Runtime,
  op: string,
  q: unknown,
  k: unknown,
  v: unknown,
  options: unknown,
): Inspection<Values> {
  return attend(runtime, op, q, k, v, options, true);
}

/** Both: without `inspect` there are no weights, and no logSumExp but the caller's own. */
function attend(
  given: Runtime,
  op: string,
  q: unknown,
  k: unknown,
  v: unknown,
  options: unknown,
  inspect: boolean,
  keep?: Keep,
): Inspection<Values> {
  given.requireAlive(op);
  const resolved = resolveAttention(op, new EngineDoor(given), q, k, v, options, inspect);
  const { problem } = resolved;
  const ready = given.ready(op, inspect ? WEIGHTS : kernelsOf(problem));
  const run = (on: Runtime): Inspection<Values> =>
    runAttention(on, op, q as Values, k as Values, v as Values, resolved, inspect, keep);
  // On one thread there is one place, and a small call does not look for others.
  return ready.team === undefined ? run(ready) : inPlace(ready, isOfArrays(problem), workOf(problem), run);
}

/** Whether a call of attention has no tensor. */
function isOfArrays({ tensors, mask, bias, alibi, sinks, logSumExp }: AttentionProblem): boolean {
  return !tensors && areArrays([mask?.data, bias?.data, alibi, sinks, logSumExp]);
}

/** What attention runs, without weights. */
function kernelsOf(problem: AttentionProblem): number {
  return (prefills(problem) ? PREFILL : 0) | (decodes(problem) ? DECODING : 0);
}

/** What is checked: with `inspect` its weights too. */
export function runAttention(
  runtime: Runtime,
  op: string,
  q: Values,
  k: Values,
  v: Values,
  resolved: Resolved<AttentionProblem>,
  inspect: boolean,
  keep?: Keep,
): Inspection<Values> {
  const { call, work, result } = readyAttention(runtime, op, q, k, v, resolved, inspect, undefined, keep);
  call.compute(work);
  return result();
}

function readyAttention(
  runtime: Runtime,
  op: string,
  q: Values,
  k: Values,
  v: Values,
  { problem, out: given, again }: Resolved<AttentionProblem>,
  inspect: boolean,
  later?: Later,
  keep?: Keep,
): Ready<Inspection<Values>> {
  const { batch, heads, kvHeads, seqQ, seqK, headDim, valueDim, tensors, packed, totalQ, totalK } = problem;
  const call = new Call(runtime, op, workOf(problem), later, keep);
  // An item of prefill has packed its queries before it writes, to where they lay: a quarter less memory goes through the caches.
  const inPlace = !tensors && !inspect && !packed && many(seqQ) && headDim === valueDim;
  const K = call.input('k', k, totalK * kvHeads * headDim);
  const V = call.input('v', v, totalK * kvHeads * valueDim);
  const sides = sidesOf(call, problem);
  const shape = tensors ? outShapeOf(problem) : undefined;
  const out = call.output(
    'out',
    valueOf(given),
    totalQ * heads * valueDim,
    shape,
    inPlace ? (q as Float32Array) : undefined,
  );
  const Q = inPlace ? out : call.input('q', q, totalQ * heads * headDim);
  const sum = inspect || problem.logSumExp !== undefined ? sumOf(call, problem) : undefined;
  const weightsShape = tensors ? [batch, heads, seqQ, seqK] : undefined;
  const weights = inspect
    ? call.output('weights', undefined, batch * heads * seqQ * seqK, weightsShape)
    : undefined;
  const launch = launchAttention(runtime, op, problem, call.threads, inspect, again);
  const room = call.room(launch.bytes);
  return {
    call,
    work: () => {
      launch.run(addressesOf(Q.address, K.address, V.address, out, sum, weights, sides), room.address);
    },
    result: () =>
      ({ out: out.result, weights: weights?.result, logSumExp: sum?.result }) as Inspection<Values>,
  };
}

/** Multiply-adds of an attention call, about; to read a number of K or V takes as long as four. */
export function workOf({
  batch,
  heads,
  kvHeads,
  seqK,
  headDim,
  valueDim,
  totalQ,
  totalK,
}: AttentionProblem): number {
  return (totalQ * heads * seqK + 4 * batch * kvHeads * Math.min(seqK, totalK)) * (headDim + valueDim);
}

/** The logSumExp of a call. */
function sumOf(call: Call, problem: AttentionProblem): ResultSlot {
  const { batch, heads, seqQ, totalQ, packed, tensors } = problem;
  const unpacked = packed ? [heads, totalQ] : [batch, heads, seqQ];
  return call.output('logSumExp', valueOf(problem.logSumExp), totalQ * heads, tensors ? unpacked : undefined);
}

function addressesOf(
  q: number,
  k: number,
  v: number,
  out: Slot,
  logSumExp: Slot | undefined,
  weights: Slot | undefined,
  { mask, bias, alibi, sinks }: Sides,
): AttentionAddresses {
  return {
    q,
    k,
    v,
    out: out.address,
    logSumExp: logSumExp === undefined ? 0 : logSumExp.address,
    weights: weights === undefined ? 0 : weights.address,
    mask: mask.address,
    bias: bias.address,
    alibi: alibi.address,
    sinks: sinks.address,
    special: false,
  };
}

/** Attention of arrays to keys and values that lie on the engine's memory. */
export function attendTo(
  runtime: Runtime,
  op: string,
  q: Float32Array,
  { keys, values }: { readonly keys: number; readonly values: number },
  { problem, out: given }: Resolved<AttentionProblem>,
): Float32Array {
  const { heads, headDim, valueDim, totalQ } = problem;
  const call = new Call(runtime, op, workOf(problem));
  const Q = call.input('q', q, totalQ * heads * headDim);
  const sides = sidesOf(call, problem);
  const out = call.output('out', valueOf(given), totalQ * heads * valueDim);
  const sum = problem.logSumExp && sumOf(call, problem);
  const launch = launchAttention(runtime, op, problem, call.threads);
  const room = call.room(launch.bytes);
  call.compute(() => {
    launch.run(addressesOf(Q.address, keys, values, out, sum, undefined, sides), room.address);
  });
  return out.result as Float32Array;
}

/** The inputs beside q, k and v. */
export type Sides = Readonly<Record<'mask' | 'bias' | 'alibi' | 'sinks', Slot>>;

export function sidesOf(call: Call, { mask, bias, alibi, sinks }: Scores): Sides {
  return {
    mask: call.side(mask?.data),
    bias: call.side(bias?.data),
    alibi: call.side(alibi),
    sinks: call.side(sinks),
  };
}
