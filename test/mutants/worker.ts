/** The thread that judges: it has the battery loaded, gets one module after the other, and runs tests on it. */
import { parentPort, workerData } from 'node:worker_threads';
import fc from 'fast-check';
import type { Answer, Question, Start } from './protocol.ts';
import { builds, use } from './stand-in-builds.ts';
import { collect, load, type Registered, type Test } from './stand-in-vitest.ts';

const { build, files } = workerData as Start;
builds.push(build);
// A counterexample is enough: nobody reads the smallest.
fc.configureGlobal({ seed: 20240817, endOnFailure: true });

/** Functions that the module of the moment has entered, if it tells. */
const touched = new Set<number>();
const env = {
  touch: (func: number) => touched.add(func),
  abort: (_message: number, _file: number, line: number) => {
    throw new Error(`assertion failed at line ${line}`);
  },
};
// Engines give a module their memory; the testing builds import more.
const { Instance } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  constructor(module: WebAssembly.Module, imports?: WebAssembly.Imports) {
    super(module, { env: { ...env, ...imports?.env } });
  }
};

const loaded = new Map<string, readonly Registered[]>();
for (const file of files) loaded.set(file, await load(new URL(`../${file}`, import.meta.url)));

const say = (answer: Answer): void => {
  parentPort!.postMessage(answer);
};

async function judge({ bytes, tests, onward }: Question): Promise<void> {
  const collected = new Map<string, Test[]>();
  const testsOf = async (file: string): Promise<Test[]> => {
    const known = collected.get(file) ?? (await collect(loaded.get(file)!));
    collected.set(file, known);
    return known;
  };
  const all = async (): Promise<string[]> => {
    const names: string[] = [];
    for (const file of files) for (const i of (await testsOf(file)).keys()) names.push(`${file}#${i}`);
    return names;
  };
  let at = '';
  try {
    use(new WebAssembly.Module(bytes));
    for (const test of tests.length > 0 ? tests : await all()) {
      at = test;
      const [file, i] = test.split('#') as [string, string];
      say({ kind: 'began', test });
      touched.clear();
      const start = performance.now();
      try {
        const found = (await testsOf(file))[Number(i)];
        if (found === undefined) throw new Error('the test is not there: what is around it failed');
        at = `${file} > ${found.name}`;
        await found.run();
      } catch (error) {
        say({ kind: 'failed', test: at, message: firstLine(error) });
        if (!onward) return;
        continue;
      }
      say({ kind: 'passed', test, ms: performance.now() - start, touched: [...touched] });
    }
  } catch (error) {
    say({ kind: 'failed', test: at, message: firstLine(error) });
  }
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
