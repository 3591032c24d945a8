/** Public operations on a runtime, for arrays and for tensors alike: check, stage, launch. */
import type { Operand } from './checks.ts';
import { Call, type Keep, type Slot } from './call.ts';
import { many } from './items.ts';
import { launchAttention } from './launch/attention.ts';
import { launchGemm, launchPack, needsPacking, packedBytes } from './launch/gemm.ts';
import { launchMerge } from './launch/merge.ts';
import { launchRope, stridesOf } from './launch/rope.ts';
import { resolveAttention, type AttentionProblem } from './options/attention.ts';
import { resolveTensor } from './options/engine.ts';
import { resolveMatmul, resolvePack } from './options/matmul.ts';
import { resolveMerge, type AttentionPart } from './options/merge.ts';
import { resolveRope } from './options/rope.ts';
import type { Scores } from './options/scores.ts';
import type { Runtime } from './runtime.ts';
import { EngineDoor, PackedMatrix, addressOf, type Tensor, type Values } from './tensor.ts';

/** The result of `attentionWeights` and `inspect`. */
export interface Inspection<T = Float32Array> {
  /** As of `attention`. */
  readonly out: T;
  /** [batch, heads, seqQ, seqK]: the part of each value in each output. A row sums to 1; zeros if it sees no key. */
  readonly weights: T;
  /** [batch, heads, seqQ]: ln Σ exp(score); −Infinity for a row that sees no key. */
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
  runtime: Runtime,
  op: string,
  q: unknown,
  k: unknown,
  v: unknown,
  options: unknown,
  inspect: boolean,
  keep?: Keep,
): Inspection<Values> {
  runtime.requireAlive(op);
  const problem = resolveAttention(op, new EngineDoor(runtime), q, k, v, options, inspect);
  const { batch, heads, seqQ, seqK, headDim, valueDim, layout, tensors, packed, totalQ } = problem;
  const call = new Call(runtime, op, keep);
  // An item of prefill has packed its queries before it writes, to where they lay: a quarter less memory goes through the caches.
  const inPlace = !tensors && !inspect && !packed && many(seqQ) && headDim === valueDim;
  const K = call.input('k', k as Values);
  const V = call.input('v', v as Values);
  const sides = sidesOf(call, problem);
  const unpacked = layout === 'bshd' ? [batch, seqQ, heads, valueDim] : [batch, heads, seqQ, valueDim];
  const shape = packed ? [totalQ, heads, valueDim] : unpacked;
  const out = call.output(
    'out',
    valueOf(problem.out),
    shape,
    tensors,
    inPlace ? (q as Float32Array) : undefined,
  );
  const Q = inPlace ? out : call.input('q', q as Values);
  const wantsSum = inspect || problem.logSumExp !== undefined;
  const sumShape = packed ? [heads, totalQ] : [batch, heads, seqQ];
  const sum = wantsSum ? call.output('logSumExp', valueOf(problem.logSumExp), sumShape, tensors) : undefined;
  const weights = inspect
    ? call.output('weights', undefined, [batch, heads, seqQ, seqK], tensors)
    : undefined;
  const launch = launchAttention(runtime, op, problem);
  const room = call.room(launch.bytes);
  call.compute(() => {
    const addresses = {
      q: Q.address,
      k: K.address,
      v: V.address,
      out: out.address,
      logSumExp: sum?.address ?? 0,
      weights: weights?.address ?? 0,
      mask: sides.mask.address,
      bias: sides.bias.address,
      alibi: sides.alibi.address,
      sinks: sides.sinks.address,
      special: false,
    };
    launch.run(addresses, room.address);
  });
  return { out: out.result, weights: weights?.result, logSumExp: sum?.result } as Inspection<Values>;
}

