/**
 * The benchmark of threads, without timing anything: its rows, its loops, its empty jobs, its tables, its bars.
 *
 * @node the benchmark is a program of Node
 */
import { describe, expect, it } from 'vitest';
import { renderBars } from '../bench/bars.ts';
import { EmptyJobs, RoundTrip } from '../bench/threads/empty.ts';
import { figures } from '../bench/threads/figures.ts';
import { figureBars, holdThreads, partBars } from '../bench/threads/bars.ts';
import { Loops } from '../bench/threads/loops.ts';
import { ofRoof, speedup, type PairReport, type ThreadsReport, type Times } from '../bench/threads/report.ts';
import { groups, type PairRow } from '../bench/threads/rows.ts';
import { runGroup, sameBits } from '../bench/threads/run.ts';
import { gridsOf, markdownThreads, problemsOf, renderThreads } from '../bench/threads/table.ts';
import { shipThreads } from '../bench/shipped.ts';
import * as heed from '../src/index.ts';

const [loopScript, emptyScript] = [await shipThreads('loops'), await shipThreads('empty')];
const rows = new Map(groups.flat().map((row) => [`${row.section} ${row.name}`, row]));

describe('rows', () => {
  it('have names of their own, and those of a group one roof', () => {
    expect(rows.size).toBe(groups.flat().length);
    for (const group of groups) expect(new Set(group.map(({ roof }) => roof)).size).toBe(1);
  });

  it('are what the bars are of', () => {
    for (const { row } of partBars) expect(rows.get(row)?.roof, row).toBeDefined();
    const sections = figures.map(({ section }) => section);
    for (const { row } of figureBars) expect(sections.some((section) => row.startsWith(section))).toBe(true);
  });

  it.each([...rows].filter(([name]) => /^small, back to back .*(S = 40|128³|256 keys)$/.test(name)))(
    '%s gives the same bits on two threads',
    async (_, row) => {
      const outs: Float32Array[] = [];
      for (const threads of [1, 2]) {
        const engine = await heed.createEngine({ threads, simd: 'baseline' });
        const call = row.prepare(engine, heed);
        call.run();
        outs.push(call.out().slice());
        engine.dispose();
      }
      expect(outs[0]!.some(Number.isNaN)).toBe(false);
      expect(sameBits(outs[0]!, outs[1]!)).toBe(true);
    },
  );

  it('that compute other bits on two threads are not timed, and are told', async () => {
    const row = groups[0]![0]!;
    const own = ({ features }: heed.Engine): Float32Array => Float32Array.of(features.threads);
    const wrong: PairRow = {
      ...row,
      prepare: (engine) => ({ run: () => undefined, out: () => own(engine) }),
    };
    const [result] = await runGroup(heed, 'baseline', [wrong], loopScript, 'quick');
    expect(result).toMatchObject({ times: {}, problem: '2 threads compute other bits than one' });
  });
});

it('bits are told apart where numbers are not', () => {
  expect(sameBits(Float32Array.of(0, NaN), Float32Array.of(0, NaN))).toBe(true);
  expect(sameBits(Float32Array.of(0), Float32Array.of(-0))).toBe(false);
  expect(sameBits(Float32Array.of(0), Float32Array.of(0, 0))).toBe(false);
});

it('the loops run on this thread, on two, and over arrays of their own', () => {
  const loops = new Loops('baseline', loopScript);
  const [first, second] = [loops.array(3 * 2 ** 20), loops.array(1)];
  expect(second.at).toBe(first.at + 3 * 2 ** 20);
  for (const threads of [1, 2] as const) {
    expect(loops.peak(threads, 3)).toBeGreaterThan(0);
    expect(loops.read(threads, first)).toBeGreaterThan(0);
  }
  loops.clear();
  expect(loops.array(1).at).toBe(first.at);
  loops.dispose();
});

describe('an empty job', () => {
  it('is done by both threads of a pool, again and again', async () => {
    const jobs = await EmptyJobs.start();
    for (let i = 0; i < 100; i++) jobs.run();
    jobs.stop();
  });

  it('stands beside a round trip that comes back', () => {
    const trip = new RoundTrip(emptyScript);
    for (let i = 0; i < 100; i++) trip.run();
    trip.stop();
  });
});

// ---- tables and bars, of a fixed run ----

const timing = (p50: number): Times[number] => ({ p50, p75: p50, min: p50, n: 9 });
const times = (one: number, two: number): Times => ({ 1: timing(one), 2: timing(two) });
const pair = (
  section: string,
  name: string,
  roof: PairReport['roof'],
  results: PairReport['results'],
): PairReport => ({ kind: 'pair', section, name, roof, results });

