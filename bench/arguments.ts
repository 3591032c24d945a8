/** The command line of the benchmark: words to options, and what is wrong with them. */
import { parseArgs } from 'node:util';
import type { Report } from './report.ts';

export interface Arguments {
  readonly mode: Report['mode'];
  /** Where the JSON goes. */
  readonly json: string | undefined;
  /** Only rows whose section and name, as one text, have this in them. */
  readonly only: string | undefined;
  readonly help: boolean;
}

export const usage = `npm run bench -- [options]

  --full        every row, more samples (some minutes; otherwise about one)
  --only TEXT   rows whose section and name contain TEXT: kernels, attention BERT
  --json FILE   writes everything that was measured
  --help        this`;

/** The options, or what is wrong in one line. */
export function parseArguments(words: readonly string[]): Arguments | { readonly problem: string } {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        full: { type: 'boolean', default: false },
        only: { type: 'string' },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    const { full, only, json, help } = values;
    return { mode: full ? 'full' : 'quick', json, only, help };
  } catch (error) {
    // The rest of Node's message tells how to pass such a word as a positional, which there are none of.
    const [problem = ''] = (error as Error).message.split('. ');
    return { problem };
  }
}