/** Attention of arrays to keys and values that lie on the engine's memory. */
export function attendTo(
  runtime: Runtime,
  op: string,
  q: Float32Array,
  { keys, values }: { readonly keys: number; readonly values: number },
  problem: AttentionProblem,
): Float32Array {
  const { batch, heads, seqQ, valueDim } = problem;
  const call = new Call(runtime, op);
  const Q = call.input('q', q);
  const sides = sidesOf(call, problem);
  const out = call.output('out', valueOf(problem.out), [batch, seqQ, heads, valueDim], false);
  const sum =
    problem.logSumExp && call.output('logSumExp', valueOf(problem.logSumExp), [batch, heads, seqQ], false);
  const launch = launchAttention(runtime, op, problem);
  const room = call.room(launch.bytes);
  call.compute(() => {
    const addresses = {
      q: Q.address,
      k: keys,
      v: values,
      out: out.address,
      logSumExp: sum?.address ?? 0,
      weights: 0,
      mask: sides.mask.address,
      bias: sides.bias.address,
      alibi: sides.alibi.address,
      sinks: sides.sinks.address,
      special: false,
    };
    launch.run(addresses, room.address);
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
  runtime: Runtime,
  op: string,
  a: unknown,
  b: unknown,
  options: unknown,
  keep?: Keep,
): Values {
  runtime.requireAlive(op);
  const problem = resolveMatmul(op, new EngineDoor(runtime), a, b, options);
  const { batch, N, K, sharedB, packed, tensors, outShape } = problem;
  const call = new Call(runtime, op, keep);
  const A = call.input('a', a as Values);
  const B = packed ? { address: addressOf(op, 'b', b as PackedMatrix) } : call.input('b', b as Values);
  const bias = problem.bias && call.input('bias', problem.bias.value as Values);
  const C = call.output('out', valueOf(problem.out), outShape, tensors);
  const gemm = launchGemm(runtime, op, problem);
  const pack = !packed && needsPacking(problem) ? launchPack(runtime, op, problem) : undefined;
  const panels = pack && call.room((sharedB ? 1 : batch) * packedBytes(N, K));
  const room = call.room(Math.max(gemm.bytes, pack?.bytes ?? 0));
  call.compute(() => {
    const addresses = {
      a: A.address,
      b: B.address,
      packed: packed ? B.address : (panels?.address ?? 0),
      c: C.address,
      bias: bias?.address ?? 0,
    };
    pack?.run(addresses, room.address);
    gemm.run(addresses, room.address);
  });
  return C.result;
}

/** `rope`: an array is copied to where its result will be and turned in place. */
export function rope(runtime: Runtime, op: string, x: unknown, options: unknown, keep?: Keep): Values {
  runtime.requireAlive(op);
  const problem = resolveRope(op, new EngineDoor(runtime), x, options);
  const { batch, seq, heads, headDim, layout, tensors } = problem;
  const call = new Call(runtime, op, keep);
  const shape = layout === 'bshd' ? [batch, seq, heads, headDim] : [batch, heads, seq, headDim];
  const from = tensors ? undefined : (x as Float32Array);
  const out = call.output('out', valueOf(problem.out), shape, tensors, from);
  const X = tensors ? call.input('x', x as Tensor) : out;
  const strides = stridesOf(layout, seq, heads, headDim);
  const launch = launchRope(runtime, op, problem, strides, strides);
  const room = call.room(launch.bytes);
  call.compute(() => {
    launch.run({ x: X.address, out: out.address }, room.address);
  });
  return out.result;
}

/** `mergeAttention` */
export function mergeAttention(
  runtime: Runtime,
  op: string,
  parts: unknown,
  options: unknown,
): AttentionPart<Values> {
  runtime.requireAlive(op);
  const problem = resolveMerge(op, new EngineDoor(runtime), parts, options);
  const { batch, heads, seqQ, valueDim, layout, tensors } = problem;
  const call = new Call(runtime, op);
  const inputs = problem.parts.map((part) => ({
    out: call.input(part.out.arg, part.out.value as Values),
    logSumExp: call.input(part.logSumExp.arg, part.logSumExp.value as Values),
  }));
  const shape = layout === 'bshd' ? [batch, seqQ, heads, valueDim] : [batch, heads, seqQ, valueDim];
  const out = call.output('out', undefined, shape, tensors);
  const sum = call.output('logSumExp', undefined, [batch, heads, seqQ], tensors);
  const launch = launchMerge(runtime, op, problem);
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
  const call = new Call(runtime, op);
  const B = call.input('b', b as Values);
  const launch = launchPack(runtime, op, shape);
  const room = call.room(launch.bytes);
  const packed = call.block(packedBytes(N, K));
  call.compute(() => {
    launch.run({ a: 0, b: B.address, c: 0, bias: 0, packed: packed.address }, room.address);
  });
  return PackedMatrix.make(runtime, packed.address, K, N);
}

/** `tensor` */
export function tensor(runtime: Runtime, op: string, shape: unknown, data: unknown, keep?: Keep): Tensor {
  runtime.requireAlive(op);
  const problem = resolveTensor(op, shape, data);
  const call = new Call(runtime, op, keep);
  // Straight to its place: staged, the largest tensor would be half of what there is room for.
  const result = call.output('tensor', undefined, problem.shape, true, problem.data);
  call.compute(() => {
    const to = result.address >>> 2;
    const size = problem.shape.reduce((a, b) => a * b, 1);
    if (!problem.data) runtime.words.f32.fill(0, to, to + size);
  });
  return result.result as Tensor;
}

/** The user's own array or tensor. */
function valueOf(operand: Operand | undefined): Values | undefined {
  return operand?.value as Values | undefined;
}
