/** `mergeAttention`: check, stage, launch. */
import { Call } from '../call.ts';
import { launchMerge } from '../launch/merge.ts';
import { resolveMerge, type AttentionPart, type MergeProblem } from '../options/merge.ts';
import { ALL, type Runtime } from '../runtime.ts';
import { EngineDoor, type Values } from '../tensor.ts';
import { inPlace } from './ready.ts';

/** `mergeAttention` */
export function mergeAttention(
  given: Runtime,
  op: string,
  parts: unknown,
  options: unknown,
): AttentionPart<Values> {
  given.requireAlive(op);
  const problem = resolveMerge(op, new EngineDoor(given), parts, options);
  const work = workOfMerge(problem);
  return inPlace(given.ready(op, ALL), !problem.tensors, work, (on) => runMerge(on, op, problem));
}

function workOfMerge({ parts, batch, heads, seqQ, valueDim }: MergeProblem): number {
  return 4 * parts.length * batch * heads * seqQ * valueDim;
}

/** What is checked. */
function runMerge(runtime: Runtime, op: string, problem: MergeProblem): AttentionPart<Values> {
  const { batch, heads, seqQ, valueDim, layout, tensors } = problem;
  const rows = batch * heads * seqQ;
  const call = new Call(runtime, op, workOfMerge(problem));
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
