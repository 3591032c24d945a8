/**
 * What the files of this folder have in common: public operations on a runtime, for arrays and for tensors alike, that check, stage and
 * launch. What follows the checks is a function of its own where the self-test, whose arguments need none, begins with it.
 */
import type { Call } from '../call.ts';
import type { Operand } from '../checks/index.ts';
import { MemoryLimitError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { Values } from '../tensor.ts';

/** A call that is made and not computed yet. */
export interface Ready<Result> {
  readonly call: Call;
  readonly work: () => void;
  /** When it is computed. */
  readonly result: () => Result;
}

/**
 * Runs a synchronous call of so many multiply-adds in its place: one of arrays that is not worth sharing needs no shared memory, and
 * has plain memory as far as the engine's limit has room for it beside.
 */
export function inPlace<Result>(
  runtime: Runtime,
  arrays: boolean,
  work: number,
  run: (on: Runtime) => Result,
): Result {
  const { team } = runtime;
  if (team === undefined || !arrays || team.isWorth(work)) return run(runtime);
  const { plain } = runtime;
  try {
    return run(plain);
  } catch (error) {
    // Thrown before anything is written.
    if (plain === runtime || !(error instanceof MemoryLimitError)) throw error;
    return run(runtime);
  }
}

/** Whether none of what is there is a tensor. */
export function areArrays(operands: readonly (Operand | undefined)[]): boolean {
  return operands.every((operand) => operand?.shape === undefined);
}

/** The user's own array or tensor. */
export function valueOf(operand: Operand | undefined): Values | undefined {
  return operand?.value as Values | undefined;
}
