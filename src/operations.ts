/**
 * Public operations on a runtime, for arrays and for tensors alike: check, stage, launch. What follows the checks is a
 * function of its own where the self-test, whose arguments need none, begins with it.
 */
import type { Operand } from './checks.ts';
import { Call, type Keep, type Later, type ResultSlot } from './call.ts';
import { Feed, type Slot } from './feed.ts';
import { decodes, many, prefills } from './items.ts';
import { launchAttention, type AttentionAddresses } from './launch/attention.ts';
import { launchMatmul, launchPack, type MatmulLaunch, type PackLaunch } from './launch/gemm.ts';
import { launchMerge } from './launch/merge.ts';
import { launchRope, stridesOf } from './launch/rope.ts';
import type { Resolved } from './options/again.ts';
import { outShapeOf, resolveAttention, type AttentionProblem } from './options/attention.ts';
import { resolveTensor } from './options/engine.ts';
import { resolveMatmul, resolvePack, type MatmulProblem } from './options/matmul.ts';
import { resolveMerge, type AttentionPart } from './options/merge.ts';
import { resolveRope, type RopeProblem } from './options/rope.ts';
import type { Scores } from './options/scores.ts';
import { takeSignal } from './options/signal.ts';
import { ALL, DECODING, MATMUL, PREFILL, ROPE, WEIGHTS, type Runtime } from './runtime.ts';
import { EngineDoor, PackedMatrix, type Tensor, type Values } from './tensor.ts';

/** The result of `attentionWeights` and `inspect`. */
export interface Inspection<T = Float32Array> {
  /** As of `attention`. */
  readonly out: T;
  /** `[batch, heads, seqQ, seqK]`: the part of each value in each output. A row sums to 1; zeros if it sees no key. */
  readonly weights: T;
  /** `[batch, heads, seqQ]`: ln Σ exp(score); −Infinity for a row that sees no key. */
  readonly logSumExp: T;
}

/** A call that is made and not computed yet. */
interface Ready<Result> {
  readonly call: Call;
  readonly work: () => void;
  /** When it is computed. */
  readonly result: () => Result;
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
  // On one thread there is one place, and a small call does not look for others.
  const runtime = ready.team === undefined ? ready : placeOf(ready, isOfArrays(problem), workOf(problem));
  return runAttention(runtime, op, q as Values, k as Values, v as Values, resolved, inspect, keep);
}

/** Who runs a synchronous call of so many multiply-adds: one of arrays that is not worth sharing needs no shared memory. */
function placeOf(runtime: Runtime, arrays: boolean, work: number): Runtime {
  const { team } = runtime;
  return team === undefined || !arrays || team.isWorth(work) ? runtime : runtime.plain;
}

