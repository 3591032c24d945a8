/** `rope`: check, stage, launch. */
import { Call, type Keep } from '../call.ts';
import { launchRope, stridesOf } from '../launch/rope.ts';
import { resolveRope, type RopeProblem } from '../options/rope.ts';
import { ROPE, type Runtime } from '../runtime.ts';
import { EngineDoor, type Values } from '../tensor.ts';
import { inPlace, valueOf } from './ready.ts';

/** `rope` */
export function rope(given: Runtime, op: string, x: unknown, options: unknown, keep?: Keep): Values {
  given.requireAlive(op);
  const problem = resolveRope(op, new EngineDoor(given), x, options);
  return inPlace(given.ready(op, ROPE), !problem.tensors, workOfRope(problem), (on) =>
    runRope(on, op, x as Values, problem, keep),
  );
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
