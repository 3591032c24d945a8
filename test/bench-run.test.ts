/**
 * A run of the benchmark, without its figures: its rows, how they are sampled, and what becomes of one that is wrong or fails.
 *
 * @node the benchmark is a program of Node
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it, vi } from 'vitest';
import { bench, choose } from '../bench/command.ts';
import { kernelGroups } from '../bench/kernels.ts';
import type { ContenderName, Report } from '../bench/report.ts';
import { Roof } from '../bench/roof.ts';
import { groups, uses, type Contender, type Row } from '../bench/rows.ts';
import { shipScripts } from '../bench/shipped.ts';
import { enginesOf, problemOf, run } from '../bench/run.ts';
import { clockOf, fit, interleave, lane, timing } from '../bench/sample.ts';
import { problemsOf, renderTable } from '../bench/table.ts';
import * as heed from '../src/index.ts';
import { builds } from './builds.ts';

const scripts = await shipScripts();

it('a part of the error bound is a problem from 1 on, in words', () => {
  expect(problemOf(1)).toBeUndefined();
  expect(problemOf(12.345)).toBe('is 12.3 times its error bound away from float64');
  expect(problemOf(Infinity)).toMatch(/^is not a number where float64 has one, or differs where/);
});

describe('a run', () => {
  /** A row of one number, 2 where it is right. */
  const row = (name: string, computed: Partial<Record<ContenderName, () => number>>): Row => ({
    ...{ section: 'attention', name, flops: 1, bytes: 0, roof: 'peak', quick: true },
    prepare: () => {
      const contenders = Object.entries(computed).map(([who, compute]): Contender => {
        const out = new Float32Array(1);
        const clock = clockOf(() => (out[0] = compute()));
        return { name: who as ContenderName, order: 'blocks', out, clock };
      });
      const law = { values: Float64Array.of(2), bounds: Float64Array.of(0.5) };
      return {
        contenders,
        check: () => uses(contenders, [{ row: 0, at: 0, out: () => law }]),
        dispose: () => undefined,
      };
    },
  });
  const fails = (): never => {
    throw new RangeError('no memory');
  };
  /** Right for so many calls. */
  const sometimes = (calls: number) => () => (calls-- > 0 ? 2 : fails());
  const rows = [
    row('right', { plain: () => 2, baseline: () => 2.1 }),
    row('plain is wrong', { plain: () => 3, baseline: () => 2 }),
    row('baseline fails', { plain: () => 2, baseline: fails }),
    { ...row('cannot begin', {}), prepare: fails },
    row('fails later', { baseline: sometimes(40) }),
    row('right after it', { plain: () => 2 }),
  ];

  it('times nothing that is wrong or fails, says so, and loses nothing else', async () => {
    const told: string[] = [];
    const report = await run({
      ...{ mode: 'quick', groups: rows.map((each) => [each]), heed, version: '1.2.3', url: scripts },
      ...{ scripts, cold: false, progress: (done, text) => told.push(`${done.toFixed(1)} ${text}`) },
    });
    const found = report.rows.map(({ name, results, problems }) => [name, Object.keys(results), problems]);
    expect(found).toEqual([
      ['right', ['plain', 'baseline'], []],
      [
        'plain is wrong',
        ['baseline'],
        ['what plain computes is 2.00 times its error bound away from float64'],
      ],
      ['baseline fails', ['plain'], ['baseline: RangeError: no memory']],
      ['cannot begin', [], ['RangeError: no memory']],
      ['fails later', [], ['baseline: RangeError: no memory']],
      ['right after it', ['plain'], []],
    ]);
    expect(told.filter((each) => each.startsWith('1.'))).toContain(
      '1.0 attention plain is wrong: checked and warmed up',
    );
    expect(problemsOf({ ...report, problems: ['first calls: none'] })).toHaveLength(5);
    expect(report.problems).toEqual([]);
    const text = renderTable(report);
    for (const each of problemsOf(report)) expect(text).toContain(each);
  });

  it('takes who fails while rows are sampled together out of those, alone', async () => {
    // A short call is settled one by one, and sampled in bursts.
    const inBursts = (row: Row): Row => ({
      ...row,
      prepare: (...given) => {
        const ready = row.prepare(...given);
        const contenders = ready.contenders.map((each): Contender => {
          const { name, order, out, clock } = each;
          if (name !== 'plain') return each;
          return { name, order, out, clock: (calls, before) => (calls > 1 ? fails() : clock(calls, before)) };
        });
        return { ...ready, contenders };
      },
    });
    const group = [
      row('beside', { plain: () => 2, baseline: () => 2 }),
      inBursts({ ...row('fails', { plain: () => 2, baseline: () => 2 }), beside: 'beside' }),
      row('fails while it settles', { plain: sometimes(40), baseline: () => 2 }),
    ];
    const report = await run({
      ...{ mode: 'quick', groups: [group], heed, version: '1.2.3', url: scripts },
      ...{ scripts, cold: false, progress: () => undefined },
    });
    expect(report.rows.map(({ results, problems }) => [Object.keys(results), problems])).toEqual([
      [['plain', 'baseline'], []],
      [['baseline'], ['plain: RangeError: no memory']],
      [['baseline'], ['plain: RangeError: no memory']],
    ]);
    expect(report.rows[1]!.results.baseline!.ratio).toBeGreaterThan(0);
  });

  it('samples who is compared in reading alike, and no two loops read one array', async () => {
    const milliseconds = { baseline: 0.1, relaxed: 0.04 };
    const asked: string[] = [];
    const contend = (name: keyof typeof milliseconds): Contender => ({
      ...{ name, order: 'blocks', out: Float32Array.of(2) },
      clock: (calls, before) => {
        if (before !== undefined) asked.push(`${name}: ${calls} behind ${before}`);
        return calls * milliseconds[name];
      },
    });
    const reading: Row = {
      ...{ ...row('reads', {}), bytes: 70000, roof: 'read' },
      prepare: () => {
        const contenders = [contend('baseline'), contend('relaxed')];
        return { contenders, check: () => uses(contenders, []), dispose: () => undefined };
      },
    };
    const read = vi.spyOn(Roof.prototype, 'read');
    const report = await run({
      ...{ mode: 'quick', groups: [[reading]], heed, version: '1.2.3', url: scripts },
      ...{ scripts, cold: false, progress: () => undefined },
    });
    expect(new Set(asked)).toEqual(new Set(['baseline: 4 behind 1', 'relaxed: 4 behind 1']));
    const places = read.mock.calls.flatMap(([{ at, bytes }, streams]) =>
      bytes === 70000 ? [`${streams!} at ${at}`] : [],
    );
    expect(new Set(places)).toEqual(new Set(['1 at 0', `4 at ${2 * 65536}`]));
    read.mockRestore();
    const { baseline } = report.rows[0]!.roofs;
    expect(baseline).toMatchObject({ peak: undefined, readBytes: 70000, readShared: false });
    expect(baseline!.read).toBeGreaterThan(0);
  });

  it('ends with exit code 1 then, and its figures are written', async () => {
    const file = `${tmpdir()}/heed-bench-${process.pid}.json`;
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    const command = { name: 'bench', url: scripts, load: () => Promise.resolve({ heed, scripts }) };
    const words = ['--only', 'attention', '--json', file];
    expect(await bench(words, { ...command, groups: [[rows[0]!], [rows[1]!]] })).toBe(1);
    const { rows: written } = JSON.parse(readFileSync(file, 'utf8')) as Report;
    expect(written[0]!.results.baseline!.timing.p50).toBeGreaterThan(0);
    expect(log).toHaveBeenCalledTimes(1);
    const right = { ...(JSON.parse(readFileSync(file, 'utf8')) as Report), rows: [written[0]] };
    writeFileSync(file, JSON.stringify(right));
    expect(await bench(['--from', file], { ...command, groups: [rows] })).toBe(0);
    rmSync(file);
    log.mockRestore();
  });
});

