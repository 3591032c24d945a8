/** The benchmark, without timing anything: its plain loops, its check, its table, its arguments. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseArguments } from '../bench/arguments.ts';
import { Bed, kernelRows, kernels, prepareKernel } from '../bench/kernels.ts';
import { plainAttention, plainMatmul } from '../bench/plain-loops.ts';
import type { Report, Result } from '../bench/report.ts';
import { rows, uses } from '../bench/rows.ts';
import { requireRight } from '../bench/run.ts';
import { interleave, lane, timing } from '../bench/sample.ts';
import { milliseconds, NO_RELAXED, renderTable } from '../bench/table.ts';
import { matmul } from '../src/reference.ts';
import { attentionInputs, matmulInputs, realAttention, realMatmul } from './cases.ts';
import type { DenseCase, MatmulCase } from './cases.ts';
import { builds, engineOf } from './builds.ts';
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
  it('are those of the shared table, and the minute has some of each section', () => {
    const real = [...realMatmul, ...realAttention].map(({ name }) => name);
    expect(rows.map(({ name }) => name)).toEqual(real.toSpliced(realMatmul.length, 0, 'textbook 3 × 2'));
    for (const section of ['kernels', 'matmul', 'attention']) {
      expect([...kernelRows, ...rows].some((row) => row.quick && row.section === section)).toBe(true);
    }
  });

  it.each([
    ['one row × 768 × 768', ['reference', 'plain', ...builds]],
    ['512³, tensors', [...builds]],
  ])('%s gives every contender, and each passes its check', async (name, names) => {
    const row = [...kernelRows, ...rows].find((each) => each.name === name)!;
    const engines = new Map(
      await Promise.all(builds.map(async (build) => [build, await engineOf(build)] as const)),
    );
    const { contenders, check, dispose } = row.prepare(engines);
    expect(contenders.map((each) => each.name)).toEqual(names);
    for (const part of check(101).values()) expect(part).toBe(Infinity);
    for (const { run } of contenders) run();
    for (const part of check(101).values()) expect(part).toBeLessThanOrEqual(1);
    dispose();
    for (const engine of engines.values()) {
      expect(engine.memory.used).toBe(0);
      engine.dispose();
    }
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
    'rope, one token of 32 × 128, GB/s': ['f32RopeSplit', 4],
  };
  /** The tile of six rows too, wherever the build has it. */
  const tile = build === 'relaxed' ? 6 : 4;

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
  const result = (p50: number, rate: number, percent?: number): Result => {
    return { timing: { p50, p75: p50, min: p50, n: 9 }, first: 2 * p50, rate, percent, errorOfBound: 0.1 };
  };
  const slow: Result = {
    ...{ timing: undefined, first: 5000, rate: undefined },
    ...{ percent: undefined, errorOfBound: 0 },
  };
  const chains = { 8: 50, 9: 51, 10: 52, 12: 53 };
  const read = [{ bytes: 2 ** 21, rate: 80 }];
  const report: Report = {
    mode: 'quick',
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
        ...{ section: 'attention', name: 'twelve heads of a name that is long', flops: 1e9, roof: 'peak' },
        ...{ bytes: undefined, roofs: { baseline: 53, relaxed: 53 }, checkedEvery: 1, core: 1 },
        results: {
          reference: slow,
          plain: result(900, 1.1),
          baseline: result(30, 33.3, 63),
          relaxed: result(0.45, 48, 88),
        },
      },
    ],
  };

  it('has every value, in 100 columns', () => {
    const lines = renderTable(report).split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
    expect(lines[0]).toBe('Abacus, 1 core · linux x64 · Node 24.1.0 (V8 13.6)');
    expect(lines[1]).toBe(
      'one thread · peak 53.0 GFLOP/s baseline, 53.0 GFLOP/s relaxed · read 80 GB/s of 2 MB',
    );
    const row = lines.find((line) => line.startsWith('twelve'))!;
    expect(row.replace(/ +/g, ' ')).toMatch(/ – 900 ms 30.0 ms 450 µs 33.3 \/ 48.0 63 \/ 88 30 \/ 2000$/);
    expect(lines.at(-1)).toBe(
      '– too slow to be sampled, one call took: reference, twelve heads of a name that is long: 5.00 s',
    );
    expect(renderTable(report)).not.toContain(NO_RELAXED);
  });

  it('has rates of kernels, and says what they count', () => {
    const { baseline, relaxed } = report.rows[0]!.results;
    const moved = {
      ...report.rows[0]!,
      section: 'kernels',
      flops: 0,
      results: { baseline: baseline!, relaxed: relaxed! },
    };
    const lines = renderTable({ ...report, rows: [{ ...moved, roof: 'read' }] }).split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
    const row = lines.find((line) => line.startsWith('twelve'))!;
    expect(row.replace(/ +/g, ' ')).toMatch(/ – – 30.0 ms 450 µs 33.3 \/ 48.0 63 \/ 88ʳ –$/);
    expect(lines.some((line) => line.startsWith('kernels: the widest tile'))).toBe(true);
    expect(renderTable(report)).not.toContain('widest tile');
  });

  it('says when other programs were in the way', () => {
    const text = 'Other programs held the core for up to 40 % of a row';
    expect(renderTable(report)).not.toContain(text);
    expect(renderTable({ ...report, rows: [...report.rows, { ...report.rows[0]!, core: 0.6 }] })).toContain(
      text,
    );
  });

  it('says what relaxed needs where it cannot run', () => {
    const [row] = report.rows;
    const { relaxed, ...results } = row!.results;
    expect(relaxed).toBeDefined();
    const lines = renderTable({ ...report, builds: ['baseline'], rows: [{ ...row!, results }] }).split('\n');
    expect(lines.at(-1)).toBe('relaxed: needs Node ≥ 22');
    const cells = lines.find((line) => line.startsWith('twelve'))!.replace(/ +/g, ' ');
    expect(cells).toMatch(/ – 900 ms 30.0 ms – 33.3 63 30$/);
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
    expect(parseArguments([])).toEqual({ mode: 'quick', json: undefined, only: undefined, help: false });
    expect(parseArguments(['--full', '--json', 'a.json', '--only', '512'])).toEqual({
      ...{ mode: 'full', json: 'a.json', only: '512', help: false },
    });
  });

  it.each([['--ful'], ['--json'], ['stray'], ['--full=yes']])('%s is refused', (word) => {
    const given = parseArguments([word]);
    expect('problem' in given && given.problem).toContain(word.replace(/=.*/, ''));
  });

  it('end the command with a clear message and exit code 2', () => {
    const bench = fileURLToPath(new URL('../bench/index.ts', import.meta.url));
    const { status, stderr, stdout } = spawnSync(process.execPath, ['--import', 'tsx', bench, '--ful'], {
      encoding: 'utf8',
    });
    expect(stderr).toMatch(/^bench: Unknown option '--ful'\n\nnpm run bench/);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });
});
