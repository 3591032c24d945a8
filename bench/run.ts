/** A run of the benchmark: every row is checked, warmed up, and sampled in turn with its own roof. */
import { availableParallelism, arch, cpus, loadavg, platform } from 'node:os';
import type { Engine } from '../src/index.ts';
import { builds, type Build } from '../test/builds.ts';
import { CHAINS, LARGE, Roof, type Chains } from './roof.ts';
import type { ContenderName, Machine, Report, Result, RoofReport, RowReport } from './report.ts';
import type { Contender, Row } from './rows.ts';
import { loadShipped } from './shipped.ts';
import { clock, interleave, lane, settle, timing, type Lane } from './sample.ts';

/** How much time a row gets. Milliseconds; the counts win where they ask for more. */
interface Plan {
  readonly quickTime: number;
  /** The same for a kernel alone, whose samples are short and even. */
  readonly kernelTime: number;
  readonly quickRounds: readonly [least: number, most: number];
  readonly slowTime: number;
  readonly slowRounds: readonly [least: number, most: number];
  /** A JavaScript contender whose one call takes longer is not sampled. */
  readonly tooSlow: number;
  /** Multiply-adds, times two, that the check of a row may take: so dense are the rows of the result that it looks at. */
  readonly checkFlops: number;
}

const plans: Readonly<Record<Report['mode'], Plan>> = {
  quick: {
    quickTime: 800,
    kernelTime: 150,
    quickRounds: [15, 200],
    slowTime: 500,
    slowRounds: [3, 15],
    tooSlow: 2500,
    checkFlops: 1e8,
  },
  full: {
    quickTime: 5000,
    kernelTime: 1000,
    quickRounds: [40, 500],
    slowTime: 5000,
    slowRounds: [3, 30],
    checkFlops: Infinity,
    tooSlow: 5000,
  },
};

/** Bytes of the smaller array whose read rate is told: it fits the second or third cache level. */
const SMALL = 2 * 2 ** 20;

/** A contender computed something outside the error bound: nothing is timed then. */
export class WrongResult extends Error {
  override readonly name = 'WrongResult';
}

export interface RunOptions {
  readonly mode: Report['mode'];
  readonly rows: readonly Row[];
  /** Told of each row before it is run. */
  readonly progress?: (done: number, row: Row) => void;
}

/** Runs the rows. WrongResult if a contender breaks the law. */
export async function run({ mode, rows, progress }: RunOptions): Promise<Report> {
  const machine = describeMachine();
  const engines = new Map<Build, Engine>();
  // Baseline first, as in the table.
  const { createEngine } = await loadShipped();
  for (const build of [...builds].reverse()) engines.set(build, await createEngine({ simd: build }));
  const roofs = [...engines.keys()].map((build) => new Roof(build));
  for (const roof of roofs) for (const chains of CHAINS) settle(() => roof.peak(chains), 10);

  const reports: RowReport[] = [];
  const peaks = new Map<string, number[]>();
  for (const [done, row] of rows.entries()) {
    progress?.(done, row);
    reports.push(runRow(row, engines, roofs, plans[mode], peaks));
  }
  const roofReports = describeRoofs(roofs, peaks);
  for (const engine of engines.values()) engine.dispose();
  return { mode, machine, builds: [...engines.keys()], roofs: roofReports, rows: reports };
}

/** WrongResult if a contender used more than its error bound. */
export function requireRight(
  { section, name }: Pick<Row, 'section' | 'name'>,
  use: ReadonlyMap<ContenderName, number>,
): void {
  for (const [contender, part] of use) {
    if (part <= 1) continue;
    const problem = Number.isFinite(part)
      ? `is ${part.toPrecision(3)} times its error bound away from float64`
      : 'is not a number where float64 has one, or differs where nothing is rounded';
    throw new WrongResult(`${section} ${name}: what ${contender} computes ${problem}`);
  }
}

