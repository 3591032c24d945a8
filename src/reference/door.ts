/** How the reference takes arguments and gives results: both kinds of float array, and no tensors. */
import type { Door, FloatArray, Operand } from '../checks/index.ts';

export const door: Door = {
  floats: ['Float32Array', 'Float64Array'],
  shapeOf: () => undefined,
  packedOf: () => undefined,
};

/** The caller's array, filled, if there is one. All is computed by now, so it may overlap the inputs. */
export function deliver(result: Float64Array, operand: Operand | undefined): FloatArray {
  if (operand === undefined) return result;
  const target = operand.value as FloatArray;
  for (let i = 0; i < result.length; i++) target[i] = result[i]!;
  return target;
}