/** Whether none of what is there is a tensor. */
function areArrays(operands: readonly (Operand | undefined)[]): boolean {
  return operands.every((operand) => operand?.shape === undefined);
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

/** `matmul` */
export function matmul(
  given: Runtime,
  op: string,
  a: unknown,
  b: unknown,
  options: unknown,
  keep?: Keep,
): Values {
  given.requireAlive(op);
  const resolved = resolveMatmul(op, new EngineDoor(given), a, b, options);
  const { problem } = resolved;
  const ready = given.ready(op, MATMUL);
  const { team } = ready;
  const runtime = team === undefined ? ready : placeOf(ready, isOfMatrices(problem), workOfMatmul(problem));
  return runMatmul(runtime, op, a as Values, b as Values | PackedMatrix, resolved, keep);
}

/** `matmulAsync`: checked, and its operands copied, before it returns. */
export async function matmulAsync(
  runtime: Runtime,
  op: string,
  a: unknown,
  b: unknown,
  options: unknown,
): Promise<Values> {
  runtime.requireAlive(op);
  const { signal, rest } = takeSignal(op, options);
  const resolved = resolveMatmul(op, new EngineDoor(runtime), a, b, rest);
  signal?.throwIfAborted();
  const args = [a as Values, b as Values | PackedMatrix] as const;
  const { call, work, result } = readyMatmul(runtime, op, ...args, resolved, { signal });
  await call.computeLater(work);
  return result();
}

/** What is checked. */
export function runMatmul(
  runtime: Runtime,
  op: string,
  a: Values,
  b: Values | PackedMatrix,
  resolved: Resolved<MatmulProblem>,
  keep?: Keep,
): Values {
  const { call, work, result } = readyMatmul(runtime, op, a, b, resolved, undefined, keep);
  call.compute(work);
  return result();
}

function readyMatmul(
  runtime: Runtime,
  op: string,
  a: Values,
  b: Values | PackedMatrix,
  { problem, out, again }: Resolved<MatmulProblem>,
  later?: Later,
  keep?: Keep,
): Ready<Values> {
  const { batch, M, N, K, sharedB, packed, tensors, outShape } = problem;
  const call = new Call(runtime, op, workOfMatmul(problem), later, keep);
  const launch = launchMatmul(runtime, op, problem, call.threads, again);
  const A = call.input('a', a, batch * M * K);
  const B = packed
    ? call.packed('b', b as PackedMatrix)
    : bOf(call, b as Values, (sharedB ? 1 : batch) * K * N, launch);
  const bias = problem.bias && call.input('bias', problem.bias.value as Values, N);
  const C = call.output('out', valueOf(out), batch * M * N, tensors ? outShape : undefined);
  const panels = launch.panels === undefined ? undefined : call.room(launch.panels);
  const room = call.room(launch.bytes);
  return {
    call,
    work: () => {
      const addresses = {
        a: A.address,
        b: B.address,
        packed: packed ? B.address : (panels?.address ?? 0),
        c: C.address,
        bias: bias?.address ?? 0,
      };
      launch.run(addresses, room.address, B instanceof Feed ? B : undefined);
    },
    result: () => C.result,
  };
}

/** Whether a matmul has neither a tensor nor a packed matrix. */
function isOfMatrices({ tensors, packed, bias }: MatmulProblem): boolean {
  return !tensors && !packed && areArrays([bias]);
}

/** Its multiply-adds; to read a number of B takes as long as four. */
function workOfMatmul({ batch, M, N, K, sharedB }: MatmulProblem): number {
  return (batch * M + 4 * (sharedB ? 1 : batch)) * N * K;
}

/** What a matmul multiplies by, so many numbers: fed to its packing, or as it lies. */
function bOf(call: Call, b: Values, count: number, { panels, piece }: MatmulLaunch | PackLaunch): Slot {
  return panels === undefined ? call.input('b', b, count) : call.feed('b', b, count, piece);
}

/** `rope` */
export function rope(given: Runtime, op: string, x: unknown, options: unknown, keep?: Keep): Values {
  given.requireAlive(op);
  const problem = resolveRope(op, new EngineDoor(given), x, options);
  const runtime = placeOf(given.ready(op, ROPE), !problem.tensors, workOfRope(problem));
  return runRope(runtime, op, x as Values, problem, keep);
}

/** A number that turns takes as long as eight multiply-adds. */
function workOfRope({ batch, seq, heads, headDim }: RopeProblem): number {
  return 8 * batch * seq * heads * headDim;
}

/** What is checked: an array is copied to where its result will be and turned in place. */
export function runRope(runtime: Runtime, op: string, x: Values, problem: RopeProblem, keep?: Keep): Values {
  const { batch, seq, heads, headDim, layout, tensors } = problem;
  const count = batch * seq * heads * headDim;
  const call = new Call(runtime, op, workOfRope(problem), undefined, keep);
  const shape = layout === 'bshd' ? [batch, seq, heads, headDim] : [batch, heads, seq, headDim];
  const from = tensors ? undefined : (x as Float32Array);
  const out = call.output('out', valueOf(problem.out), count, tensors ? shape : undefined, from);
  const X = tensors ? call.input('x', x, count) : out;
  const strides = stridesOf(layout, seq, heads, headDim);
  const launch = launchRope(runtime, op, problem, strides, strides, call.threads);
  const room = call.room(launch.bytes);
  call.compute(() => {
    launch.run({ x: X.address, out: out.address }, room.address);
  });
  return out.result;
}

/** `mergeAttention` */
export function mergeAttention(
  given: Runtime,
  op: string,
  parts: unknown,
  options: unknown,
): AttentionPart<Values> {
  given.requireAlive(op);
  const problem = resolveMerge(op, new EngineDoor(given), parts, options);
  const { batch, heads, seqQ, valueDim, layout, tensors } = problem;
  const rows = batch * heads * seqQ;
  const work = 4 * problem.parts.length * rows * valueDim;
  const runtime = placeOf(given.ready(op, ALL), !tensors, work);
  const call = new Call(runtime, op, work);
  const inputs = problem.parts.map((part) => ({
    out: call.input(part.out.arg, part.out.value as Values, rows * valueDim),
    logSumExp: call.input(part.logSumExp.arg, part.logSumExp.value as Values, rows),
  }));
  const shape = layout === 'bshd' ? [batch, seqQ, heads, valueDim] : [batch, heads, seqQ, valueDim];
  const out = call.output('out', undefined, rows * valueDim, tensors ? shape : undefined);
  const sum = call.output('logSumExp', undefined, rows, tensors ? [batch, heads, seqQ] : undefined);
  const launch = launchMerge(runtime, op, problem, call.threads);
  const room = call.room(launch.bytes);
  call.compute(() => {
    const addresses = inputs.map((part) => ({
      out: part.out.address,
      logSumExp: part.logSumExp.address,
    }));
    launch.run({ parts: addresses, out: out.address, logSumExp: sum.address }, room.address);
  });
  return { out: out.result, logSumExp: sum.result };
}

/** `packMatrix` */
export function packMatrix(runtime: Runtime, op: string, b: unknown, options: unknown): PackedMatrix {
  runtime.requireAlive(op);
  const problem = resolvePack(op, new EngineDoor(runtime), b, options);
  const { K, N, transposeB } = problem;
  const shape = { batch: 1, M: 0, N, K, transposeA: false, transposeB, sharedB: true };
  const call = new Call(runtime, op, 8 * K * N);
  const launch = launchPack(runtime, op, shape, call.threads);
  const B = bOf(call, b as Values, K * N, launch);
  const room = call.room(launch.bytes);
  const packed = call.block(launch.panels);
  call.compute(() => {
    const addresses = { a: 0, b: B.address, c: 0, bias: 0, packed: packed.address };
    launch.run(addresses, room.address, B instanceof Feed ? B : undefined);
  });
  return PackedMatrix.make(runtime, packed.address, K, N);
}

/** `tensor` */
export function tensor(runtime: Runtime, op: string, shape: unknown, data: unknown, keep?: Keep): Tensor {
  runtime.requireAlive(op);
  const problem = resolveTensor(op, shape, data);
  const call = new Call(runtime, op, 0, undefined, keep);
  // Straight to its place: staged, the largest tensor would be half of what there is room for.
  const size = problem.shape.reduce((a, b) => a * b, 1);
  const result = call.output('tensor', undefined, size, problem.shape, problem.data);
  call.compute(() => {
    const to = result.address >>> 2;
    if (!problem.data) runtime.words.f32.fill(0, to, to + size);
  });
  return result.result as Tensor;
}

/** The user's own array or tensor. */
function valueOf(operand: Operand | undefined): Values | undefined {
  return operand?.value as Values | undefined;
}
