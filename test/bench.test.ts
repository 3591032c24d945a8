/**
 * The benchmark, without timing anything: its plain loops, its check, its rows, its table, its chart, its arguments.
 *
 * @node the benchmark is a program of Node
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { TILE_4X8, TILE_6X8 } from '../common/abi.ts';
import { parseArguments } from '../bench/arguments.ts';
import { drawChart } from '../bench/chart.ts';
import { bench, choose, read } from '../bench/command.ts';
import { Bed, kernelGroups, kernels, prepareKernel } from '../bench/kernels.ts';
import { plainAttention, plainMatmul, type PlainCall, type PlainMatmul } from '../bench/plain-loops.ts';
import { fill, markdownReport } from '../bench/markdown.ts';
import type { ContenderName, Report, Result } from '../bench/report.ts';
import { CHAINS } from '../bench/roof-loops.ts';
import { Roof, RoofMemory, STREAMS } from '../bench/roof.ts';
import { groups, uses, type Contender, type Row } from '../bench/rows.ts';
import { ScriptThread } from '../bench/script-thread.ts';
import { shipScripts } from '../bench/shipped.ts';
import { enginesOf, problemOf, run } from '../bench/run.ts';
import { clockOf, fit, interleave, lane, timing } from '../bench/sample.ts';
import { milliseconds, NO_RELAXED, problemsOf, renderTable } from '../bench/table.ts';
import * as heed from '../src/index.ts';
import { matmul } from '../src/reference.ts';
import { attentionInputs, matmulInputs } from './cases.ts';
import type { AttentionCase, MatmulCase } from './cases.ts';
import { builds } from './builds.ts';
import { normal } from './data.ts';
import type { TestingExports } from './kernels/harness.ts';
import { attentionLaw, every, matmulLaw } from './laws.ts';

const scripts = await shipScripts();

const attentions: readonly AttentionCase<PlainCall>[] = [
  { name: 'one query, one key', options: { seqQ: 1, headDim: 1 } },
  { name: 'cross', options: { seqQ: 7, seqK: 101, heads: 3, headDim: 20, valueDim: 5, batch: 2 } },
  { name: 'groups, causal', options: { seqQ: 30, seqK: 33, heads: 4, kvHeads: 2, headDim: 8, causal: true } },
  { name: 'a query that sees no key', options: { seqQ: 9, seqK: 5, headDim: 8, causal: true } },
];

const matmuls: readonly MatmulCase<PlainMatmul>[] = [
  { name: '1 × 1 × 1', options: { M: 1, N: 1, K: 1 } },
  { name: 'tails', options: { M: 13, N: 29, K: 300 } },
];

describe('plain loops', () => {
  it.each(attentions)('attention, $name', (spec) => {
    const inputs = attentionInputs(spec);
    const { batch = 1, heads = 1, seqQ, headDim, valueDim = headDim } = spec.options;
    const out = new Float32Array(batch * seqQ * heads * valueDim).fill(NaN);
    expect(plainAttention(...inputs, spec.options, out)).toBe(out);
    const most = uses([{ name: 'plain', out, order: 'chain' }], attentionLaw(...inputs, spec.options));
    expect(most.get('plain')).toBeLessThanOrEqual(1);
  });

  it.each(matmuls)('matmul, $name', (spec) => {
    const [a, b] = matmulInputs(spec);
    const out = new Float32Array(spec.options.M * spec.options.N).fill(NaN);
    expect(plainMatmul(a, b, spec.options, out)).toBe(out);
    const most = uses([{ name: 'plain', out, order: 'chain' }], matmulLaw(a, b, spec.options));
    expect(most.get('plain')).toBeLessThanOrEqual(1);
  });
});

describe('plain JavaScript in its thread', () => {
  const [a, b] = [Float32Array.of(1, 2), Float32Array.of(3, 4)];

  it('computes, counts what it is asked to count, and gives what it wrote last', () => {
    const call = { M: 1, N: 1, K: 2 };
    const thread = new ScriptThread({ kind: 'matmul', inputs: [a, b], call }, scripts);
    expect(thread.result('plain')).toEqual(Float32Array.of(NaN));
    expect(thread.clock('plain')(100, 10)).toBeGreaterThan(0);
    thread.clock('reference')(1);
    expect(thread.result('plain')).toEqual(Float32Array.of(11));
    expect(thread.result('reference')).toEqual(Float64Array.of(11));
    thread.dispose();
  });

  it('says what was thrown there', () => {
    const call = { seqQ: 3, headDim: 1 };
    const thread = new ScriptThread({ kind: 'attention', inputs: [a, b, a], call }, scripts);
    expect(() => thread.clock('reference')(1)).toThrow(/HeedRangeError: .*"q"/);
    thread.dispose();
  });

  it('may die, and takes nobody with it', async () => {
    const call = { M: 1, N: 1, K: 2 };
    const dies = new URL('data:text/javascript,throw new Error("no module")');
    const thread = new ScriptThread({ kind: 'matmul', inputs: [a, b], call }, dies);
    await vi.waitFor(() => {
      expect(thread.death).toBe('no module');
    }, 10e3);
    expect(() => thread.clock('plain')(1)).toThrow('the thread of plain JavaScript has died: no module');
    thread.dispose();
  });
});

it('the check tells each contender its worst element', () => {
  const options = { M: 9, N: 4, K: 40 };
  const [a, b] = matmulInputs({ name: '', options });
  const right = matmul(a, b, options);
  const wrong = right.map((x, i) => (i === right.length - 1 ? x + 1e-3 : x));
  const missing = right.map((x, i) => (i === 0 ? NaN : x));
  const contenders = [
    { name: 'reference', out: right, order: 'chain' },
    { name: 'plain', out: wrong, order: 'chain' },
    { name: 'baseline', out: missing, order: 'blocks' },
  ] as const;
  const most = uses(contenders, matmulLaw(a, b, options, every(7, 9)));
  expect(most.get('reference')).toBe(0);
  expect(most.get('plain')).toBeGreaterThan(1);
  expect(most.get('baseline')).toBe(Infinity);
});

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

it('plain loops can be given no option that they do not know', () => {
  const { options } = { options: { seqQ: 1, headDim: 1, causal: true } };
  const known: PlainCall = options;
  // @ts-expect-error Computed without a window, it would be another result.
  const windowed: PlainCall = { ...options, window: [255, 0] };
  const cases: readonly AttentionCase[] = [{ name: '', options }];
  // @ts-expect-error Nor can a case of which that is not known.
  const unknown: PlainCall = cases[0]!.options;
  expect([known, windowed, unknown]).toHaveLength(3);
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

describe.each(builds)('roof loops, %s', (build) => {
  const roof = new Roof(build);

  it.each(CHAINS)('%i chains count what they do', (chains) => {
    const flops = roof.peak(chains);
    expect(flops % (8 * chains)).toBe(0);
    expect(flops / 8e6).toBeCloseTo(1, 3);
    expect(roof.sink).not.toBe(0);
    expect(roof.sink).not.toBeNaN();
  });

  it.each(STREAMS)('%i streams read the same bytes: the exclusive or of all is the same', (streams) => {
    const words = new Uint32Array(Float32Array.from(normal(65536 / 4, 1)).buffer);
    const bytes = 2 ** 20 + 12 * 1024;
    const array = roof.memory.array(bytes);
    expect(array.bytes).toBe(bytes);
    let expected = 0;
    for (let at = 0; at < bytes / 4; at++) expected ^= words[at % words.length]!;
    const before = roof.sink;
    expect(roof.read(array, streams)).toBe(bytes);
    expect(roof.sink - before).toBeCloseTo(expected | 0, -4);
  });
});

describe('the arrays that are read', () => {
  it('lie one behind the other, and are shared where memory is short', () => {
    const memory = new RoofMemory();
    expect(memory.array(100000)).toEqual({ at: 0, bytes: 100000, shared: false });
    expect(memory.array(10)).toEqual({ at: 2 * 65536, bytes: 10, shared: false });
    expect(memory.memory.buffer.byteLength).toBe(3 * 65536);
    expect(new Float32Array(memory.memory.buffer).every((x) => x !== 0)).toBe(true);
    vi.spyOn(memory, 'free').mockReturnValue(65536);
    expect(memory.array(65536)).toEqual({ at: 0, bytes: 65536, shared: true });
    vi.spyOn(memory, 'free').mockReturnValue(Infinity);
    expect(memory.array(2 ** 33)).toEqual({ at: 0, bytes: 3 * 65536, shared: true });
    memory.clear();
    expect(memory.array(2 ** 33)).toEqual({ at: 0, bytes: 3 * 65536, shared: false });
    expect(memory.array(3 * 65536)).toEqual({ at: 3 * 65536, bytes: 3 * 65536, shared: false });
    memory.clear();
    vi.spyOn(memory, 'free').mockReturnValue(0);
    expect(memory.array(2 ** 33)).toEqual({ at: 0, bytes: 6 * 65536, shared: false });
    expect(memory.array(1)).toEqual({ at: 0, bytes: 1, shared: true });
  });
});

describe.each(builds)('kernels alone, %s', (build) => {
  /** Which function a row calls, and the argument that says how many steps it takes. */
  const called: Readonly<Record<string, readonly [name: keyof TestingExports, steps: number]>> = {
    'tiles, k = 64': ['rowsAdd', 6],
    'tiles, k = 256': ['rowsAdd', 6],
    'tiles of Aᵀ, k = 64': ['columnsAdd', 6],
    'tiles of Aᵀ, k = 256': ['columnsAdd', 6],
    'softmax, 96 keys × 8': ['f32SoftmaxOnline', 1],
    'pack 8 columns, GB/s': ['f32Pack', 2],
    'pack 8 rows, GB/s': ['f32RowsToPanel', 1],
    'rope, 32 × 128, GB/s': ['f32RopeSplit', 4],
  };
  /** The tile of six rows too, wherever the build has it. */
  const tile = build === 'relaxed' ? TILE_6X8 : TILE_4X8;

  it('are all here', () => {
    expect(kernels.map(({ name }) => name)).toEqual(Object.keys(called));
  });

  it.each(kernels)('$name passes its check, and no wrong kernel does', ({ name, make }) => {
    /** What part of its bound the row uses after one run, with each call going through `replace`. */
    const used = (
      replace: (kernel: (...args: number[]) => void, args: number[]) => void,
      off = 0,
    ): number => {
      const [key] = called[name]!;
      const change = (exports: TestingExports): TestingExports => {
        const kernel = (...args: number[]): void => {
          (exports[key] as (...args: number[]) => void)(...args);
        };
        return {
          ...exports,
          [key]: (...args: number[]) => {
            replace(kernel, args);
          },
        };
      };
      const { contenders, check } = prepareKernel(make(), new Map([[build, new Bed(build, tile, change)]]));
      const [{ clock, out }] = contenders as [(typeof contenders)[0]];
      clock(1);
      out[out.length - 1]! += off;
      return check(1).get(build)!;
    };
    const steps = called[name]![1];
    expect(
      used((kernel, args) => {
        kernel(...args);
      }),
    ).toBeLessThanOrEqual(1);
    // A stub, one step too few, and one element off.
    expect(used(() => undefined)).toBeGreaterThan(1);
    expect(
      used((kernel, args) => {
        kernel(...args.with(steps, args[steps]! - 1));
      }),
    ).toBeGreaterThan(1);
    expect(
      used((kernel, args) => {
        kernel(...args);
      }, 0.01),
    ).toBeGreaterThan(1);
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

describe('the table', () => {
  const result = (p50: number, rate: number, percent?: number, ratio?: number): Result => ({
    timing: { p50, p75: p50, min: p50, n: 9 },
    ...{ first: 2 * p50, rate, percent, ratio, errorOfBound: 0.1 },
  });
  const chains = { 8: 50, 9: 51, 10: 52, 12: 53 };
  const read = [{ bytes: 2 ** 21, rate: 80 }];
  const roof = { peak: 53, read: undefined, readBytes: undefined };
  const report: Report = {
    ...{ version: '1.2.3', mode: 'quick' },
    machine: {
      ...{ cpu: 'Abacus', cores: 1, system: 'linux x64', node: '24.1.0', v8: '13.6' },
      ...{ date: '2026-01-02T03:04:05.000Z', load: 0 },
    },
    builds: ['baseline', 'relaxed'],
    roofs: [
      { build: 'baseline', peak: 53, chains, read },
      { build: 'relaxed', peak: 53, chains, read },
    ],
    rows: [
      {
        ...{ section: 'attention', name: 'twelve heads', flops: 1e9, bytes: 0, roof: 'peak' },
        ...{ roofs: { baseline: roof, relaxed: roof }, beside: undefined, checkedEvery: 1, core: 1 },
        problems: [],
        results: {
          reference: result(5000, 0.2),
          plain: result(900, 1.1),
          baseline: result(30, 33.3, 63),
          relaxed: result(0.45, 48, 88),
        },
      },
    ],
    ...{ cold: undefined, problems: [] },
  };
  const [row] = report.rows as [(typeof report.rows)[0]];

  it('has every value, in 100 columns', () => {
    const lines = renderTable(report).split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
    expect(lines[0]).toBe('Abacus, 1 core · linux x64 · Node 24.1.0 (V8 13.6)');
    expect(lines[1]).toBe(
      'one thread · peak 53.0 GFLOP/s baseline, 53.0 GFLOP/s relaxed · read 80 GB/s of 2 MB',
    );
    expect(lines[2]).toBe('heed 1.2.3 · 2026-01-02 · quick run · load 0.0 before it');
    const line = lines.find((each) => each.startsWith('twelve'))!;
    expect(line.replace(/ +/g, ' ')).toBe(
      'twelve heads 5.00 s 900 ms 30.0 ms 450 µs 33.3 / 48.0 63 / 88 30 / 2000',
    );
    expect(renderTable(report)).not.toContain(NO_RELAXED);
    expect(renderTable(report)).not.toContain('side by side');
  });

  it('leaves out who did not contend', () => {
    const { baseline, relaxed } = row.results as Required<typeof row.results>;
    const lines = renderTable({ ...report, rows: [{ ...row, results: { baseline, relaxed } }] }).split('\n');
    expect(lines.find((each) => each.startsWith('attention'))).not.toMatch(/plain f32|reference/);
    const line = lines.find((each) => each.startsWith('twelve'))!;
    expect(line.replace(/ +/g, ' ')).toBe('twelve heads 30.0 ms 450 µs 33.3 / 48.0 63 / 88 –');
  });

  it('puts side by side what was compared, and cold starts', () => {
    const causal = {
      ...{ ...row, name: 'causal', beside: 'twelve heads', roof: 'sum' as const },
      results: { baseline: result(15, 33, 80, 0.5), relaxed: result(0.3, 40, 90, 0.667) },
    };
    const cold = { build: 'relaxed', first: 150, settled: 100, small: 12.34 } as const;
    const lines = renderTable({ ...report, rows: [row, causal], cold }).split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
    const after = lines
      .slice(lines.findIndex((line) => line.startsWith('side by side')))
      .map((line) => line.replace(/ +/g, ' '));
    expect(after[0]).toBe('side by side compared with baseline relaxed');
    expect(after).toContain('causal twelve heads 0.50 0.67');
    expect(after).toContain('first call in a new process, S = 1024 once settled 1.50');
    expect(after).toContain('import and first small result in one 12.3 ms');
    expect(lines.find((line) => line.startsWith('causal'))).toContain('80 / 90ˢ');
    expect(after.some((line) => line.startsWith('ˢ reading the cache once'))).toBe(true);
  });

  it('has rates of kernels, and says what they count', () => {
    const { baseline, relaxed } = row.results as Required<typeof row.results>;
    const moved = { ...row, section: 'kernels', flops: 0, results: { baseline, relaxed } };
    const lines = renderTable({ ...report, rows: [{ ...moved, roof: 'read' }] }).split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
    const line = lines.find((each) => each.startsWith('twelve'))!;
    expect(line.replace(/ +/g, ' ')).toMatch(/ 30.0 ms 450 µs 33.3 \/ 48.0 63 \/ 88ʳ –$/);
    expect(lines.some((line) => line.startsWith('kernels: the widest tile'))).toBe(true);
    expect(renderTable(report)).not.toContain('widest tile');
  });

  it('says when other programs were in the way', () => {
    const text = 'Other programs held the core for up to 40 % of a row';
    expect(renderTable(report)).not.toContain(text);
    expect(renderTable({ ...report, rows: [row, { ...row, core: 0.6 }] })).toContain(text);
  });

  it('says where memory was short for what was read', () => {
    const of = (readBytes: number, readShared: boolean): string => {
      const read = { peak: 53, read: 20, readBytes, readShared };
      const roofs = { baseline: read, relaxed: read };
      return renderTable({ ...report, rows: [{ ...row, roof: 'sum', bytes: 2 ** 29, roofs }] });
    };
    const text = 'attention twelve heads: short of memory for 512 MB a loop; ';
    expect(of(2 ** 26, true)).toContain(`${text}read was taken of 64 MB, its loops read one array`);
    expect(of(2 ** 29, true)).toContain(`${text}its loops read one array`);
    expect(of(2 ** 29, false)).not.toContain('short of memory');
  });

  it('goes into a page between its markers, whole or as the rows that are named there', async () => {
    const file = `${tmpdir()}/heed-bench-${process.pid}.md`;
    const page = (more: string, inside: string): string =>
      `# Page\n\n<!-- bench${more} -->\n${inside}\n<!-- /bench -->\n\nAfter.\n`;
    writeFileSync(file, page('', '\nold\n') + page(': attention twelve heads', ''));
    const filled = (): Promise<string | undefined> =>
      fill(file, 'bench', (names) => markdownReport(report, names));
    expect(await filled()).toBeUndefined();
    const text = readFileSync(file, 'utf8');
    expect(text).not.toContain('old');
    expect(text.match(/^After\.$/gm)).toHaveLength(2);
    expect(text.replace(/ +/g, ' ')).toContain('| twelve heads | 5.00 s | 900 ms | 30.0 ms | 450 µs |');
    expect(text.replace(/ +/g, ' ')).toContain('| attention twelve heads | 5.00 s | 900 ms |');
    expect(await filled()).toBeUndefined();
    expect(readFileSync(file, 'utf8')).toBe(text);
    writeFileSync(file, '# Page\n');
    expect(await filled()).toMatch(/has no place for it: <!-- bench -->/);
    expect(() => markdownReport(report, 'matmul none')).toThrow('the run has no row "matmul none"');
    rmSync(file);
  });

  it('says what relaxed needs where it cannot run', () => {
    const { relaxed, ...results } = row.results;
    expect(relaxed).toBeDefined();
    const one: Report = { ...report, builds: ['baseline'], rows: [{ ...row, results }] };
    const lines = renderTable(one).split('\n');
    expect(lines.at(-1)).toBe('relaxed: needs Node ≥ 22');
    const cells = lines.find((line) => line.startsWith('twelve'))!.replace(/ +/g, ' ');
    expect(cells).toMatch(/ 900 ms 30.0 ms 33.3 63 30$/);
  });

  it('is a chart too: a bar and its per cent a build, in an SVG that stands alone', () => {
    const small = { ...row, name: 'too small', flops: 100 };
    const other = { ...row, section: 'options', name: 'elsewhere' };
    const svg = drawChart({ ...report, rows: [row, small, other] });
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"[^]*<\/svg>\n$/);
    const texts = [...svg.matchAll(/<text[^>]*>([^<]+)</g)].map(([, text]) => text);
    for (const text of ['attention', 'twelve heads', '63', '88', '450 µs', '■ baseline', '■ relaxed']) {
      expect(texts).toContain(text);
    }
    expect(svg).not.toMatch(/too small|elsewhere/);
    const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
    expect(widths).toHaveLength(2);
    expect(widths[1]! / widths[0]!).toBeCloseTo(88 / 63, 6);
  });

  it.each([
    [0.0284, '28.4 µs'],
    [0.000283, '0.28 µs'],
    [0.99999, '1.00 ms'],
    [999.6, '1.00 s'],
    [3.4249, '3.42 ms'],
    [123.6, '124 ms'],
    [3456, '3.46 s'],
    [undefined, '–'],
  ])('writes %s ms as %s', (value, text) => {
    expect(milliseconds(value)).toBe(text);
  });
});

it('runs of some rows are read as one', () => {
  const files = ['a', 'b'].map((name) => `${tmpdir()}/heed-bench-${process.pid}-${name}.json`);
  const row = (name: string, figure: number) => ({ section: 's', name, figure });
  writeFileSync(files[0]!, JSON.stringify({ machine: 1, rows: [row('a', 1), row('b', 1)] }));
  writeFileSync(
    files[1]!,
    JSON.stringify({ machine: 2, problems: ['wrong'], rows: [row('b', 2), row('c', 2)], cold: 3 }),
  );
  const rows = [row('a', 1), row('b', 2), row('c', 2)];
  expect(read(files)).toEqual({ machine: 1, rows, cold: 3, problems: ['wrong'] });
  for (const file of files) rmSync(file);
});

describe('arguments', () => {
  it('are understood', () => {
    const none = {
      ...{ json: undefined, svg: undefined, markdown: undefined, from: undefined, only: undefined },
      help: false,
    };
    expect(parseArguments([])).toEqual({ ...none, mode: 'quick' });
    expect(parseArguments(['--full', '--json', 'a.json', '--only', '512'])).toEqual({
      ...{ ...none, mode: 'full', json: 'a.json', only: '512' },
    });
    expect(parseArguments(['--from', 'a.json', '--svg', 'a.svg', '--markdown', 'a.md'], true)).toEqual({
      ...{ ...none, mode: 'quick', from: ['a.json'], svg: 'a.svg', markdown: 'a.md' },
    });
  });

  it.each([['--ful'], ['--json'], ['stray'], ['--full=yes']])('%s is refused', (word) => {
    const given = parseArguments([word]);
    expect('problem' in given && given.problem).toContain(word.replace(/=.*/, ''));
  });

  it.each(['--svg', '--markdown'])('%s is refused in the package', (word) => {
    expect(parseArguments([word, 'a.svg'])).toEqual({
      problem: 'charts are drawn, and pages filled, in the repository only',
    });
  });

  const start = (file: string, ...words: string[]) =>
    spawnSync(
      process.execPath,
      ['--import', 'tsx', fileURLToPath(new URL(file, import.meta.url)), ...words],
      {
        encoding: 'utf8',
      },
    );

  it('end the command with a clear message and exit code 2', () => {
    const { status, stderr, stdout } = start('../bench/index.ts', '--ful');
    expect(stderr).toMatch(/^bench: Unknown option '--ful'\n\nnpm run bench/);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });

  const rowless = `${tmpdir()}/heed-rowless-${process.pid}.json`;
  writeFileSync(rowless, '{ "rows": [] }');
  afterAll(() => {
    rmSync(rowless);
  });

  it.each([
    [[], 0, /^npx heed bench/, /^$/],
    [['bench', '--help'], 0, /^npx heed bench \[options\](?![^]*--svg)/, /^$/],
    [
      ['bench', '--only', 'no such row'],
      2,
      /^$/,
      /^bench: no row has "no such row" in its name; there are: matmul/,
    ],
    [['infos'], 2, /^$/, /^heed: unknown command "infos"\n\nnpx heed bench/],
    [['info', '--jsn'], 2, /^$/, /^heed: unknown option "info --jsn"/],
    [['-h'], 0, /^npx heed bench/, /^$/],
    [['info', '--help'], 0, /^npx heed bench/, /^$/],
    [['--version'], 0, /^\d+\.\d+\.\d+\n$/, /^$/],
    [['bench', '--from', 'no-such-file.json'], 2, /^$/, /^bench: ENOENT.*no-such-file\.json/],
    [['bench', '--from', 'README.md'], 2, /^$/, /^bench: README\.md is none that --json has written/],
    [['bench', '--from', 'package.json'], 2, /^$/, /^bench: package\.json is none that --json has written/],
    [['bench', '--from', rowless], 2, /^$/, /^bench: .*is none that --json has written/],
    [['bench', '--json', 'package.json/x.json'], 2, /^$/, /^bench: .*package\.json/],
  ])('heed %j ends with %i', (words, code, out, problem) => {
    const { status, stderr, stdout } = start('../bench/bin.ts', ...words);
    expect(stdout).toMatch(out);
    expect(stderr).toMatch(problem);
    expect(status).toBe(code);
  });
});
