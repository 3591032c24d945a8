/** A run of the benchmark: every row is checked, warmed up, and sampled in turn with its group and its own roof. */
import type { Engine } from '../src/index.ts';
import type { Build } from '../test/builds.ts';
import { measureCold } from './cold.ts';
import { describeMachine } from './machine.ts';
import { CHAINS, type Chains } from './roof-loops.ts';
import { Roof, RoofMemory, STREAMS } from './roof.ts';
import type { ContenderName, Report, Result, RoofReport, RowReport, RowRoof } from './report.ts';
import type { Contender, Group, Heed, Ready, Row } from './rows.ts';
import { clock, clockOf, fit, interleave, lane, settle, timing, type Clock, type Lane } from './sample.ts';

/** How much time a row gets. Milliseconds; the counts win where they ask for more. */
interface Plan {
  readonly quickTime: number;
  /** The same for a kernel alone, whose samples are short and even. */
  readonly kernelTime: number;
  readonly quickRounds: readonly [least: number, most: number];
  readonly scriptTime: number;
  readonly scriptRounds: readonly [least: number, most: number];
  /** Which JavaScript contenders there are, and up to how many FLOPs: they do about one a nanosecond. */
  readonly script: readonly ContenderName[];
  readonly scriptFlops: number;
  /** Multiply-adds, times two, that the check of a row may take: so dense are the rows of the result that it looks at. */
  readonly checkFlops: number;
  /** Processes that are started for each figure of a cold start. */
  readonly processes: number;
}

const plans: Readonly<Record<Report['mode'], Plan>> = {
  quick: {
    quickTime: 500,
    kernelTime: 150,
    quickRounds: [5, 200],
    scriptTime: 300,
    scriptRounds: [3, 50],
    script: ['plain'],
    scriptFlops: 3e8,
    checkFlops: 1e8,
    processes: 3,
  },
  full: {
    quickTime: 5000,
    kernelTime: 1000,
    quickRounds: [5, 500],
    scriptTime: 5000,
    scriptRounds: [3, 200],
    script: ['reference', 'plain'],
    scriptFlops: 4e9,
    checkFlops: 4e9,
    processes: 9,
  },
};

/** Bytes of the arrays whose read rates are told: one that fits the second or third cache level, and one that few caches hold. */
const READ = [2 * 2 ** 20, 64 * 2 ** 20];

export interface RunOptions {
  readonly mode: Report['mode'];
  readonly groups: readonly Group[];
  /** The package, its version, and where another process finds it. */
  readonly heed: Heed;
  readonly version: string;
  readonly url: URL;
  /** The bundle that threads of plain JavaScript run. */
  readonly scripts: URL;
  /** Whether processes are started that begin cold. */
  readonly cold: boolean;
  /** Told of each step before it is done: so many rows are, parts of them included. */
  readonly progress: (done: number, text: string) => void;
}

/** Runs the rows. What is wrong in one, or fails, is in its report, and takes nothing from the others. */
export async function run(options: RunOptions): Promise<Report> {
  const { mode, groups, heed, version, url, scripts, progress } = options;
  const machine = describeMachine();
  const engines = await enginesOf(heed);
  const memory = new RoofMemory();
  const roofs = [...engines.keys()].map((build) => new Roof(build, memory));
  for (const roof of roofs)
    for (const chains of CHAINS)
      settle(
        clockOf(() => roof.peak(chains)),
        10,
      );

  const plan = plans[mode];
  const rows: RowReport[] = [];
  const peaks = new Map<string, number[]>();
  for (const group of groups) {
    const tell = (part: number, text: string): void => {
      progress(rows.length + part * group.length, text);
    };
    const readies: Ready[] = [];
    const prepare = (row: Row): Ready => {
      const ready = row.prepare({ heed, engines, scripts }, row.flops <= plan.scriptFlops);
      readies.push(ready);
      return ready;
    };
    try {
      rows.push(...runGroup(group, prepare, roofs, plan, peaks, tell));
    } catch (error) {
      const nothing = (row: Row): RowReport => reportRow(nothingOf(row, String(error)), new Map(), 1, []);
      rows.push(...group.map(nothing));
    }
    for (const { dispose } of readies) dispose();
  }
  const roofReports = describeRoofs(roofs, peaks);
  const builds = [...engines.keys()];
  for (const engine of engines.values()) engine.dispose();
  let cold: Report['cold'];
  const problems: string[] = [];
  if (options.cold) {
    progress(rows.length, 'first calls in new processes');
    try {
      cold = measureCold(url, plan.processes);
    } catch (error) {
      problems.push(`first calls: ${String(error)}`);
    }
  }
  return { version, mode, machine, builds, roofs: roofReports, rows, cold, problems };
}

