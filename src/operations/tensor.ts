/** `tensor`: numbers on the engine's memory. */
import { Call, type Keep } from '../call.ts';
import { resolveTensor } from '../options/engine.ts';
import type { Runtime } from '../runtime.ts';
import type { Tensor } from '../tensor.ts';

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
