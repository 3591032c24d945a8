/** What is measured beside the rows: empty jobs, idle workers, and calls that do not wait. Each a figure beside another. */
import type { Engine } from '../../src/index.ts';
import { normal } from '../../test/data.ts';
import type { Heed } from '../rows.ts';
import { clock, timing } from '../sample.ts';
import type { EmptyJobs, RoundTrip } from './empty.ts';
import type { FigureReport } from './report.ts';
import { idle } from './run.ts';

export interface Figure {
  readonly section: string;
  /** Told how many samples are taken, in quick runs about a fifth of them. */
  readonly measure: (ground: Ground, samples: number) => Promise<FigureReport[]>;
}

export interface Ground {
  readonly heed: Heed;
  /** bench/threads/empty.ts, bundled. */
  readonly empty: URL;
}

export const figures: readonly Figure[] = [
  { section: 'an empty job', measure: emptyJobs },
  { section: 'idle workers', measure: idleWorkers },
  { section: 'asynchronous', measure: asynchronous },
];

function figure(section: string, name: string, value: number, beside = '', other?: number): FigureReport {
  return { kind: 'figure', section, name, beside, value, other };
}

const median = (samples: readonly number[]): number => timing(samples).p50;

/** Calls of a burst back to back. */
const BURST = 100;

async function emptyJobs({ empty }: Ground, samples: number): Promise<FigureReport[]> {
  const section = 'an empty job';
  const { EmptyJobs: Jobs, RoundTrip: Trip } = (await import(empty.href)) as {
    readonly EmptyJobs: typeof EmptyJobs;
    readonly RoundTrip: typeof RoundTrip;
  };
  const jobs = await Jobs.start();
  const trip = new Trip(empty);
  const runs = [
    () => {
      jobs.run();
    },
    () => {
      trip.run();
    },
  ];
  const beside = 'a bare round trip';
  try {
    for (const run of runs) clock(run, 2000);
    const pair = (time: (run: () => void) => number): readonly [number, number] => {
      const taken: [number[], number[]] = [[], []];
      for (let i = 0; i < samples; i++) for (const [at, run] of runs.entries()) taken[at]!.push(time(run));
      return [median(taken[0]), median(taken[1])];
    };
    const burst = pair((run) => clock(run, BURST, BURST) / BURST);
    const rows = [figure(section, 'back to back', burst[0], beside, burst[1])];
    for (const pause of [0.5, 5, 50]) {
      const times = pair((run) => {
        idle(pause);
        return clock(run);
      });
      rows.push(figure(section, `after ${pause} ms`, times[0], beside, times[1]));
    }
    return rows;
  } finally {
    jobs.stop();
    trip.stop();
  }
}

/** What this process takes of the processor while it idles for `ms`. Milliseconds. */
async function taken(ms: number): Promise<number> {
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, ms));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

async function idleWorkers({ heed }: Ground, samples: number): Promise<FigureReport[]> {
  const section = 'idle workers';
  const [alone, engine] = [await heed.createEngine({ threads: 1 }), await heed.createEngine({ threads: 2 })];
  const size = 512;
  const [a, out] = [normal(size * size, 1), new Float32Array(size * size)];
  const call = (each: Engine): void => {
    each.matmul(a, a, { M: size, N: size, K: size, out });
  };
  // Of two threads and of one: in the 10 ms after a job, where a worker spins for 0.1, and in the 300 ms after those.
  const soon: [number[], number[]] = [[], []];
  const later: [number[], number[]] = [[], []];
  for (let i = 0; i < Math.min(40, samples / 2); i++) {
    for (const [at, each] of [engine, alone].entries()) {
      clock(() => {
        call(each);
      }, 2);
      soon[at]!.push(await taken(10));
      later[at]!.push(await taken(300));
    }
  }
  engine.dispose();
  alone.dispose();
  const beside = 'an engine of one thread';
  const row = (name: string, [two, one]: [number[], number[]]): FigureReport =>
    figure(section, name, median(two), beside, median(one));
  return [row('CPU in the 10 ms after a job', soon), row('CPU in the 300 ms after those', later)];
}

/** The longest time that the event loop did not turn while something is awaited. */
async function blocked(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  let going = true;
  const look = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (going) setImmediate(look);
  };
  setImmediate(look);
  await work();
  going = false;
  return longest;
}

async function asynchronous({ heed }: Ground, samples: number): Promise<FigureReport[]> {
  const section = 'asynchronous';
  const [S, heads, headDim] = [1024, 12, 64];
  const engine = await heed.createEngine({ threads: 2 });
  const alone = await heed.createEngine({ threads: 1 });
  const [q, k, v] = [1, 2, 3].map((seed) => normal(S * heads * headDim, seed)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const options = { seqQ: S, heads, headDim, out: new Float32Array(S * heads * headDim) };
  const sync = (each: Engine) => (): void => {
    each.attention(q, k, v, options);
  };
  const later = (): Promise<unknown> => engine.attentionAsync(q, k, v, options);
  for (let i = 0; i < 5; i++) {
    sync(engine)();
    sync(alone)();
    await later();
  }
  const [two, one, result, longest]: [number[], number[], number[], number[]] = [[], [], [], []];
  const rounds = Math.max(9, Math.round(samples / 10));
  for (let i = 0; i < rounds; i++) {
    two.push(clock(sync(engine)));
    one.push(clock(sync(alone)));
    const start = performance.now();
    await later();
    result.push(performance.now() - start);
    longest.push(await blocked(later));
  }
  engine.dispose();
  alone.dispose();
  const name = `attention ${heads} × ${headDim}, S = ${S}`;
  return [
    figure(
      section,
      `${name}: to its result, on one worker`,
      median(result),
      'synchronous, one thread',
      median(one),
    ),
    figure(
      section,
      `${name}: longest the caller was blocked`,
      median(longest),
      'synchronous, two threads',
      median(two),
    ),
  ];
}