/** An engine of each build that can run here, baseline first, as in the table. */
export async function enginesOf({ createEngine, EnvironmentError }: Heed): Promise<Map<Build, Engine>> {
  const engines = new Map<Build, Engine>();
  for (const simd of ['baseline', 'relaxed'] as const) {
    try {
      engines.set(simd, await createEngine({ threads: 1, simd }));
    } catch (error) {
      if (!(error instanceof EnvironmentError) || error.code !== 'ERR_NO_RELAXED_SIMD') throw error;
    }
  }
  return engines;
}

/** What is wrong with a result that uses this part of its error bound, in words; nothing up to 1. */
export function problemOf(part: number): string | undefined {
  if (part <= 1) return undefined;
  return Number.isFinite(part)
    ? `is ${part.toPrecision(3)} times its error bound away from float64`
    : 'is not a number where float64 has one, or differs where nothing is rounded';
}

/** A row while it is measured. Who is wrong, or failed, is among the problems only. */
interface Measured {
  readonly row: Row;
  readonly first: ReadonlyMap<ContenderName, number>;
  readonly use: ReadonlyMap<ContenderName, number>;
  readonly checkedEvery: number;
  readonly lanes: ReadonlyMap<ContenderName, Lane>;
  /** Reads of the row's bytes, where they limit it. */
  readonly read: Read | undefined;
  readonly problems: readonly string[];
}

/** A lane for each number of streams, and what they read. */
interface Read {
  readonly lanes: readonly Lane[];
  readonly bytes: number;
  readonly shared: boolean;
}

function runGroup(
  group: Group,
  prepare: (row: Row) => Ready,
  roofs: readonly Roof[],
  plan: Plan,
  peaks: Map<string, number[]>,
  tell: (part: number, text: string) => void,
): RowReport[] {
  roofs[0]?.memory.clear();
  // Pass 1 and 2: each runs once, what it computed is checked, and it is warmed up.
  const measured = group.map((row, i) => {
    const name = `${row.section} ${row.name}`;
    tell((0.4 * i) / group.length, `${name}: checked and warmed up`);
    try {
      return warmUp(row, prepare(row), roofs, plan);
    } catch (error) {
      return nothingOf(row, String(error));
    }
  });
  const peakLanes = roofs.flatMap((roof) =>
    CHAINS.map((chains) => ({ roof, chains, lane: peakLane(roof, chains, measured[0]!.lanes) })),
  );

  // Pass 3: samples, in turn.
  const lanesOf = (wanted: (name: ContenderName) => boolean): Lane[] =>
    measured.flatMap(({ lanes }) => [...lanes].filter(([name]) => wanted(name)).map(([, each]) => each));
  const quick = [
    ...lanesOf(isHeed),
    ...measured.flatMap(({ read }) => read?.lanes ?? []),
    ...peakLanes.map((each) => each.lane),
  ];
  const script = lanesOf((name) => !isHeed(name));
  const time = group.length * (group[0]?.section === 'kernels' ? plan.kernelTime : plan.quickTime);
  const rounds = fit(time, plan.quickRounds, quick);
  const scriptRounds = fit(plan.scriptTime, plan.scriptRounds, script);
  const others = group.length === 1 ? '' : ` and ${group.length - 1} beside it`;
  const names = `${group[0]!.section} ${group[0]!.name}${others}`;
  let told = -Infinity;
  const core = coreShare(() => {
    interleave(quick, rounds, script, scriptRounds, (part) => {
      // Drawing costs time and caches: once a second.
      if (performance.now() < told + 1000) return;
      told = performance.now();
      tell(0.4 + 0.6 * part, `${names}: ${rounds} samples each, in turn`);
    });
  });

  // Pass 4: roofs, and what was reached of them.
  const peak = new Map<Build, number>();
  for (const { roof, chains, lane: each } of peakLanes) {
    const rate = roof.peak(chains) / timing(each.samples).p50 / 1e6;
    const key = `${roof.build} ${chains}`;
    peaks.set(key, [...(peaks.get(key) ?? []), rate]);
    peak.set(roof.build, Math.max(peak.get(roof.build) ?? 0, rate));
  }
  return measured.map((each) => reportRow(each, peak, core, measured));
}

