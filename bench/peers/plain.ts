/**
 * Plain float32 loops in JavaScript (bench/plain-loops.ts), in a thread of their own. No layer: it would be four matmuls and an
 * attention of theirs.
 */
import { ScriptThread, type ScriptTask } from '../script-thread.ts';
import { shipScripts } from '../shipped.ts';
import type { AttentionTask, MatmulTask, Peer, Running } from './peer.ts';

export const plain: Peer = {
  name: 'plain loops',
  version: undefined,
  order: 'chain',
  load: async () => {
    const scripts = await shipScripts();
    return (task) =>
      task.kind === 'layer' ? [] : [{ name: 'float32', prepare: () => prepare(scriptTask(task), scripts) }];
  },
};

function prepare(task: ScriptTask, scripts: URL): Running {
  const thread = new ScriptThread(task, scripts);
  const clock = thread.clock('plain');
  return {
    clock,
    run: () => {
      clock(1);
      return thread.result('plain') as Float32Array;
    },
    dispose: () => {
      thread.dispose();
    },
  };
}

function scriptTask(task: MatmulTask | AttentionTask): ScriptTask {
  if (task.kind === 'matmul') {
    const { M, N, K, a, b } = task;
    return { kind: 'matmul', inputs: [a, b], call: { M, N, K } };
  }
  const { seqQ, seqK, heads, kvHeads, headDim, causal, q, k, v } = task;
  return { kind: 'attention', inputs: [q, k, v], call: { seqQ, seqK, heads, kvHeads, headDim, causal } };
}
