/**
 * What a run comes to: a table, a page, a chart, and several runs read as one.
 *
 * @node the benchmark is a program of Node
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { drawChart } from '../bench/chart.ts';
import { read } from '../bench/command.ts';
import { fill, markdownReport } from '../bench/markdown.ts';
import type { Report, Result } from '../bench/report.ts';
import { milliseconds, NO_RELAXED, renderTable } from '../bench/table.ts';

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
