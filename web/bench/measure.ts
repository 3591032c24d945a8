/** Times the contenders of a call and the roof of their builds, in turn, as `npm run bench` does (bench/sample.ts). */
import { BROADCASTS, CHAINS, PEAK_FLOPS, roofBytes, type RoofExports } from '../../bench/roof-loops.ts';
import { clockOf, fit, interleave, settle, type Clock, type Lane } from '../../bench/sample.ts';
import type { Call } from './contenders.ts';
import type { Build, ContenderName, Result, RowReport, Work } from './report.ts';

/** Milliseconds that the quick lanes of a row get, and the plain loops. */
const TIME = { quick: 400, plain: 250 } as const;
const ROUNDS = { quick: [5, 100], plain: [3, 20] } as const;

/**
 * Milliseconds of a sample, at least: a hundred ticks of the page's clock, which is coarser where a page is not isolated (5 µs or 100).
 */
const BURST = crossOriginIsolated ? 0.5 : 10;

/** Loops of a build that do nothing but multiply and add in registers. */
export class Roof {
  readonly build: Build;
  readonly clocks: readonly Clock[];
  /** What the loops computed: no engine may leave them out. */
  sink = 0;

  constructor(build: Build) {
    this.build = build;
    const memory = new WebAssembly.Memory({ initial: 1 });
    const module = new WebAssembly.Module(roofBytes(build));
    const loops = new WebAssembly.Instance(module, { env: { memory } }).exports as RoofExports;
    this.clocks = CHAINS.map((chains) => {
      const steps = Math.round(PEAK_FLOPS / (8 * chains));
      return clockOf(() => (this.sink += loops[`peak${chains}`](BROADCASTS, steps)));
    });
  }
}

/** @param tell is told how much of the row is done */
export function measure(
  work: Work,
  size: number,
  { flops, contenders }: Call,
  roofs: readonly Roof[],
  tell: (part: number) => void,
): { row: RowReport; problems: readonly string[] } {
  const problems: string[] = [];
  const lanes = new Map<ContenderName, Lane>();
  const uses = new Map<ContenderName, number>();
  for (const [i, { name, run, check }] of contenders.entries()) {
    const part = check();
    uses.set(name, part);
    if (part <= 1) lanes.set(name, laneOf(clockOf(run)));
    else problems.push(`${work} ${size}, ${name}: ${part} times its error bound away from float64`);
    tell((0.4 * (i + 1)) / contenders.length);
  }
  const peaks = roofs.map((roof) => {
    const milliseconds = lanes.get(roof.build)?.milliseconds ?? 4;
    return { build: roof.build, lanes: roof.clocks.map((clock) => peakLane(clock, milliseconds)) };
  });
  const slow = [...lanes].filter(([name]) => name === 'plain').map(([, lane]) => lane);
  const quick = [...lanes.values(), ...peaks.flatMap(({ lanes }) => lanes)].filter(
    (lane) => !slow.includes(lane),
  );
  const rounds = fit(TIME.quick, ROUNDS.quick, quick);
  interleave(quick, rounds, slow, fit(TIME.plain, ROUNDS.plain, slow), (part) => {
    tell(0.4 + 0.6 * part);
  });

  const peakOf = new Map<string, number>(
    peaks.map(({ build, lanes }) => {
      const best = Math.min(...lanes.map(({ samples }) => median(samples)));
      return [build, PEAK_FLOPS / best / 1e6];
    }),
  );
  const results = [...lanes].map(([name, { samples }]): [ContenderName, Result] => {
    const milliseconds = median(samples);
    const gflops = flops / milliseconds / 1e6;
    const peak = peakOf.get(name);
    const percent = peak && { percent: (100 * gflops) / peak };
    return [name, { milliseconds, gflops, ...percent, errorOfBound: uses.get(name)! }];
  });
  const row = { work, size, flops, peaks: Object.fromEntries(peakOf), results: Object.fromEntries(results) };
  return { row, problems };
}

/** A lane whose samples are long enough for the clock; warm, as far as the rate has settled. */
function laneOf(clock: Clock): Lane {
  let calls = 1;
  const lengthen = (): void => {
    while (clock(calls) < BURST) calls *= 2;
  };
  lengthen();
  settle(() => clock(calls));
  // Optimised code takes more calls.
  lengthen();
  return { clock, samples: [], calls, milliseconds: clock(calls) / calls };
}

/** Samples of a peak last as long as a call, up to 4 ms: where other programs take slices of the core, they meet as many. */
function peakLane(clock: Clock, milliseconds: number): Lane {
  const one = clock(8) / 8;
  const length = Math.max(BURST, Math.min(4, milliseconds));
  // Of registers only, they have nothing to warm up.
  const unwarmed: Clock = (calls) => clock(calls);
  return { clock: unwarmed, samples: [], calls: Math.max(1, Math.ceil(length / one)), milliseconds: one };
}

/** Not asked of tinybench, as `npm run bench` does: 17 KB in a worker that wants one number. */
function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}
