/** Import and first small result, every sample in a fresh process, contenders in turn. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { use } from '../../test/laws.ts';
import { problemOf } from '../run.ts';
import { peerBars } from '../bars.ts';
import { timing } from '../sample.ts';
import type { AttentionTask } from './peer.ts';
import { modelOf, programs } from './onnxruntime.ts';
import { peers } from './peers.ts';
import type { Outcome, RowOutcome } from './report.ts';
import { attention, lawOf, smallest } from './rows.ts';
import { AS_IT_STARTS } from './table.ts';

export const cold: Pick<RowOutcome, 'section' | 'name' | 'bar'> = {
  section: 'cold start',
  name: 'import + first small result',
  bar: peerBars.start,
};

const CONTENDERS = ['heed', 'onnxruntime-web', 'jax-js', 'onnxruntime-node'];

/** Fresh processes for each contender. */
const SAMPLES = 9;

export function runCold(): RowOutcome {
  const task = attention(cold.name, smallest).task() as AttentionTask;
  const [program] = programs(task);
  const model = Buffer.from(modelOf(program!)).toString('base64');
  const [q, k, v] = [task.q, task.k, task.v].map((each) => [...each]);
  const json = JSON.stringify({ ...smallest, q, k, v, model });

  const samples = new Map<string, number[]>(CONTENDERS.map((name) => [name, []]));
  const problems = new Map<string, string>();
  const errors = new Map<string, number>();
  for (let round = 0; round < SAMPLES; round++) {
    for (const name of CONTENDERS) {
      if (problems.has(name)) continue;
      const script = fileURLToPath(new URL('cold.mjs', import.meta.url));
      const { status, stdout, stderr } = spawnSync(process.execPath, [script, name, json], {
        encoding: 'utf8',
      });
      if (status !== 0) {
        problems.set(name, /^\w*Error.*$/m.exec(stderr)?.[0] ?? `exit code ${status ?? 'none'}`);
        continue;
      }
      const { milliseconds, out } = JSON.parse(stdout) as { milliseconds: number; out: number[] };
      const { order } = peers.find((peer) => peer.name === name)!;
      errors.set(name, Math.max(...lawOf(task, order, 1).map(({ at, law }) => use(out, law, at))));
      samples.get(name)!.push(milliseconds);
    }
  }
  const outcomes = CONTENDERS.map((peer): Outcome => {
    const wrong = errors.has(peer) ? problemOf(errors.get(peer)!) : undefined;
    const problem = problems.get(peer) ?? (wrong && `what it computes ${wrong}`);
    if (problem !== undefined) return { peer, way: '', problem };
    const times = samples.get(peer)!;
    const way = peer === 'heed' ? AS_IT_STARTS : '';
    return { peer, way, first: times[0]!, timing: timing(times), errorOfBound: errors.get(peer)! };
  });
  return { ...cold, flops: 0, checkedEvery: 1, outcomes };
}
