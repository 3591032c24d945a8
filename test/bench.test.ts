/** The benchmark, without timing anything: its plain loops, its check, its rows, its table, its chart, its arguments. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { TILE_4X8, TILE_6X8 } from '../common/abi.ts';
import { parseArguments } from '../bench/arguments.ts';
import { drawChart } from '../bench/chart.ts';
import { choose } from '../bench/command.ts';
import { Bed, kernelGroups, kernels, prepareKernel } from '../bench/kernels.ts';
import { plainAttention, plainMatmul } from '../bench/plain-loops.ts';
import type { Report, Result } from '../bench/report.ts';
import { CHAINS, Roof, STREAMS } from '../bench/roof.ts';
import { groups, uses } from '../bench/rows.ts';
import { enginesOf, requireRight } from '../bench/run.ts';
import { interleave, lane, timing } from '../bench/sample.ts';
import { milliseconds, NO_RELAXED, renderTable } from '../bench/table.ts';
import * as heed from '../src/index.ts';
import { matmul } from '../src/reference.ts';
import { attentionInputs, matmulInputs } from './cases.ts';
import type { DenseCase, MatmulCase } from './cases.ts';
import { builds } from './builds.ts';
import { normal } from './data.ts';
import type { TestingExports } from './kernels/harness.ts';
import { attentionLaw, every, matmulLaw } from './laws.ts';

const attentions: readonly DenseCase[] = [
  { name: 'one query, one key', options: { seqQ: 1, headDim: 1 } },
  { name: 'cross', options: { seqQ: 7, seqK: 101, heads: 3, headDim: 20, valueDim: 5, batch: 2 } },
  { name: 'groups, causal', options: { seqQ: 30, seqK: 33, heads: 4, kvHeads: 2, headDim: 8, causal: true } },
  { name: 'a query that sees no key', options: { seqQ: 9, seqK: 5, headDim: 8, causal: true } },
];

const matmuls: readonly MatmulCase[] = [
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

describe('a wrong result', () => {
  const row = { section: 'matmul', name: '512³' } as const;

  it('stops the run with a message', () => {
    expect(() => {
      requireRight(row, new Map([['plain', 0.1]]));
    }).not.toThrow();
    expect(() => {
      requireRight(row, new Map([['baseline', 12.345]]));
    }).toThrow('matmul 512³: what baseline computes is 12.3 times its error bound away from float64');
    expect(() => {
      requireRight(row, new Map([['relaxed', Infinity]]));
    }).toThrow(
      'what relaxed computes is not a number where float64 has one, or differs where nothing is rounded',
    );
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
    ['768/12, S = 128', [...builds], 101],
    ['32/8 × 128, 4096 keys', [...builds], 7],
    ['32/8 × 128, 4096 f16', [...builds], 7],
    ['512³, tensors', [...builds], 101],
  ])('%s gives every contender, and each passes its check', async (name, names, stride) => {
    const engines = await enginesOf(heed);
    expect([...engines.keys()].sort()).toEqual([...builds].sort());
    const { contenders, check, dispose } = named(name).prepare({ heed, engines }, true);
    expect(contenders.map((each) => each.name).sort()).toEqual(names.sort());
    for (const part of check(stride).values()) expect(part).toBe(Infinity);
    for (const { run } of contenders) run();
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
    let expected = 0;
    for (let at = 0; at < bytes / 4; at++) expected ^= words[at % words.length]!;
    const before = roof.sink;
    expect(roof.read(bytes, streams)).toBe(bytes);
    expect(roof.sink - before).toBeCloseTo(expected | 0, -4);
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
      const [{ run, out }] = contenders as [(typeof contenders)[0]];
      run();
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
    const of = (name: string) => lane(() => order.push(name), 1);
    interleave([of('a'), of('b')], 4, [of('S')], 2);
    expect(order.join('')).toBe('SabbaSabba');
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
  const roof = { peak: 53, read: undefined };
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
        results: {
          reference: result(5000, 0.2),
          plain: result(900, 1.1),
          baseline: result(30, 33.3, 63),
          relaxed: result(0.45, 48, 88),
        },
      },
    ],
    cold: undefined,
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

describe('arguments', () => {
  it('are understood', () => {
    const none = { json: undefined, svg: undefined, from: undefined, only: undefined, help: false };
    expect(parseArguments([])).toEqual({ ...none, mode: 'quick' });
    expect(parseArguments(['--full', '--json', 'a.json', '--only', '512'])).toEqual({
      ...{ ...none, mode: 'full', json: 'a.json', only: '512' },
    });
    expect(parseArguments(['--from', 'a.json', '--svg', 'a.svg'], true)).toEqual({
      ...{ ...none, mode: 'quick', from: 'a.json', svg: 'a.svg' },
    });
  });

  it.each([['--ful'], ['--json'], ['stray'], ['--full=yes']])('%s is refused', (word) => {
    const given = parseArguments([word]);
    expect('problem' in given && given.problem).toContain(word.replace(/=.*/, ''));
  });

  it('--svg is refused where no chart can be drawn', () => {
    expect(parseArguments(['--svg', 'a.svg'])).toEqual({
      problem: 'charts are drawn in the repository only',
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
    [['info', '--jsn'], 2, /^$/, /^heed: unknown command "info --jsn"/],
  ])('heed %j ends with %i', (words, code, out, problem) => {
    const { status, stderr, stdout } = start('../bench/bin.ts', ...words);
    expect(stdout).toMatch(out);
    expect(stderr).toMatch(problem);
    expect(status).toBe(code);
  });
});