const report: ThreadsReport = {
  kind: 'threads',
  version: '1.2.3',
  mode: 'full',
  machine: {
    ...{ cpu: 'Abacus', cores: 2, system: 'linux x64', node: '24.1.0', v8: '13.6' },
    ...{ date: '2026-01-02T03:04:05.000Z', load: 0 },
  },
  builds: ['baseline', 'relaxed'],
  rows: [
    pair('attention', '12 × 64, S = 512', 'peak', {
      baseline: { times: times(20, 10.5), roof: times(4, 2) },
      relaxed: { times: times(16, 9), roof: times(4, 2) },
    }),
    pair('attention', '12 × 64, S = 1024', 'peak', {
      baseline: { times: {}, roof: times(4, 2), problem: '2 threads compute other bits than one' },
    }),
    pair('small, after 1 ms', '80³', undefined, {
      baseline: { times: times(1, 1.02), roof: undefined },
      relaxed: { times: times(1, 1.04), roof: undefined },
    }),
    pair('more threads than cores', '512³', undefined, {
      baseline: { times: { ...times(8, 4), 8: timing(5) }, roof: undefined },
      relaxed: { times: { ...times(6, 4), 8: timing(6) }, roof: undefined },
    }),
    {
      ...{ kind: 'figure', section: 'an empty job', name: 'back to back' },
      ...{ beside: 'a bare round trip', value: 0.012, other: 0.004 },
    },
    {
      ...{ kind: 'figure', section: 'an empty job', name: 'after 5 ms' },
      ...{ beside: 'a bare round trip', value: 0.16, other: 0.1 },
    },
    {
      ...{ kind: 'figure', section: 'idle workers', name: 'CPU in the 10 ms after a job' },
      ...{ beside: 'an engine of one thread', value: 0.25, other: 0.2 },
    },
  ],
};

it('a speed-up is one thread by more, and its part of the roof is of theirs', () => {
  const { results } = report.rows[0] as PairReport;
  expect(speedup(times(20, 10))).toBe(2);
  expect(speedup(times(20, 10), 4)).toBeUndefined();
  expect(ofRoof(results.relaxed!)).toBeCloseTo(16 / 9 / 2, 12);
});

describe('the tables', () => {
  it('have a section each, pairs of builds, and what is missing as a dash', () => {
    const [attention, small, crowd, empty] = gridsOf(report);
    expect(attention!.heads).toEqual(['attention', 'one thread', 'two', 'speed-up', 'of peak', 'part']);
    expect(attention!.rows).toEqual([
      [
        '12 × 64, S = 512',
        '20.0 ms / 16.0 ms',
        '10.5 ms / 9.00 ms',
        '1.90 / 1.78',
        '2.00 / 2.00',
        '0.95 / 0.89',
      ],
      ['12 × 64, S = 1024', '– / –', '– / –', '– / –', '2.00 / –', '– / –'],
    ]);
    expect(small!.rows).toEqual([['80³', '1.00 ms / 1.00 ms', '1.02 ms / 1.04 ms', '1.02 / 1.04']]);
    expect(crowd!.heads.slice(2)).toEqual(['× with 2', '× with 8']);
    expect(crowd!.rows[0]!.slice(2)).toEqual(['2.00 / 1.50', '1.60 / 1.00']);
    expect(empty!.rows[0]).toEqual(['back to back', '12.0 µs', 'a bare round trip', '4.00 µs', '3.00']);
  });

  it('say what went wrong', () => {
    const problem = 'attention 12 × 64, S = 1024, baseline: 2 threads compute other bits than one';
    expect(problemsOf(report)).toEqual([problem]);
    expect(renderThreads(report)).toContain(problem);
  });

  it('tell where other programs were running', () => {
    const alone = { times: times(4, 2), roof: times(4, 2.1) };
    const crowded = { times: times(4, 2), roof: times(4, 2.5) };
    const rows = [
      pair('attention', 'a', 'peak', { baseline: alone, relaxed: alone }),
      pair('attention', 'b', 'peak', { baseline: alone, relaxed: crowded }),
      pair('small', 'c', undefined, { baseline: { times: times(1, 1), roof: undefined } }),
    ];
    expect(renderThreads({ ...report, rows })).toContain('Loops beside b had less than 1.8 cores');
    expect(renderThreads({ ...report, rows: rows.slice(0, 1) })).not.toContain('Loops beside');
  });

  it('are of each Node in a page, with the notes once', () => {
    const page = markdownThreads([report, { ...report, machine: { ...report.machine, node: '20.1.0' } }]);
    expect(page.match(/^Abacus, 2 cores .* Node (24|20)\.1\.0 .*$/gm)).toHaveLength(2);
    expect(page.match(/Times are medians/g)).toHaveLength(1);
    expect(page).toContain('| 12 × 64, S = 512 | 20.0 ms / 16.0 ms |');
  });
});

it('the bars are held by build, and figures once', () => {
  const held = holdThreads(report);
  const of = (what: string): string[] =>
    held
      .filter((each) => each.what === what)
      .map(({ run, reached, bar, met }) => `${run}: ${reached}, ${bar}, ${String(met)}`);
  expect(of('attention 12 × 64, S = 512')).toEqual([
    'Node 24 baseline: 0.95, ≥ 0.95 × that of peak, true',
    'Node 24 relaxed: 0.89, ≥ 0.95 × that of peak, false',
  ]);
  expect(of('attention 12 × 64, S = 1024')[0]).toMatch(/not measured.*undefined$/);
  expect(of('small, after 1 ms 80³')).toEqual([
    'Node 24 baseline: 1.02, ≤ 1.03 × one thread, true',
    'Node 24 relaxed: 1.04, ≤ 1.03 × one thread, false',
  ]);
  expect(of('an empty job back to back')).toEqual(['Node 24: 12.00, ≤ 20 µs, true']);
  expect(of('an empty job after 5 ms')).toEqual(['Node 24: 1.60, ≤ 1.5 × a bare round trip, false']);
  expect(of('an empty job after 50 ms')).toEqual([
    'Node 24: not measured, ≤ 1.5 × what it stands beside, undefined',
  ]);
  expect(of('idle workers CPU in the 10 ms after a job')).toEqual([
    'Node 24: 50.00, ≤ 100 µs more than an engine of one thread, true',
  ]);
  expect(renderBars(held)).toMatch(/\n\n4 met, 3 missed$/);
});
