/** The benchmark off the page's thread: all that is timed runs here, and on the threads of the engine that is made here. */
import { createEngine, EnvironmentError, type Engine } from 'heed';
import { version } from '../../package.json';
import { prepare } from './contenders.ts';
import { Roof, measure } from './measure.ts';
import {
  SIZES,
  WORKS,
  type Build,
  type ContenderName,
  type Order,
  type RowReport,
  type Told,
} from './report.ts';

addEventListener('message', ({ data }: MessageEvent<Order>) => {
  // What is thrown here is an error of the worker, which the page shows.
  run(data).catch(reportError);
});

function tell(told: Told): void {
  postMessage(told);
}

async function run({ largest }: Order): Promise<void> {
  tell({ kind: 'step', done: 0, text: 'starting the engines' });
  const engines = new Map<ContenderName, Engine>();
  const builds: Build[] = [];
  for (const simd of ['baseline', 'relaxed'] as const) {
    try {
      engines.set(simd, await createEngine({ threads: 1, simd }));
      builds.push(simd);
    } catch (error) {
      if (!(error instanceof EnvironmentError) || error.code !== 'ERR_NO_RELAXED_SIMD') throw error;
    }
  }
  const all = await createEngine();
  if (all.features.threads > 1) engines.set('threads', all);
  const roofs = builds.map((build) => new Roof(build));

  const rows: RowReport[] = [];
  const problems: string[] = [];
  const sizes = SIZES.filter((size) => size <= largest);
  const total = WORKS.length * sizes.length;
  for (const work of WORKS) {
    for (const size of sizes) {
      const step = (part: number): void => {
        tell({ kind: 'step', done: (rows.length + part) / total, text: `${work}, size ${size}` });
      };
      step(0);
      const measured = measure(work, size, prepare(work, size, engines), roofs, step);
      rows.push(measured.row);
      problems.push(...measured.problems);
      tell({ kind: 'row', row: measured.row });
    }
  }
  const report = {
    ...{ version, date: new Date().toISOString(), browser: navigator.userAgent },
    ...{ cores: navigator.hardwareConcurrency, isolated: crossOriginIsolated, features: all.features },
    ...{ rows, problems },
  };
  for (const engine of new Set([...engines.values(), all])) engine.dispose();
  tell({ kind: 'end', report });
}
