/** A run beside the peers as a table for a terminal of 100 columns: the fastest way of each, then all ways, then words. */
import Table from 'cli-table3';
import { createColors } from 'picocolors';
import { markdownTable } from '../markdown.ts';
import { chars, milliseconds, NO_RELAXED, NONE, QUIET, significant, trimLines } from '../table.ts';
import type { Outcome, PeerReport, RowOutcome } from './report.ts';

const WEB = 'onnxruntime-web';

/** Columns behind heed's and onnxruntime-web's, and their heads: words short enough to be wrapped. */
const OTHERS = {
  'tfjs-backend-wasm': 'tfjs wasm',
  'jax-js': 'jax-js',
  'plain loops': 'plain loops',
  'onnxruntime-node': 'onnxruntime node',
};

const widths = [20, 9, 9, 12, 12, 9, 9, 9, 12];

/** How many times as fast as onnxruntime-web's fastest way heed's fastest build is. */
export function ratioOf({ outcomes }: Pick<RowOutcome, 'outcomes'>): number | undefined {
  const [mine, its] = ['heed', WEB].map((peer) => fastest(outcomes, peer)?.timing?.p50);
  return mine === undefined || its === undefined ? undefined : its / mine;
}

export function renderPeers(report: PeerReport, color = false): string {
  const colors = createColors(color);
  const { bold, dim } = colors;
  const lines = [...machineLines(report).map(dim), ''];
  for (const { heads, rows } of gridsOf(report, colors)) {
    const table = new Table({
      chars,
      head: heads.map((head, i) => (i === 0 ? bold(head) : dim(head))),
      colWidths: widths,
      colAligns: widths.map((_, i) => (i === 0 ? 'left' : 'right')),
      style: { head: [], border: [], 'padding-left': 0, 'padding-right': 1 },
      wordWrap: true,
    });
    table.push(...rows);
    lines.push(trimLines(table.toString()), '');
  }
  return [...lines, ...notes(report).map(dim)].join('\n');
}

/** The same as Markdown. What misses its bar is bold. */
export function markdownPeers(report: PeerReport): string {
  const bold = (text: string): string => `**${text}**`;
  const grids = gridsOf(report, { red: bold, bold: same, dim: same });
  const [first = '', ...rest] = notes(report).join('\n').split('\n\n');
  const lists = rest.join('\n').split('\n').filter(Boolean);
  return [
    machineLines(report).join(' · '),
    ...grids.map(markdownTable),
    first.replaceAll('\n', ' '),
    lists.map((line) => (line.startsWith('  ') ? line : `- ${line}`)).join('\n'),
  ].join('\n\n');
}

const same = (text: string): string => text;

/** A table for each section. `red` is for what is below its bar. */
function gridsOf(
  { rows }: PeerReport,
  { bold, dim, red }: Record<'bold' | 'dim' | 'red', (text: string) => string>,
): { readonly heads: string[]; readonly rows: string[][] }[] {
  const web = ['onnxruntime web', 'heed is × as fast'];
  return [...new Set(rows.map((row) => row.section))].map((section) => ({
    heads: [section, 'heed baseline', 'heed relaxed', ...web, ...Object.values(OTHERS)],
    rows: rows
      .filter((row) => row.section === section)
      .map((row) => {
        const { name, outcomes, bar } = row;
        const ratio = ratioOf(row);
        const text = ratio === undefined ? NONE : significant(ratio, 3);
        const [baseline, relaxed] = ['baseline', 'relaxed'].map((build) =>
          outcomes.find(({ peer, way }) => peer === 'heed' && way === build),
        );
        return [
          name,
          cell(baseline),
          bold(cell(relaxed ?? outcomes.find(({ way }) => way === AS_IT_STARTS))),
          cell(fastest(outcomes, WEB)),
          (ratio !== undefined && bar !== undefined && ratio < bar ? red : bold)(text) +
            (bar === undefined ? '' : dim(` (${significant(bar, 2)})`)),
          ...Object.keys(OTHERS).map((peer) => cell(fastest(outcomes, peer))),
        ];
      }),
  }));
}

/** The way of heed where it chooses its build itself. */
export const AS_IT_STARTS = 'as it starts';

/** The fastest way that was sampled, else the fastest of those that were called once; of those that count. */
function fastest(outcomes: readonly Outcome[], peer: string): Outcome | undefined {
  const time = ({ timing, first }: Outcome): number => timing?.p50 ?? (first ?? Infinity) + 1e9;
  const ways = outcomes.filter((each) => each.peer === peer && !each.aside && each.problem === undefined);
  return ways.sort((a, b) => time(a) - time(b))[0];
}

/** ¹: one call, the first; ²: in no ratio. */
function cell(outcome: Outcome | undefined): string {
  if (outcome === undefined) return NONE;
  const { timing, first, aside } = outcome;
  return milliseconds(timing?.p50 ?? first) + (timing ? '' : '¹') + (aside ? '²' : '');
}

function machineLines({ machine, versions, mode }: PeerReport): string[] {
  const { cpu, cores, system, node, v8, load, date } = machine;
  const named = Object.entries(versions).filter(([, version]) => version !== undefined);
  return [
    `${cpu}, ${cores} ${cores === 1 ? 'core' : 'cores'} · ${system} · Node ${node} (V8 ${v8})`,
    named.map(([name, version]) => `${name} ${version!}`).join(', '),
    `one thread each · ${date.slice(0, 10)} · ${mode === 'full' ? 'full run' : 'quick run'} · load ${load.toFixed(1)} before it`,
  ];
}

function notes({ rows }: PeerReport): string[] {
  const lines = [
    'Times are medians of the fastest way of each, all of a row sampled in turn; in brackets what heed',
    'is to reach. onnxruntime-node is native code, with vectors as wide as the processor has.',
  ];
  const all = rows.flatMap(({ outcomes }) => outcomes);
  if (all.some(({ timing, first }) => timing === undefined && first !== undefined))
    lines.push('¹ too slow to be sampled: the first call');
  if (all.some(({ aside }) => aside))
    lines.push('² in no ratio: made of the keys before the call, which a cache that grows cannot have');
  const builds = all.filter(({ peer }) => peer === 'heed').map(({ way }) => way);
  if (builds.includes('baseline') && !builds.includes('relaxed')) lines.push(NO_RELAXED);
  const core = Math.min(1, ...rows.map((row) => row.core ?? 1));
  if (core < QUIET) lines.push(`Other programs held the core for up to ${(100 * (1 - core)).toFixed(0)} %.`);
  lines.push('');
  for (const { name, outcomes } of rows) {
    for (const peer of new Set(outcomes.map((each) => each.peer))) {
      const ways = outcomes.filter((each) => each.peer === peer && each.problem === undefined);
      if (peer === 'heed' || ways.length < 2) continue;
      lines.push(`${name}, ${peer}:`, `  ${ways.map((each) => `${each.way} ${cell(each)}`).join(', ')}`);
    }
  }
  const problems = rows.flatMap(({ name, outcomes }) => outcomes.map((each) => ({ ...each, name })));
  for (const { name, peer, way, problem } of problems) {
    if (problem !== undefined) lines.push(`${[peer, way].filter(Boolean).join(', ')}, ${name}: ${problem}`);
  }
  return lines;
}
