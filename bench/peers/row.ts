/**
 * One row, in a process of its own, so that no peer meets what another row left in memory, and one that aborts takes nothing
 * with it: `fork('row.ts', [section, name, mode])` sends a RowOutcome. All ways of all peers run in this one process: each
 * once, and what it gives is checked; then all are warmed up; then all are sampled in turn.
 */
import { use } from '../../test/laws.ts';
import type { Report } from '../report.ts';
import { problemOf, strideOf } from '../run.ts';
import { lane, timing } from '../sample.ts';
import type { Peer, Running, Task, Way } from './peer.ts';
import { peers } from './peers.ts';
import type { Outcome, RowOutcome } from './report.ts';
import { lawOf, rows, type PeerRow } from './rows.ts';
import { interleavePeers, peerClockOf, settlePeer, type PeerClock, type PeerLane } from './sample.ts';

/** How much a row gets, milliseconds and samples a contender. */
const plans = {
  quick: { time: 1000, samples: [5, 60], checkFlops: 5e7 },
  full: { time: 4000, samples: [9, 200], checkFlops: 2e8 },
} as const;

/** A peer whose one call takes longer is not sampled, and one whose call takes half of it has no other warm-up. Milliseconds. */
const TOO_SLOW = 2500;

interface Contender {
  readonly peer: Peer;
  readonly way: Way;
  readonly running: Running;
  readonly first: number;
  readonly clock: PeerClock;
  readonly errorOfBound: number;
}

const [, , section, name, mode] = process.argv;
const row = rows.find((each) => each.section === section && each.name === name)!;
process.send!(await runRow(row, mode as Report['mode']));
process.disconnect();

async function runRow(row: PeerRow, mode: Report['mode']): Promise<RowOutcome> {
  const { section, name, flops, bar } = row;
  const { time, samples, checkFlops } = plans[mode];
  const task = row.task();
  const stride = strideOf(flops / checkFlops);
  const outcomes: Outcome[] = [];
  const lanes: (readonly [Contender, PeerLane])[] = [];

  // Pass 1: each runs once, and what it gives is checked.
  const contenders: Contender[] = [];
  for await (const each of begin(row, task, stride)) {
    if ('problem' in each) outcomes.push(each);
    else contenders.push(each);
  }

  // Pass 2: warm-up.
  for (const each of contenders) {
    const { clock, first, peer, way, errorOfBound } = each;
    const slowness = peer.name === 'heed' ? 0 : first / TOO_SLOW;
    if (slowness > 1) {
      outcomes.push({ ...named(peer, way), first, errorOfBound });
      continue;
    }
    const settled = slowness > 0.5 ? first : await settlePeer(clock);
    lanes.push([each, lane(clock, settled)]);
  }

  // Pass 3: samples, in turn.
  const counts = lanes.map(([, { milliseconds, calls }]) =>
    Math.round(Math.min(samples[1], Math.max(samples[0], time / (milliseconds * calls)))),
  );
  const [start, before] = [performance.now(), process.cpuUsage()];
  await interleavePeers(
    lanes.map(([, each]) => each),
    counts,
  );
  const { user, system } = process.cpuUsage(before);
  const core = Math.min(1, (user + system) / 1000 / (performance.now() - start));

  for (const [{ peer, way, first, errorOfBound }, each] of lanes)
    outcomes.push({ ...named(peer, way), first, errorOfBound, timing: timing(each.samples) });
  for (const { running } of contenders) await running.dispose();
  return { section, name, flops, bar, core, checkedEvery: stride, outcomes };
}

function named(peer: Peer, { name, aside }: Way): Pick<Outcome, 'peer' | 'way' | 'aside'> {
  return { peer: peer.name, way: name, ...(aside ? { aside } : {}) };
}

/** Every way of every peer, prepared, run once and checked; or what is wrong with it. */
async function* begin(
  row: PeerRow,
  task: Task,
  stride: number,
): AsyncGenerator<Contender | Required<Problem>> {
  const laws = new Map<Peer['order'], ReturnType<typeof lawOf>>();
  for (const peer of peers) {
    const law = laws.get(peer.order) ?? lawOf(task, peer.order, stride);
    laws.set(peer.order, law);
    let ways;
    try {
      ways = (await peer.load())(task);
    } catch (error) {
      yield { peer: peer.name, way: '', problem: words(error) };
      continue;
    }
    for (const way of ways) {
      try {
        const running = await way.prepare();
        const start = performance.now();
        const result = running.run();
        const out = await result;
        const first = performance.now() - start;
        const clock = running.clock ?? peerClockOf(running.run, result instanceof Promise);
        const errorOfBound = Math.max(...law.map((piece) => use(out, piece.law, piece.at)));
        const problem = problemOf(errorOfBound);
        yield problem === undefined
          ? { peer, way, running, first, clock, errorOfBound }
          : { peer: peer.name, way: way.name, problem: `what it computes ${problem}` };
      } catch (error) {
        yield { peer: peer.name, way: way.name, problem: words(error) };
      }
    }
  }
}

type Problem = Pick<Outcome, 'peer' | 'way' | 'problem'>;

/** The first line of what was thrown, without the place in the sources of onnxruntime. */
function words(error: unknown): string {
  const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  return line.replace(/^.*ERROR_MESSAGE: (.*\(\) )?/, '');
}
