/** The thread that judges: it has the battery loaded, gets one module after the other, and runs tests on it. */
import { parentPort, workerData } from 'node:worker_threads';
import fc from 'fast-check';
import type { Answer, Asked, Question, Start } from './protocol.ts';
import { builds, rounds, touched, use } from './stand-in-builds.ts';
import { collect, load, type Registered, type Test } from './stand-in-vitest.ts';

const { build, files } = workerData as Start;
builds.push(build);
// A counterexample is enough: nobody reads the smallest.
fc.configureGlobal({ seed: 20240817, endOnFailure: true });

const loaded = new Map<string, readonly Registered[]>();
for (const file of files) loaded.set(file, await load(new URL(`../../${file}`, import.meta.url)));

const say = (answer: Answer): void => {
  parentPort!.postMessage(answer);
};

/** The tests of a file, and what is entered where they are set up: a fault in it is any test's to find. */
interface Collected {
  readonly list: readonly Test[];
  readonly entered: readonly number[];
}

/** More than any test goes round loops. */
const MOST = 2 ** 31 - 1;

async function judge({ bytes, tests }: Question): Promise<void> {
  const collected = new Map<string, Collected>();
  const testsOf = async (file: string): Promise<Collected> => {
    let known = collected.get(file);
    if (known === undefined) {
      touched.clear();
      known = { list: await collect(loaded.get(file)!), entered: [...touched] };
      collected.set(file, known);
    }
    return known;
  };
  const asked = async (each: Asked | string): Promise<readonly Asked[]> => {
    if (typeof each !== 'string') return [each];
    return (await testsOf(each)).list.map((_, i) => ({ test: `${each}#${i}`, rounds: MOST }));
  };
  let [test, name] = ['', ''];
  try {
    rounds.value = MOST;
    use(new WebAssembly.Module(bytes));
    const all: Asked[] = [];
    for (const each of tests) all.push(...(await asked(each)));
    for (const each of all) {
      name = test = each.test;
      const [file, i] = test.split('#') as [string, string];
      say({ kind: 'began', test });
      rounds.value = MOST;
      const { list, entered } = await testsOf(file);
      const found = list[Number(i)];
      if (found === undefined) throw new Error('the test is not there: what is around it failed');
      name = `${file} > ${found.name}`;
      touched.clear();
      rounds.value = each.rounds;
      const start = spent();
      await found.run();
      const ms = spent() - start;
      say({
        kind: 'passed',
        test,
        ms,
        touched: [...new Set([...entered, ...touched])],
        rounds: each.rounds - rounds.value,
      });
    }
  } catch (error) {
    say({ kind: 'failed', test, name, message: firstLine(error) });
  }
}

/** Milliseconds of work, whatever else the machine does. The main thread only waits. */
function spent(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function firstLine(error: unknown): string {
  return String(error).split('\n')[0]!.slice(0, 160);
}

parentPort!.on('message', (question: Question) => {
  void judge(question).then(() => {
    say({ kind: 'done' });
  });
});
parentPort!.postMessage({ kind: 'done' } satisfies Answer);
