/**
 * The bars: each is of a row that the benchmark has, and a run is held against them without anything being timed.
 *
 * @node the benchmark is a program of Node
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { holdPeers, holdReport, peerBars, renderBars, roofBars, timeBars } from '../bench/bars.ts';
import { rows as peerRows } from '../bench/peers/rows.ts';
import type { PeerReport } from '../bench/peers/report.ts';
import type { Report, Result } from '../bench/report.ts';
import { groups } from '../bench/rows.ts';

const rows = new Map(groups.flat().map((row) => [`${row.section} ${row.name}`, row]));

it('are of rows that there are, by what limits them or what they stand beside', () => {
  for (const { row } of [...roofBars, ...timeBars]) expect([...rows.keys()]).toContain(row);
  for (const { row, by } of timeBars) {
    if (by === 'beside') expect(rows.get(row)!.beside, row).toBeDefined();
    else expect(rows.get(row)!.flops, row).toBeLessThan(3e8);
  }
  for (const { row } of roofBars) {
    const vector = row.startsWith('matmul 1 ×');
    expect(rows.get(row)!.roof, row).toBe(vector ? 'read' : row.startsWith('decoding') ? 'sum' : 'peak');
  }
});

it("the README's table is of rows that there are", () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, names = ''] = /<!-- bench: (.*) -->\n[^]*<!-- \/bench -->/.exec(readme)!;
  for (const name of names.split('; ')) expect([...rows.keys()]).toContain(name);
});

it('are none of a peer that no row is held to', () => {
  const held = new Set(peerRows.map(({ bar }) => bar));
  for (const [name, bar] of Object.entries(peerBars)) if (name !== 'start') expect(held).toContain(bar);
});

const machine = {
  ...{ cpu: 'Abacus', cores: 1, system: 'linux x64', node: '24.1.0', v8: '13.6' },
  ...{ date: '2026-01-02T03:04:05.000Z', load: 0 },
};
const timing = (p50: number): Result['timing'] => ({ p50, p75: p50, min: p50, n: 9 });
const result = (p50: number, percent?: number, ratio?: number): Result => {
  return { timing: timing(p50), first: p50, rate: 1, percent, ratio, errorOfBound: 0.1 };
};

describe('a run', () => {
  const common = { flops: 1e9, bytes: 0, roof: 'peak', roofs: {}, checkedEvery: 1, core: 1 } as const;
  const row = { ...common, section: 'attention', beside: undefined, problems: [] };
  const report: Report = {
    ...{ version: '1.2.3', mode: 'full', machine, builds: ['baseline', 'relaxed'], roofs: [] },
    rows: [
      { ...row, name: '12 × 64, S = 1024', results: { baseline: result(2, 75), relaxed: result(1, 81.4) } },
      {
        ...{ ...row, name: '12 × 64, S = 1024 causal', beside: '12 × 64, S = 1024' },
        results: { baseline: result(1, 70, 0.5), relaxed: result(0.6, 70, 0.6) },
      },
      {
        ...{ ...row, name: '2 × 2, S = 3' },
        results: { plain: result(1), baseline: result(3.9, 0), relaxed: result(4.2, 0) },
      },
    ],
    ...{ cold: { build: 'relaxed', first: 150, settled: 100, small: 12 }, problems: [] },
  };
  const held = holdReport(report);
  const of = (what: string): string[] =>
    held
      .filter((each) => each.what === what && each.met !== undefined)
      .map(({ run, reached, bar, met }) => `${run}: ${reached}, ${bar}, ${String(met)}`);

  it('is held by build, against each bar that it has the figures for', () => {
    expect(of('attention 12 × 64, S = 1024')).toEqual([
      'Node 24 baseline: 75, ≥ 75 % of peak, true',
      'Node 24 relaxed: 81, ≥ 82 % of peak, false',
    ]);
    expect(of('attention 12 × 64, S = 1024 causal')).toEqual([
      'Node 24 baseline: 0.50, ≤ 0.56 × 12 × 64, S = 1024, true',
      'Node 24 relaxed: 0.60, ≤ 0.56 × 12 × 64, S = 1024, false',
    ]);
    expect(of('attention 2 × 2, S = 3')).toEqual([
      'Node 24 baseline: 3.90, ≤ 4 × plain loops, true',
      'Node 24 relaxed: 4.20, ≤ 4 × plain loops, false',
    ]);
    expect(of('first call in a new process')).toEqual(['Node 24 relaxed: 1.50, ≤ 2 × settled, true']);
  });

  it('is told what it did not measure', () => {
    expect(held.find(({ what }) => what === 'matmul 64³')).toMatchObject({
      reached: 'not measured',
      met: undefined,
    });
    expect(renderBars(held)).toMatch(/\n\n4 met, 3 missed$/);
  });
});

it('a run beside peers is held by the best build and the best operator', () => {
  const outcome = (peer: string, way: string, p50: number) => ({ peer, way, timing: timing(p50) });
  const outcomes = [
    ...[outcome('heed', 'baseline', 4), outcome('heed', 'relaxed', 2)],
    ...[outcome('onnxruntime-web', 'composed', 7), outcome('onnxruntime-web', 'Attention', 3.6)],
  ];
  const row = { section: 'attention', name: 'a', flops: 1, bar: 1.9, checkedEvery: 1 } as const;
  const report: PeerReport = {
    ...{ mode: 'quick', machine, versions: {} },
    rows: [
      { ...row, outcomes },
      { ...row, name: 'b', outcomes: outcomes.slice(0, 2) },
      { ...row, bar: undefined, outcomes },
    ],
  };
  expect(holdPeers(report)).toEqual([
    { what: 'attention a', run: 'Node 24', reached: '1.80', bar: '≥ 1.90 × onnxruntime-web', met: false },
    {
      ...{ what: 'attention b', run: 'Node 24', reached: 'not measured', bar: '≥ 1.90 × onnxruntime-web' },
      met: undefined,
    },
  ]);
});
