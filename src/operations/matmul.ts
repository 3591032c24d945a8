/** `matmul`, `matmulAsync` and `packMatrix`: check, stage, launch. */
import { Call, type Keep, type Later } from '../call.ts';
import { Feed, type Slot } from '../feed.ts';
import { launchMatmul, launchPack, type MatmulLaunch, type PackLaunch } from '../launch/gemm.ts';
import type { Resolved } from '../options/again.ts';
import { resolveMatmul, resolvePack, type MatmulProblem } from '../options/matmul.ts';
import { takeSignal } from '../options/signal.ts';
import { MATMUL, type Runtime } from '../runtime.ts';
import { EngineDoor, PackedMatrix, type Values } from '../tensor.ts';
import { areArrays, inPlace, valueOf, type Ready } from './ready.ts';

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
  const run = (on: Runtime): Values =>
    runMatmul(on, op, a as Values, b as Values | PackedMatrix, resolved, keep);
  // On one thread there is one place, and a small call does not look for others.
  return ready.team === undefined
    ? run(ready)
    : inPlace(ready, isOfMatrices(problem), workOfMatmul(problem), run);
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
