/**
 * `npm run bench:ladder`: climbs both ladders and says what each rung gained. Every rung is checked against float64 first;
 * then those in JavaScript, and those in WebAssembly, are sampled in turn with the roof of both builds. Exit code 1: a rung computed something wrong;
 * 2: wrong arguments.
 */
import { parseArgs } from 'node:util';
import { builds, type Build } from '../../test/builds.ts';
import { every, use } from '../../test/laws.ts';
import { CHAINS } from '../roof-loops.ts';
import { Roof } from '../roof.ts';
import { fill } from '../markdown.ts';
import { describeMachine } from '../machine.ts';
import { clock, clockOf, interleave, lane, settle, timing, type Lane } from '../sample.ts';
import { attentionLadder, matmulLadder, type Ladder, type Rung } from './rungs.ts';
import { markdownTable, terminalTable, type Climbed } from './table.ts';

const usage = `npm run bench:ladder -- [options]

  --only TEXT       matmul or attention
  --size N          matmul of N × N × N (512)
  --seq N           attention over N tokens (512)
  --markdown FILE   puts the tables between <!-- ladder: matmul --> or <!-- ladder: attention --> and <!-- /ladder -->
  --help            this`;

/** Milliseconds for the rungs that take less than SLOW a call, and for the others. */
const QUICK_TIME = 5000;
const SLOW_TIME = 6000;
const SLOW = 60;

/** A sample of the roof: as long as a call that an interruption would meet. */
const PEAK_TIME = 4;

/** Every how many rows of a result one is held against the law: a prime, so that every row of a tile and every head is met. */
const CHECKED = 37;

process.exitCode = await main(process.argv.slice(2));

async function main(words: string[]): Promise<number> {
  let given;
  try {
    given = parseArgs({
      args: words,
      options: {
        only: { type: 'string', default: '' },
        size: { type: 'string', default: '512' },
        seq: { type: 'string', default: '512' },
        markdown: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    console.error(`bench:ladder: ${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  const { only, size, seq, markdown, help } = given;
  if (help) {
    console.log(usage);
    return 0;
  }
  const [n, tokens] = [Number(size), Number(seq)];
  if (![n, tokens].every((x) => Number.isInteger(x) && x >= 8)) {
    console.error(`bench:ladder: sizes are integers from 8 on\n\n${usage}`);
    return 2;
  }
  const ladders = [
    matmulLadder({ M: n, N: n, K: n }),
    attentionLadder({ seq: tokens, heads: 12, headDim: 64 }),
  ].filter(({ name }) => name.includes(only));

  const roofs = builds.toReversed().map((build) => new Roof(build));
  const { cpu, node, v8, date } = describeMachine();
  console.log(`${cpu} · Node ${node} (V8 ${v8}) · ${date.slice(0, 10)} · medians\n`);

  // JavaScript first: heed's memory grows, and V8 in Node 20 then checks every array for being detached, which costs loops up to a third.
  const scripts: (readonly Climbed[])[] = [];
  for (const ladder of ladders) scripts.push(await climb(ladder, roofs, ({ build }) => build === undefined));
  const kernels: (readonly Climbed[])[] = [];
  for (const ladder of ladders) kernels.push(await climb(ladder, roofs, ({ build }) => build !== undefined));
  const tables = new Map<string, string>();
  for (const [i, { name }] of ladders.entries()) {
    const climbed = [...scripts[i]!, ...kernels[i]!];
    console.log(`${name}\n\n${terminalTable(climbed)}\n`);
    tables.set(name.split(' ')[0]!, markdownTable(climbed));
  }
  if (!builds.includes('relaxed')) console.log('relaxed: needs Node ≥ 22');
  if (markdown === undefined) return 0;
  const problem = await fill(markdown, 'ladder', (which) => tables.get(which) ?? '');
  if (problem === undefined) return 0;
  console.error(`bench:ladder: ${problem}`);
  return 2;
}

/** Runs the chosen rungs of a ladder: checks, warm-up, samples in turn. */
async function climb(
  { name, flops, rows, law, rungs }: Ladder,
  roofs: readonly Roof[],
  choose: (rung: Rung) => boolean,
): Promise<readonly Climbed[]> {
  const chosen = rungs.filter(choose);

  // Pass 1: each runs once, and what it computed is checked.
  const ready = await Promise.all(chosen.map(({ prepare }) => prepare()));
  const first = ready.map(({ run }) => clock(run));
  for (const row of law(every(CHECKED, rows))) {
    for (const [i, { out }] of ready.entries()) {
      const part = use(out, row.out(chosen[i]!.order), row.at);
      if (part <= 1) continue;
      throw new Error(`${name}, ${chosen[i]!.name}: row ${row.row} is ${part} times its error bound off`);
    }
  }

  // Pass 2: warm-up. A slow rung is warm after one call: V8 replaces its running loops.
  const lanes = ready.map(({ run }, i) => {
    const own = clockOf(run);
    return lane(own, first[i]! > 4 * SLOW ? own(1) : settle(own));
  });
  const peakLanes = roofs.flatMap((roof) =>
    CHAINS.map((chains) => {
      const peak = clockOf(() => roof.peak(chains));
      const milliseconds = settle(peak);
      const calls = Math.round(PEAK_TIME / milliseconds);
      return { roof, chains, lane: { ...lane(peak, milliseconds), calls } };
    }),
  );

  // Pass 3: samples, in turn.
  const quick = lanes.filter((each) => each.milliseconds <= SLOW);
  const slow = lanes.filter((each) => each.milliseconds > SLOW);
  const fast = [...quick, ...peakLanes.map((each) => each.lane)];
  interleave(fast, fit(QUICK_TIME, fast), slow, fit(SLOW_TIME, slow));

  // Pass 4: rates.
  const peaks = new Map<Build, number>();
  for (const { roof, chains, lane: each } of peakLanes) {
    const rate = roof.peak(chains) / timing(each.samples).p50 / 1e6;
    peaks.set(roof.build, Math.max(peaks.get(roof.build) ?? 0, rate));
  }
  return chosen.map((rung, i) => {
    const { p50 } = timing(lanes[i]!.samples);
    const rate = flops / p50 / 1e6;
    return { ...rung, milliseconds: p50, rate, percent: (100 * rate) / peaks.get(rung.build ?? 'baseline')! };
  });
}

/** Rounds that fit into the time: five at least, none of nothing. */
function fit(time: number, lanes: readonly Lane[]): number {
  if (lanes.length === 0) return 0;
  const round = lanes.reduce((sum, { milliseconds, calls }) => sum + milliseconds * calls, 0);
  return Math.max(5, Math.round(time / round));
}