/** Runs each contender once, checks what it computed, and warms up those that are right. */
function warmUp(row: Row, ready: Ready, roofs: readonly Roof[], plan: Plan): Measured {
  const problems: string[] = [];
  const first = new Map<ContenderName, number>();
  const contenders = ready.contenders
    .filter(({ name }) => isHeed(name) || plan.script.includes(name))
    .map((each) => ({ name: each.name, clock: guarded(each, problems) }));
  for (const { name, clock } of contenders) {
    const milliseconds = clock(1);
    if (!Number.isNaN(milliseconds)) first.set(name, milliseconds);
  }
  const checkedEvery = strideOf(row.flops / plan.checkFlops);
  const use = new Map<ContenderName, number>();
  for (const [name, part] of ready.check(checkedEvery)) {
    if (!first.has(name)) continue;
    const problem = problemOf(part);
    if (problem === undefined) use.set(name, part);
    else problems.push(`what ${name} computes ${problem}`);
  }
  const warm = new Map<ContenderName, [Clock, milliseconds: number]>();
  for (const { name, clock } of contenders) {
    if (!use.has(name)) continue;
    const milliseconds = settled(clock, first.get(name)!);
    if (!Number.isNaN(milliseconds)) warm.set(name, [clock, milliseconds]);
  }
  // Who is compared in reading is sampled alike: as many calls, behind as many that bring the data back and are not counted.
  const heeds = [...warm].flatMap(([name, [, milliseconds]]) => (isHeed(name) ? [milliseconds] : []));
  const alike = row.roof === 'peak' || heeds.length === 0 ? undefined : Math.max(...heeds);
  const lanes = new Map<ContenderName, Lane>();
  for (const [name, [clock, milliseconds]] of warm)
    lanes.set(name, lane(clock, (isHeed(name) ? alike : undefined) ?? milliseconds));
  const read = alike === undefined ? undefined : readOf(roofs[0]!, row.bytes, alike);
  return { row, first, use, checkedEvery, lanes, read, problems };
}

/** The clock of a contender that is out from where it fails on: NaN, and a word among the problems. */
function guarded({ name, clock }: Contender, problems: string[]): Clock {
  let failed = false;
  return (calls, before) => {
    if (failed) return NaN;
    try {
      return clock(calls, before);
    } catch (error) {
      failed = true;
      problems.push(`${name}: ${String(error)}`);
      return NaN;
    }
  };
}

/** A row that could not begin. */
function nothingOf(row: Row, problem: string): Measured {
  const none = new Map<never, never>();
  return {
    ...{ row, first: none, use: none, checkedEvery: 1, lanes: none, read: undefined },
    problems: [problem],
  };
}

function reportRow(
  { row, first, use, checkedEvery, lanes, read, problems }: Measured,
  peaks: ReadonlyMap<Build, number>,
  core: number,
  group: readonly Measured[],
): RowReport {
  const { section, name, flops, bytes, roof, beside } = row;
  const roofs: Partial<Record<Build, RowRoof>> = {};
  const readTime = read && Math.min(...read.lanes.map(({ samples }) => timing(samples).p50));
  for (const [build, peak] of peaks) {
    roofs[build] = {
      peak: roof === 'read' ? undefined : peak,
      read: read && read.bytes / readTime! / 1e6,
      readBytes: read?.bytes,
      readShared: read?.shared,
    };
  }
  const base = group.find((each) => each.row.name === beside)?.lanes;
  const results: Partial<Record<ContenderName, Result>> = {};
  for (const [contender, { samples }] of lanes) {
    if (samples.some(Number.isNaN)) continue;
    const times = timing(samples);
    const { peak, read } = (isHeed(contender) ? roofs[contender] : undefined) ?? {};
    const needed = (peak ? flops / peak : 0) / 1e6 + (read ? bytes / read : 0) / 1e6;
    const other = base?.get(contender)?.samples.filter((each) => !Number.isNaN(each));
    results[contender] = {
      timing: times,
      first: first.get(contender)!,
      rate: (flops || bytes) / times.p50 / 1e6,
      percent: isHeed(contender) ? (100 * needed) / times.p50 : undefined,
      ratio: other?.length ? times.p50 / timing(other).p50 : undefined,
      errorOfBound: use.get(contender)!,
    };
  }
  return { section, name, flops, bytes, roof, roofs, beside, checkedEvery, core, results, problems };
}

