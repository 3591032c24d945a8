/** A run of the benchmark of threads: each row is checked, warmed up, and sampled in turn with one thread, with two, and with its roof. */
import type { Engine } from '../../src/index.ts';
import type { Build } from '../../test/builds.ts';
import type { Heed } from '../rows.ts';
import { clock, clockOf, fit, interleave, lane, settle, timing, type Clock, type Lane } from '../sample.ts';
import { Loops } from './loops.ts';
import type { PairReport, PairResult, ThreadsReport, Times } from './report.ts';
import type { Before, PairCall, PairGroup, PairRow } from './rows.ts';

/** How much time a row gets on a build. Milliseconds; the counts win where they ask for more. */
const plans = {
  quick: { time: 1000, rounds: [7, 200] },
  full: { time: 4000, rounds: [11, 500] },
} as const satisfies Record<ThreadsReport['mode'], object>;

/** Milliseconds of a sample of the multiply-add loops, at most: long enough to meet the neighbours that a call meets. */
const PEAK_TIME = 20;

/** An engine of each number of threads that a group asks for. */
export type Engines = ReadonlyMap<number, Engine>;

export async function enginesOf(heed: Heed, build: Build, group: PairGroup): Promise<Engines> {
  const counts = [...new Set(group.flatMap(({ threads }) => threads))];
  const engines = new Map<number, Engine>();
  for (const threads of counts) engines.set(threads, await heed.createEngine({ threads, simd: build }));
  return engines;
}

/** A row while it is measured. */
interface Measured {
  readonly row: PairRow;
  readonly lanes: ReadonlyMap<number, Lane>;
  readonly problem: string | undefined;
}

/** The results of a group on one build, row by row. */
export async function runGroup(
  heed: Heed,
  build: Build,
  group: PairGroup,
  script: URL,
  mode: ThreadsReport['mode'],
): Promise<PairResult[]> {
  const engines = await enginesOf(heed, build, group);
  const loops = group.some(({ roof }) => roof !== undefined) ? new Loops(build, script) : undefined;
  try {
    const measured = group.map((row) => warmUp(row, engines, heed));
    const calls = measured.flatMap((each) => [...each.lanes.values()]);
    const longest = Math.max(0, ...calls.map(({ milliseconds }) => milliseconds));
    const roof = loops && calls.length > 0 ? roofLanes(loops, group[0]!, longest) : undefined;
    const lanes = [...calls, ...(roof?.values() ?? [])];
    const { time, rounds } = plans[mode];
    interleave(lanes, fit(time * group.length, rounds, lanes), [], 0);
    const bare = roof && timesOf(roof);
    return measured.map(({ lanes, problem }) => ({
      ...{ times: timesOf(lanes), roof: bare },
      ...(problem !== undefined && { problem }),
    }));
  } finally {
    loops?.dispose();
    for (const engine of engines.values()) engine.dispose();
  }
}

function timesOf(lanes: ReadonlyMap<number, Lane>): Times {
  return Object.fromEntries([...lanes].map(([threads, { samples }]) => [threads, timing(samples)]));
}

/** Runs a row on each engine, holds the results against each other bit for bit, and warms up. */
function warmUp(row: PairRow, engines: Engines, heed: Heed): Measured {
  const lanes = new Map<number, Lane>();
  const calls = row.threads.map((threads) => {
    const engine = engines.get(threads)!;
    return { threads, engine, call: row.prepare(engine, heed) };
  });
  for (const { call } of calls) call.run();
  const one = calls[0]!.call.out();
  const wrong = calls.find(({ call }) => !sameBits(call.out(), one));
  if (wrong) return { row, lanes, problem: `${wrong.threads} threads compute other bits than one` };
  for (const { threads, engine, call } of calls) {
    const clock = row.before ? clockBehind(row.before, engine, call) : clockOf(call.run);
    const milliseconds = settle(clock);
    lanes.set(threads, row.before ? { ...lane(clock, milliseconds), calls: 1 } : lane(clock, milliseconds));
  }
  return { row, lanes, problem: undefined };
}

export function sameBits(x: Float32Array, y: Float32Array): boolean {
  const [a, b] = [x, y].map(({ buffer, byteOffset, length }) => new Int32Array(buffer, byteOffset, length));
  return a!.length === b!.length && a!.every((bits, i) => bits === b![i]);
}

/** Milliseconds of a call alone, each behind what shall go before. */
function clockBehind(before: Before, engine: Engine, call: PairCall): Clock {
  const first =
    before === 'after 1 ms'
      ? () => {
          idle(1);
        }
      : largeCall(engine);
  return (calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) {
      first();
      sum += clock(call.run);
    }
    return sum;
  };
}

/** A call of more than 2²⁴ multiply-adds, which is shared whoever sleeps (src/threads/team.ts). */
function largeCall(engine: Engine): () => void {
  const n = 260;
  const [a, out] = [new Float32Array(n * n).fill(1), new Float32Array(n * n)];
  const options = { M: n, N: n, K: n, out };
  return () => {
    engine.matmul(a, a, options);
  };
}

const bed = new Int32Array(new SharedArrayBuffer(4));

/** Gives the core away. */
export function idle(milliseconds: number): void {
  Atomics.wait(bed, 0, 0, milliseconds);
}

/** The loops beside a group: as much work with one thread as with two. */
function roofLanes(loops: Loops, { roof, bytes }: PairRow, milliseconds: number): Map<number, Lane> {
  const lanes = new Map<number, Lane>();
  loops.clear();
  for (const threads of [1, 2] as const) {
    if (roof === 'read') {
      const array = loops.array(bytes);
      const read: Clock = (calls, before = 0) => {
        for (let i = 0; i < before; i++) loops.read(threads, array);
        let sum = 0;
        for (let i = 0; i < calls; i++) sum += loops.read(threads, array);
        return sum;
      };
      lanes.set(threads, lane(read, settle(read)));
    } else {
      // Of registers only, they have nothing to bring back; so many pieces at once.
      const peak: Clock = (pieces) => loops.peak(threads, pieces);
      const one = settle((pieces) => loops.peak(1, pieces), 5);
      const calls = Math.max(2, Math.round(Math.min(PEAK_TIME, milliseconds) / one));
      lanes.set(threads, { ...lane(peak, one), calls });
    }
  }
  return lanes;
}

/** A row's report, of the results by build. */
export function reportRow(
  { section, name, roof }: PairRow,
  results: ReadonlyMap<Build, PairResult>,
): PairReport {
  return { kind: 'pair', section, name, roof, results: Object.fromEntries(results) };
}