describe('rows', () => {
  const all = [...kernelGroups, ...groups];
  const named = (name: string) => all.flat().find((row) => row.name === name)!;

  it('have a name of their own in their section, and stand beside one of their group', () => {
    const names = all.flat().map(({ section, name }) => `${section} ${name}`);
    expect(new Set(names).size).toBe(names.length);
    for (const group of all) {
      for (const { beside } of group) {
        if (beside !== undefined) expect(group.map(({ name }) => name)).toContain(beside);
      }
    }
  });

  it('know what limits them', () => {
    for (const { name, flops, bytes, roof } of all.flat()) {
      expect(flops > 0, name).toBe(roof !== 'read' || !name.includes('GB/s'));
      expect(bytes > 0, name).toBe(roof !== 'peak');
    }
    // 32 query heads and 8 key heads of 128: each key and each value is read once, and used by four queries.
    expect(named('32/8 × 128, 4096 keys')).toMatchObject({
      ...{ bytes: 2 * 4096 * 8 * 128 * 4, flops: 2 * 2 * 4096 * 32 * 128, roof: 'sum' },
    });
    // Four projections, QKᵀ and PV.
    expect(named('768/12, S = 128').flops).toBe(2 * 4 * 128 * 768 * 768 + 2 * 2 * 128 * 128 * 768);
  });

  it('are chosen by mode or by name, with those that they stand beside', () => {
    const names = (...args: [mode: 'quick' | 'full', only?: string]): string[] =>
      choose(all, ...args).flatMap((group) => group.map(({ name }) => name));
    expect(names('full')).toEqual(all.flat().map(({ name }) => name));
    expect(names('quick')).toEqual(
      all.flatMap((group) => group.filter(({ quick }) => quick)).map(({ name }) => name),
    );
    expect(names('quick', 'S = 1024 causal')).toEqual(['12 × 64, S = 1024', '12 × 64, S = 1024 causal']);
    expect(names('quick', 'options softcap')).toEqual(['none, S = 1024', 'softcap']);
    expect(names('quick', 'no such')).toEqual([]);
    for (const section of ['kernels', 'matmul', 'attention', 'layer', 'decoding']) {
      expect(
        choose(all, 'quick')
          .flat()
          .map((row) => row.section),
      ).toContain(section);
    }
  });

  it.each([
    ['1 × 768 × 768 packed', ['reference', 'plain', ...builds], 101],
    ['1 × 768 × 768 tensor', [...builds], 101],
    ['2 × 16, S = 8', ['reference', 'plain', ...builds], 1],
    ['12 × 64, S = 512 no out', [...builds], 1001],
    ['softcap', [...builds], 5001],
    ['causal window of 256', [...builds], 20001],
    ['768/12, S = 128', [...builds], 101],
    ['32/8 × 128, 4096 keys', [...builds], 7],
    ['32/8 × 128, 4096 f16', [...builds], 7],
    ['512³, tensors', [...builds], 101],
  ])('%s gives every contender, and each passes its check', async (name, names, stride) => {
    const engines = await enginesOf(heed);
    expect([...engines.keys()].sort()).toEqual([...builds].sort());
    const { contenders, check, dispose } = named(name).prepare({ heed, engines, scripts }, true);
    expect(contenders.map((each) => each.name).sort()).toEqual(names.sort());
    for (const part of check(stride).values()) expect(part).toBe(Infinity);
    for (const { clock } of contenders) clock(1);
    for (const part of check(stride).values()) expect(part).toBeLessThanOrEqual(1);
    for (const { out } of contenders) out[out.length - 1]! += 1;
    for (const part of check(stride).values()) expect(part).toBeGreaterThan(1);
    dispose();
    for (const engine of engines.values()) {
      expect(engine.memory.used).toBe(0);
      engine.dispose();
    }
  });
});