function runRow(
  row: Row,
  engines: ReadonlyMap<Build, Engine>,
  roofs: readonly Roof[],
  plan: Plan,
  peaks: Map<string, number[]>,
): RowReport {
  const ready = row.prepare(engines);

  // Pass 1: each runs once, and what it computed is checked.
  const first = new Map(ready.contenders.map(({ name, run }) => [name, clock(run)]));
  const checkedEvery = strideOf(row.flops / plan.checkFlops);
  const use = ready.check(checkedEvery);
  requireRight(row, use);

  // Pass 2: warm-up.
  const contenders = ready.contenders.filter(({ name }) => isHeed(name) || first.get(name)! <= plan.tooSlow);
  const lanes = new Map<ContenderName, Lane>();
  for (const each of contenders) lanes.set(each.name, lane(each.run, warmUp(each, first.get(each.name)!)));
  const peakLanes = roofs.flatMap((roof) =>
    CHAINS.map((chains) => ({ roof, chains, lane: peakLane(roof, chains, lanes) })),
  );
  const { bytes } = row;
  const readLanes =
    bytes === undefined
      ? []
      : roofs.map((roof) => ({
          roof,
          lane: lane(
            () => roof.read(bytes),
            settle(() => roof.read(bytes), 5),
          ),
        }));

  // Pass 3: samples, in turn.
  const heed = contenders.filter(({ name }) => isHeed(name)).map(({ name }) => lanes.get(name)!);
  const script = contenders.filter(({ name }) => !isHeed(name)).map(({ name }) => lanes.get(name)!);
  const quick = [...heed, ...peakLanes.map((each) => each.lane), ...readLanes.map((each) => each.lane)];
  const time = row.section === 'kernels' ? plan.kernelTime : plan.quickTime;
  const rounds = fit(time, plan.quickRounds, quick);
  const slowRounds = fit(plan.slowTime, plan.slowRounds, script);
  const core = coreShare(() => {
    interleave(quick, rounds, script, slowRounds);
  });

  // Pass 4: rates and roofs.
  const rowRoofs: Partial<Record<Build, number>> = {};
  for (const { roof, chains, lane: each } of peakLanes) {
    const rate = roof.peak(chains) / timing(each.samples).p50 / 1e6;
    const key = `${roof.build} ${chains}`;
    peaks.set(key, [...(peaks.get(key) ?? []), rate]);
    if (bytes === undefined) rowRoofs[roof.build] = Math.max(rowRoofs[roof.build] ?? 0, rate);
  }
  for (const { roof, lane: each } of readLanes)
    rowRoofs[roof.build] = bytes! / timing(each.samples).p50 / 1e6;
  const results: Partial<Record<ContenderName, Result>> = {};
  for (const { name } of ready.contenders) {
    const samples = lanes.get(name)?.samples;
    const times = samples && timing(samples);
    const reached = times && (bytes ?? row.flops) / times.p50 / 1e6;
    const rate = times && row.flops > 0 ? row.flops / times.p50 / 1e6 : reached;
    const roof = isHeed(name) ? rowRoofs[name] : undefined;
    results[name] = {
      timing: times,
      first: first.get(name)!,
      rate,
      percent: reached !== undefined && roof !== undefined ? (100 * reached) / roof : undefined,
      errorOfBound: use.get(name)!,
    };
  }
  ready.dispose();
  const { section, name, flops } = row;
  const roof = bytes === undefined ? 'peak' : 'read';
  return { section, name, flops, roof, bytes, roofs: rowRoofs, checkedEvery, core, results };
}

function isHeed(name: ContenderName): name is Build {
  return name === 'baseline' || name === 'relaxed';
}

/**
 * Peak samples last as long as a call of the kernels, up to 4 ms: where other programs take slices of the core, a short
 * sample would mostly be spared and a long call never.
 */
function peakLane(roof: Roof, chains: Chains, lanes: ReadonlyMap<ContenderName, Lane>): Lane {
  const run = (): number => roof.peak(chains);
  const { milliseconds } = lanes.get(roof.build)!;
  return {
    ...lane(run, milliseconds),
    calls: Math.max(1, Math.round(Math.min(4, milliseconds) / clock(run))),
  };
}

/** Milliseconds of a warm call. A slow JavaScript contender is warm after one: V8 replaces running loops. */
function warmUp({ name, run }: Contender, first: number): number {
  if (!isHeed(name) && first > 250) return first;
  return settle(run);
}

/** What part of the time this program had a core to itself, and not other programs. V8's helper threads count too. */
function coreShare(run: () => void): number {
  const before = process.cpuUsage();
  const elapsed = clock(run);
  const { user, system } = process.cpuUsage(before);
  return Math.min(1, (user + system) / 1000 / elapsed);
}

/** Rounds that fit into the time. */
function fit(time: number, [least, most]: readonly [number, number], lanes: readonly Lane[]): number {
  if (lanes.length === 0) return 0;
  let round = 0;
  for (const { run, calls } of lanes) round += clock(run, calls);
  return Math.round(Math.min(most, Math.max(least, time / round)));
}

/** Without the factors 2 and 3, so that it meets every row of a register tile and every head. */
function strideOf(atLeast: number): number {
  let stride = Math.max(1, Math.ceil(atLeast));
  while (stride % 2 === 0 || stride % 3 === 0) stride++;
  return stride;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: availableParallelism(),
    system: `${platform()} ${arch()}`,
    node: process.versions.node,
    v8: process.versions.v8,
    date: new Date().toISOString(),
    load: loadavg()[0]!,
  };
}

/** Peaks as the rows saw them; reads, of an array that a cache holds and of one that none does, now. */
function describeRoofs(roofs: readonly Roof[], peaks: ReadonlyMap<string, readonly number[]>): RoofReport[] {
  const reads = roofs.flatMap((roof) =>
    [SMALL, LARGE].map((bytes) => {
      const read = (): number => roof.read(bytes);
      return { roof, bytes, lane: lane(read, settle(read, 20)) };
    }),
  );
  interleave(
    reads.map((each) => each.lane),
    30,
    [],
    0,
  );
  return roofs.map((roof) => {
    const chains = Object.fromEntries(
      CHAINS.map((n) => [n, timing(peaks.get(`${roof.build} ${n}`)!).p50]),
    ) as Record<Chains, number>;
    const read = reads
      .filter((each) => each.roof === roof)
      .map(({ bytes, lane: { samples } }) => ({ bytes, rate: bytes / timing(samples).min / 1e6 }));
    return { build: roof.build, peak: Math.max(...Object.values(chains)), chains, read };
  });
}