function isHeed(name: ContenderName): name is Build {
  return name === 'baseline' || name === 'relaxed';
}

/**
 * Peak samples last as long as a call of the kernels, up to 4 ms: where other programs take slices of the core, a short
 * sample would mostly be spared and a long call never.
 */
function peakLane(roof: Roof, chains: Chains, lanes: ReadonlyMap<ContenderName, Lane>): Lane {
  // Of registers only, it has nothing to warm up.
  const peak: Clock = (calls) => clock(() => roof.peak(chains), calls);
  const { milliseconds } = lanes.get(roof.build) ?? { milliseconds: 4 };
  const one = peak(1);
  return { ...lane(peak, one), calls: Math.max(1, Math.round(Math.min(4, milliseconds) / one)) };
}

/**
 * Lanes that read so many bytes, each its own, warm, and sampled as a call of so many milliseconds is. The loops hold no multiply-add:
 * those of one build are those of all, and two lanes beside heed's two leave heed's data as much of the caches as theirs.
 */
function readOf(roof: Roof, bytes: number, milliseconds?: number): Read {
  const all = STREAMS.map((streams) => {
    const array = roof.memory.array(bytes);
    const read = clockOf(() => roof.read(array, streams));
    const own = settle(read, 5);
    return { array, lane: lane(read, milliseconds ?? own) };
  });
  return {
    lanes: all.map(({ lane }) => lane),
    bytes: Math.min(...all.map(({ array }) => array.bytes)),
    shared: all.some(({ array }) => array.shared),
  };
}

/** Milliseconds of a warm call. A slow one is warm after one: V8 replaces running loops, and heed has many calls of wasm in it. */
function settled(clock: Clock, first: number): number {
  return first > 250 ? first : settle(clock);
}

/** What part of the time this program had a core to itself, and not other programs. V8's helper threads count too. */
function coreShare(run: () => void): number {
  const before = process.cpuUsage();
  const elapsed = clock(run);
  const { user, system } = process.cpuUsage(before);
  return Math.min(1, (user + system) / 1000 / elapsed);
}

/** Without the factors 2 and 3, so that it meets every row of a register tile and every head. */
export function strideOf(atLeast: number): number {
  let stride = Math.max(1, Math.ceil(atLeast));
  while (stride % 2 === 0 || stride % 3 === 0) stride++;
  return stride;
}

/** Peaks as the rows saw them; reads, of an array that a cache holds and of one that few do, now. */
function describeRoofs(roofs: readonly Roof[], peaks: ReadonlyMap<string, readonly number[]>): RoofReport[] {
  const [loops] = roofs;
  loops?.memory.clear();
  const all = loops === undefined ? [] : READ.map((wanted) => ({ wanted, ...readOf(loops, wanted) }));
  const reads = all.filter(({ wanted, bytes }) => bytes === wanted);
  interleave(
    reads.flatMap(({ lanes }) => lanes),
    30,
    [],
    0,
  );
  const read = reads.map(({ bytes, lanes }) => {
    const fastest = Math.min(...lanes.map(({ samples }) => timing(samples).min));
    return { bytes, rate: bytes / fastest / 1e6 };
  });
  return roofs.map((roof) => {
    const chains = Object.fromEntries(
      CHAINS.map((n) => [n, timing(peaks.get(`${roof.build} ${n}`) ?? [0]).p50]),
    ) as Record<Chains, number>;
    return { build: roof.build, peak: Math.max(...Object.values(chains)), chains, read };
  });
}