describe('samples', () => {
  it('are taken in turn, slow ones spread between the rounds', () => {
    const order: string[] = [];
    const of = (name: string) => {
      const clock = (calls: number, before = 0): number => {
        for (let i = 0; i < before; i++) order.push(name.toLowerCase());
        for (let i = 0; i < calls; i++) order.push(name);
        return calls;
      };
      return lane(clock, 50);
    };
    const done: number[] = [];
    interleave([of('A'), of('B')], 4, [of('S')], 2, (part) => done.push(part));
    expect(order.join('')).toBe('SABBASABBA');
    expect(done).toEqual([0.25, 0.5, 0.75, 1]);
  });

  it('of short calls are means over a burst, and come after calls that are not counted', () => {
    const asked: [number, number | undefined][] = [];
    const clock = (calls: number, before?: number): number => {
      asked.push([calls, before]);
      return 3 * calls;
    };
    const lanes = [lane(clock, 0.01), lane(clock, 1), lane(clock, 50)];
    interleave(lanes, 1, [], 0);
    expect(asked).toEqual([
      [40, 10],
      [1, 3],
      [1, 0],
    ]);
    const round = 0.01 * 50 + 1 * 4 + 50;
    expect(fit(20 * round, [5, 100], lanes)).toBe(20);
    expect(fit(round, [5, 100], lanes)).toBe(5);
    expect(fit(1e6, [5, 100], lanes)).toBe(100);
    expect(fit(1e6, [5, 100], [])).toBe(0);
    expect(lanes.map(({ samples }) => samples)).toEqual([[3], [3], [3]]);
  });

  it('are summed up by tinybench', () => {
    expect(timing([5, 1, 4, 2, 3])).toEqual({ p50: 3, p75: 4, min: 1, n: 5 });
    expect(() => timing([])).toThrow('no samples');
  });
});
