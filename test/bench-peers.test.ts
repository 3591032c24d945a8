/**
 * The comparison with peers, without a peer and without timing anything: its turns, its table, its arguments.
 *
 * @node the benchmark is a program of Node
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Outcome, PeerReport } from '../bench/peers/report.ts';
import { interleavePeers, peerClockOf, type PeerLane } from '../bench/peers/sample.ts';
import { programs } from '../bench/peers/onnxruntime.ts';
import { attention } from '../bench/peers/rows.ts';
import { ratioOf, renderPeers } from '../bench/peers/table.ts';
import { settling } from '../bench/sample.ts';
import { attentionInputs } from './cases.ts';

describe('samples', () => {
  it('are taken in turn, those of slow lanes spread between the others, and promises are awaited', async () => {
    let order = '';
    const of = (name: string, waits: boolean, calls = 1, milliseconds = 100): PeerLane => {
      const add = (): void => {
        order += name;
      };
      // A promise that is not awaited would be settled behind the lanes that follow it.
      const run = waits ? () => Promise.resolve().then(add) : add;
      return { clock: peerClockOf(run, waits), calls, samples: [], milliseconds };
    };
    const lanes = [of('a', false), of('B', true, 2), of('s', true)];
    await interleavePeers(lanes, [4, 4, 2]);
    expect(order).toBe('aBB' + 'BBsa' + 'aBB' + 'aBBs');
    expect(lanes.map(({ samples }) => samples.length)).toEqual([4, 4, 2]);
  });

  it('of short calls come after calls that fill the caches', async () => {
    let called = 0;
    const run = (): number => called++;
    const short = { clock: peerClockOf(run, false), calls: 3, samples: [], milliseconds: 2 };
    await interleavePeers([short], [1]);
    expect(called).toBe(3 + 3);
    expect(short.samples).toHaveLength(1);
  });

  it('wait until three windows have shown no gain', () => {
    const times = [8, 4, 2, 2, 2, 1.99, 5];
    const calls = settling(0);
    let given = 0;
    let step = calls.next();
    while (step.done !== true) step = calls.next(times[given++]!);
    expect(given).toBe(6);
    expect(step.value).toBe(1.99);
  });
});

describe('the table', () => {
  const outcome = (peer: string, way: string, p50: number): Outcome => {
    return { peer, way, first: 2 * p50, errorOfBound: 0.1, timing: { p50, p75: p50, min: p50, n: 9 } };
  };
  const outcomes: readonly Outcome[] = [
    outcome('heed', 'baseline', 4),
    outcome('heed', 'relaxed', 2),
    outcome('onnxruntime-web', 'composed', 7),
    outcome('onnxruntime-web', 'Attention', 5),
    { peer: 'onnxruntime-web', way: 'MultiHeadAttention', problem: 'Integer overflow' },
    { peer: 'plain loops', way: 'float32', first: 3000, errorOfBound: 0.1 },
  ];
  const row = { section: 'attention', name: 'a', flops: 1, bar: 1.9, checkedEvery: 1, outcomes } as const;
  const report: PeerReport = {
    mode: 'quick',
    machine: {
      ...{ cpu: 'Abacus', cores: 1, system: 'linux x64', node: '24.1.0', v8: '13.6' },
      ...{ date: '2026-01-02T03:04:05.000Z', load: 0 },
    },
    versions: { heed: undefined, 'onnxruntime-web': '1.30.0' },
    rows: [row],
  };

  it('has the fastest way of each, in 100 columns', () => {
    const lines = renderPeers(report).split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
    const cells = lines.find((line) => line.startsWith('a '))!.replace(/ +/g, ' ');
    expect(cells).toBe('a 4.00 ms 2.00 ms 5.00 ms 2.50 (1.9) – – 3.00 s¹ –');
    expect(lines).toContain('onnxruntime-web 1.30.0');
    expect(lines).toContain('¹ too slow to be sampled: the first call');
  });

  it('has all ways, and in words what went wrong', () => {
    const text = renderPeers(report);
    expect(text).toContain('a, onnxruntime-web:\n  composed 7.00 ms, Attention 5.00 ms\n');
    expect(text).toMatch(/^onnxruntime-web, MultiHeadAttention, a: Integer overflow$/m);
  });

  it('has ways that are in no ratio among all ways only, and says so', () => {
    const aside = { ...outcome('onnxruntime-web', 'packed', 3), aside: true };
    const told = [{ ...row, outcomes: [...outcomes, aside] }];
    expect(ratioOf(told[0]!)).toBe(2.5);
    const text = renderPeers({ ...report, rows: told });
    expect(text).toContain('  composed 7.00 ms, Attention 5.00 ms, packed 3.00 ms²\n');
    expect(text).toMatch(/^² in no ratio: /m);
    expect(renderPeers(report)).not.toContain('²');
  });

  it('marks what is below its bar', () => {
    const red = (bar: number): boolean =>
      renderPeers({ ...report, rows: [{ ...row, bar }] }, true).includes('\u001b[31m2.50');
    expect([2.4, 2.6].map(red)).toEqual([false, true]);
  });

  it('has no ratio where one of the two is missing', () => {
    expect(ratioOf({ outcomes })).toBe(2.5);
    expect(ratioOf({ outcomes: outcomes.filter(({ peer }) => peer === 'heed') })).toBeUndefined();
  });
});

it('a cache of onnxruntime is fed; what is constant, as rows of keys or turned, is aside', () => {
  const task = attention('', { seqQ: 1, seqK: 5, heads: 4, kvHeads: 2, headDim: 3, resident: true }).task();
  const [q, k] = attentionInputs({ options: { seqQ: 1, seqK: 5, heads: 4, kvHeads: 2, headDim: 3 } });
  const ways = programs(task);
  const names = (wanted: (way: (typeof ways)[0]) => boolean): string[] =>
    ways.filter(wanted).map(({ name }) => name);
  const fed = names(({ feeds }) => 'past K' in feeds);
  expect(fed).toEqual(['Attention, past fed', 'GroupQueryAttention, past fed']);
  expect(names(({ aside }) => aside === true)).toEqual([
    'Attention over constants',
    'composed over constants',
    'composed over constants, K turned',
  ]);
  // The third key of the second head, before the last and among all.
  const key = k.subarray((2 * 2 + 1) * 3, (2 * 2 + 2) * 3);
  for (const { name, feeds, constants } of ways) {
    expect([...feeds.Q!.data]).toEqual([...q]);
    if (name.endsWith('turned')) continue;
    const [rows, seq] = fed.includes(name) ? [feeds['past K']!, 4] : [constants!.K!, 5];
    expect(rows.dims).toEqual([1, 2, seq, 3]);
    expect([...rows.data.subarray((seq + 2) * 3, (seq + 3) * 3)]).toEqual([...key]);
    if (seq === 4) expect([...feeds.K!.data]).toEqual([...k.subarray(4 * 2 * 3)]);
  }
});

it.each([
  [['--ful'], /^bench: Unknown option '--ful'\n\nnpm run bench:peers/],
  [['--only', 'nowhere'], /^bench: no row has "nowhere" in its name; there are: matmul 512³;/],
])('arguments %j end the command with a message and exit code 2', (words, message) => {
  const bench = fileURLToPath(new URL('../bench/peers/index.ts', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', bench, ...words], {
    encoding: 'utf8',
  });
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
});
