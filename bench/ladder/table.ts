/** What a climb found, as a table for a terminal and as one for docs/ladder.md. */
import Table from 'cli-table3';
import { milliseconds } from '../table.ts';
import type { Rung } from './rungs.ts';

/** What a rung reached. */
export interface Climbed extends Rung {
  readonly milliseconds: number;
  /** GFLOP/s */
  readonly rate: number;
  /** Of the peak of its build; JavaScript is compared with the baseline build's. */
  readonly percent: number;
}

/** The rung that this one was made from: the last of the same build, or simply the last. */
function before(climbed: readonly Climbed[], at: number): Climbed | undefined {
  const earlier = climbed.slice(0, at);
  return earlier.findLast(({ build }) => build === climbed[at]!.build) ?? earlier.at(-1);
}

const head = ['', 'rung', 'time', 'GFLOP/s', '% of peak', '× before', '× naive'];

function cells(climbed: readonly Climbed[]): string[][] {
  const naive = climbed.find(({ name }) => name.startsWith('naive'))!;
  const times = (factor: number): string => factor.toFixed(factor < 10 ? 2 : 1);
  return climbed.map((rung, i) => {
    const last = before(climbed, i);
    return [
      String(i + 1),
      rung.name,
      milliseconds(rung.milliseconds),
      rung.rate.toFixed(1),
      rung.percent.toFixed(0),
      last === undefined ? '' : times(last.milliseconds / rung.milliseconds),
      times(naive.milliseconds / rung.milliseconds),
    ];
  });
}

export function terminalTable(climbed: readonly Climbed[]): string {
  const table = new Table({
    head,
    style: { head: [], border: [], compact: true },
    colAligns: head.map((_, i) => (i === 1 ? 'left' : 'right')),
  });
  table.push(...cells(climbed));
  return table.toString();
}

/** Names link to the code. */
export function markdownTable(climbed: readonly Climbed[]): string {
  const linked = cells(climbed).map(([number, name, ...rest], i) => {
    return [number!, `[${name}](../${climbed[i]!.file})`, ...rest];
  });
  const rule = head.map((_, i) => (i === 1 ? '---' : '--:'));
  return [head, rule, ...linked].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
