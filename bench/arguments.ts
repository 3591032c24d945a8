/** The command line of the benchmark: words to options, and what is wrong with them. */
import { parseArgs } from 'node:util';
import type { Report } from './report.ts';

export interface Arguments {
  readonly mode: Report['mode'];
  /** Where the JSON goes; '-' is the standard output. */
  readonly json: string | undefined;
  /** Where the chart goes. */
  readonly svg: string | undefined;
  /** The page that the tables go into. */
  readonly markdown: string | undefined;
  /** JSONs of before, instead of a run. */
  readonly from: readonly string[] | undefined;
  /** Only rows whose section and name, as one text, have this in them. */
  readonly only: string | undefined;
  readonly help: boolean;
}

/** @param pages whether charts are drawn and pages are filled: in the repository */
export function usage(command: string, pages: boolean): string {
  const lines = [
    '--full        every row, more samples (about a quarter of an hour; otherwise about a minute)',
    '--only TEXT   rows whose section and name contain TEXT: decoding, attention 12 × 64',
    '--json FILE   writes everything that was measured; - writes it here, instead of the table',
    '--from FILE   shows what --json FILE wrote, and measures nothing; several: their rows together',
    ...(pages
      ? [
          '--svg FILE    draws the chart',
          '--markdown FILE   puts the tables between <!-- bench --> and <!-- /bench -->',
        ]
      : []),
    '--help        this',
  ];
  return [`${command} [options]`, '', ...lines.map((line) => `  ${line}`)].join('\n');
}

/** The options, or what is wrong in one line. */
export function parseArguments(
  words: readonly string[],
  pages = false,
): Arguments | { readonly problem: string } {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        full: { type: 'boolean', default: false },
        only: { type: 'string' },
        json: { type: 'string' },
        from: { type: 'string', multiple: true },
        svg: { type: 'string' },
        markdown: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const { full, only, json, from, svg, markdown, help } = values;
    if (!pages && (svg ?? markdown) !== undefined)
      return { problem: 'charts are drawn, and pages filled, in the repository only' };
    return { mode: full ? 'full' : 'quick', json, svg, markdown, from, only, help };
  } catch (error) {
    // The rest of Node's message tells how to pass such a word as a positional, which there are none of.
    const [problem = ''] = (error as Error).message.split('. ');
    return { problem };
  }
}
