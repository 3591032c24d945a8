/**
 * What heed does to the objects of whoever uses it. V8 keeps one hidden class for all objects that begin with the same fields, the
 * library's and the user's alike: where one of ours holds a double in such a field, theirs are read as doubles too, and loops that
 * count to them become slow (1.6 to 1.8 times in Node 24, by one `seqQ` in the self-test).
 *
 * @node it starts programs of Node
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

/** Makes objects of small integers before heed starts and after it has worked, and prints those whose hidden class is another one. */
const program = (heed: string): string => `
  const literals = [
    'seqQ headDim', 'seqQ heads headDim', 'seqQ heads headDim causal', 'seqQ heads kvHeads headDim', 'seqQ seqK headDim',
    'batch seqQ heads headDim', 'seqQ heads kvHeads seqK headDim valueDim', 'M N K', 'M N K batch', 'M K N', 'K N',
    'seq headDim', 'seq heads headDim', 'batch seq heads headDim', 'seq heads headDim offset',
    'modelDim heads', 'kvHeads headDim capacity', 'seqQ valueDim', 'seqQ heads valueDim',
  ];
  const make = (names) => new Function('return {' + names.split(' ').map((name) => name + ': 3').join() + '}')();
  const before = literals.map(make);
  const { createEngine, MultiHeadAttention } = await import(${JSON.stringify(heed)});
  const engine = await createEngine({ threads: 1 });
  const x = new Float32Array(4).fill(1);
  engine.attention(x, x, x, { seqQ: 2, heads: 1, headDim: 2, scale: 0.3 });
  engine.attentionWeights(x, x, x, { seqQ: 2, heads: 1, headDim: 2, scale: 0.3 });
  engine.matmul(x, x, { M: 2, N: 2, K: 2 });
  engine.rope(x, { seq: 2, heads: 1, headDim: 2, theta: 0.5 });
  engine.mergeAttention([{ out: x, logSumExp: x.subarray(0, 2) }], { seqQ: 2, valueDim: 2 });
  const cache = engine.kvCache({ kvHeads: 1, headDim: 2, capacity: 4 });
  cache.append(x, x);
  cache.attend(x, { seqQ: 2, heads: 1 });
  new MultiHeadAttention({ modelDim: 2, heads: 1, weights: { wq: x, wk: x, wv: x, wo: x }, engine }).forward(x, { seqQ: 2 });
  const same = new Function('a', 'b', 'return %HaveSameMap(a, b)');
  const changed = literals.filter((names, i) => !same(before[i], make(names)));
  // The measure itself: a field that has held a double is another one.
  const one = make('heedless');
  ({ heedless: Math.random() });
  console.log(JSON.stringify({ changed, seen: !same(one, make('heedless')) }));`;

it('are left as they were by a start and by calls of every kind', () => {
  const heed = new URL('../src/index.ts', import.meta.url).href;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--allow-natives-syntax', '--import', 'tsx', '--input-type=module', '--eval', program(heed)],
    { encoding: 'utf8', cwd: fileURLToPath(new URL('..', import.meta.url)) },
  );
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({ changed: [], seen: true });
});
