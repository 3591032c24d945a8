/** The adapters of bench/peers, without timing anything: what every way of every peer gives is inside the law. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { lawOf, attention, layer, matmul } from '../../bench/peers/rows.ts';
import { peers } from '../../bench/peers/peers.ts';
import type { AttentionTask, Peer, Task } from '../../bench/peers/peer.ts';
import { use, type Order } from '../laws.ts';

const rows = [
  matmul('matmul', { M: 5, N: 12, K: 33, constant: false }),
  matmul('matmul, constant weights', { M: 5, N: 12, K: 33, constant: true }),
  attention('attention', { seqQ: 9, heads: 2, headDim: 8 }),
  attention('causal', { seqQ: 9, heads: 2, headDim: 8, causal: true }),
  attention('smallest', { seqQ: 3, heads: 2, headDim: 2 }),
  attention('decode', { seqQ: 1, seqK: 40, heads: 6, kvHeads: 2, headDim: 8 }),
  attention('decode, resident', { seqQ: 1, seqK: 40, heads: 6, kvHeads: 2, headDim: 8, resident: true }),
  layer('layer', { seqQ: 7, modelDim: 24, heads: 3 }),
];

/** Why a peer is not run here, or nothing. */
function missing({ name }: Peer): string | undefined {
  const native = new URL('../../bench/peers/node_modules/onnxruntime-node', import.meta.url);
  if (name === 'onnxruntime-node' && !existsSync(native)) return 'only `npm run bench:peers` installs it';
  const [major = 0] = process.versions.node.split('.').map(Number);
  return name === 'jax-js' && major < 22 ? 'needs Node 22' : undefined;
}

/** The largest part of its bound that any element uses. */
function part(out: Float32Array, task: Task, order: Order, stride = 1): number {
  return Math.max(...lawOf(task, order, stride).map(({ at, law }) => use(out, law, at)));
}

describe.each(peers)('$name', (peer) => {
  const reason = missing(peer);
  const title = (name: string): string => (reason === undefined ? name : `${name}: not run, ${reason}`);
  it.skipIf(reason !== undefined).each(rows.map((row) => [title(row.name), row] as const))(
    '%s',
    async (_, row) => {
      const task = row.task();
      const ways = (await peer.load())(task);
      expect(new Set(ways.map(({ name }) => name)).size).toBe(ways.length);
      expect(ways.length > 0).toBe(peer.name !== 'plain loops' || task.kind !== 'layer');
      for (const { name, prepare } of ways) {
        const { run, dispose } = await prepare();
        // The second run is what is timed: nothing of the first may be left in it.
        for (const call of ['first', 'second']) {
          expect(part(await run(), task, peer.order), `${name}, ${call} run`).toBeLessThanOrEqual(1);
        }
        await dispose();
      }
    },
  );
});

describe('the law of a row', () => {
  const causal = attention('causal', { seqQ: 9, heads: 2, headDim: 8, causal: true }).task() as AttentionTask;
  const small = layer('layer', { seqQ: 7, modelDim: 24, heads: 3 }).task();
  const plain = peers.find(({ name }) => name === 'plain loops')!;

  it('would see a mask that is missing', async () => {
    const [way] = (await plain.load())({ ...causal, causal: false });
    const { run } = await way!.prepare();
    expect(part(await run(), causal, 'chain')).toBeGreaterThan(1);
  });

  it.each([causal, small])('is the same where only some rows are looked at: $kind', (task) => {
    const all = new Map(lawOf(task, 'chain', 1).map(({ at, law }) => [at, law]));
    const some = lawOf(task, 'chain', 5);
    expect(some.length).toBeLessThan(all.size);
    for (const { at, law } of some) expect(law).toEqual(all.get(at));
  });
});
