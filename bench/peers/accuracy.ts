/**
 * How near to float64 heed and others come on the same float32 inputs: `npm run bench:accuracy`, half a minute, times nothing. Errors of
 * all checked elements of a row are one pool. Exit code 2: wrong arguments.
 */
import { parseArgs } from 'node:util';
import { attentionInputs, matmulInputs } from '../../test/cases.ts';
import { attentionLaw, every, matmulLaw } from '../../test/laws.ts';
import { fill, markdownTable } from '../markdown.ts';
import { describeMachine } from '../machine.ts';
import { clearProgress, progress } from '../progress.ts';
import { significant } from '../table.ts';
import { heed } from './heed.ts';
import { onnxruntimeWeb } from './onnxruntime-web.ts';
import type { AttentionTask, MatmulTask, Peer } from './peer.ts';
import { tfjs } from './tfjs.ts';

const usage = `npm run bench:accuracy -- [options]

  --markdown FILE   puts the table between <!-- accuracy --> and <!-- /accuracy -->
  --help            this`;

/** Some consecutive elements: where they are, what float64 and what the plainest float32 loops make of them. */
interface Checked {
  readonly at: number;
  readonly values: Float64Array;
  readonly naive: ArrayLike<number>;
}

interface Row {
  readonly name: string;
  readonly task: AttentionTask | MatmulTask;
  readonly checked: () => Iterable<Checked>;
}

/** Of a pool: the root of the mean square, and the largest. */
interface Errors {
  readonly rms: number;
  readonly largest: number;
}

/** Columns: a peer, and of heed a build. */
const COLUMNS: readonly { readonly head: string; readonly peer: Peer; readonly way?: string }[] = [
  { head: 'heed baseline', peer: heed, way: 'baseline' },
  { head: 'heed relaxed', peer: heed, way: 'relaxed' },
  { head: 'onnxruntime-web', peer: onnxruntimeWeb },
  { head: 'tfjs wasm', peer: tfjs },
];

/** About so many rows of a result are checked. */
const CHECKED = 200;

const rows: readonly Row[] = [
  ...[128, 512, 2048].map((seqQ) => attention({ seqQ })),
  attention({ seqQ: 512, causal: true }),
  ...[0.3, 3, 10, 100].map((sigma) => attention({ seqQ: 512, sigma })),
  attention({ seqQ: 1, seqK: 4096 }),
  matmul({ M: 512, N: 512, K: 512 }),
  matmul({ M: 128, N: 768, K: 3072 }),
];

function attention({ seqQ, seqK = seqQ, causal = false, sigma = 1 }: Partial<AttentionTask> & Sharp): Row {
  const options = { seqQ, seqK, heads: 8, kvHeads: 8, headDim: 64, causal };
  const [q, k, v] = attentionInputs({ options, sigma });
  const size = seqQ === 1 ? `1 query, ${seqK} keys` : `S = ${seqQ}${causal ? ' causal' : ''}`;
  return {
    name: `attention 8 × 64, ${size}, σ = ${sigma}`,
    task: { kind: 'attention', ...options, resident: false, q, k, v },
    *checked() {
      const count = 8 * seqQ;
      // Odd, so that it meets rows of every tile.
      for (const row of attentionLaw(q, k, v, options, every(Math.ceil(count / CHECKED) | 1, count)))
        yield { at: row.at, values: row.out('chain').values, naive: row.naive() };
    },
  };
}

interface Sharp {
  readonly seqQ: number;
  readonly sigma?: number;
}

function matmul({ M, N, K }: Pick<MatmulTask, 'M' | 'N' | 'K'>): Row {
  const [a, b] = matmulInputs({ name: '', options: { M, N, K } });
  return {
    name: `matmul ${M} × ${N} × ${K}`,
    task: { kind: 'matmul', M, N, K, a, b, constant: false },
    *checked() {
      for (const { row, at, out } of matmulLaw(a, b, { M, N, K }, every(Math.ceil(M / CHECKED) | 1, M))) {
        const naive = new Float32Array(N);
        for (let k = 0; k < K; k++) {
          const x = a[row * K + k]!;
          for (let n = 0; n < N; n++) naive[n]! += Math.fround(x * b[k * N + n]!);
        }
        yield { at, values: out('chain').values, naive };
      }
    },
  };
}

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  let given;
  try {
    given = parseArgs({ args, options: { markdown: { type: 'string' }, help: { type: 'boolean' } } }).values;
  } catch (error) {
    console.error(`bench:accuracy: ${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (given.help === true) {
    console.log(usage);
    return 0;
  }
  const lines: string[][] = [];
  for (const [done, row] of rows.entries()) {
    progress(done, rows.length, row.name);
    lines.push(await measure(row));
  }
  clearProgress();
  const heads = ['', 'naive float32', ...COLUMNS.map(({ head }) => head)];
  const { node, system, date } = describeMachine();
  const versions = [onnxruntimeWeb, tfjs].map(({ name, version }) => `${name} ${version ?? ''}`);
  const machine = [system, `Node ${node}`, ...versions, date.slice(0, 10)].join(' · ');
  const text = `${machine}\n\n${markdownTable({ heads, rows: lines })}`;
  console.log(text);
  if (given.markdown === undefined) return 0;
  const problem = await fill(given.markdown, 'accuracy', () => text);
  if (problem !== undefined) console.error(`bench:accuracy: ${problem}`);
  return problem === undefined ? 0 : 2;
}

/** A line of the table: naive float32's errors, and what of them the others have. */
async function measure({ name, task, checked }: Row): Promise<string[]> {
  const pieces = [...checked()];
  const naive = pool(pieces, ({ naive }) => naive);
  const cells = [];
  for (const { peer, way } of COLUMNS) {
    const found = await errorsOf(peer, way, task, pieces);
    cells.push(
      found === undefined ? '–' : ratio(found.rms, naive.rms) + ' · ' + ratio(found.largest, naive.largest),
    );
  }
  return [name, `${naive.rms.toExponential(1)} · ${naive.largest.toExponential(1)}`, ...cells];
}

function ratio(error: number, naive: number): string {
  return significant(error / naive, 2);
}

/** Those of a peer's way; of the nearest of its ways where none is named. */
async function errorsOf(
  peer: Peer,
  named: string | undefined,
  task: Row['task'],
  pieces: readonly Checked[],
): Promise<Errors | undefined> {
  const ways = (await peer.load())(task);
  let nearest: Errors | undefined;
  for (const way of ways) {
    if (way.aside === true || (named !== undefined && way.name !== named)) continue;
    const running = await way.prepare();
    // Some give a view of memory that the next run writes.
    const out = Float32Array.from(await running.run());
    await running.dispose();
    const errors = pool(pieces, ({ at, values }) => out.subarray(at, at + values.length));
    if (nearest === undefined || errors.rms < nearest.rms) nearest = errors;
  }
  return nearest;
}

function pool(pieces: readonly Checked[], computed: (piece: Checked) => ArrayLike<number>): Errors {
  let [squares, count, largest] = [0, 0, 0];
  for (const piece of pieces) {
    const numbers = computed(piece);
    for (const [i, value] of piece.values.entries()) {
      const error = Math.abs(numbers[i]! - value);
      squares += error ** 2;
      count++;
      // A NaN is the largest of all.
      if (!(error <= largest)) largest = error;
    }
  }
  return { rms: Math.sqrt(squares / count), largest };
}
