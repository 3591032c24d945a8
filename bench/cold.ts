/**
 * Cold starts: how long the first call takes in a process that has just begun. Each figure is the median over several
 * processes of this Node, started one after the other.
 */
import { spawnSync } from 'node:child_process';
import type { Features } from '../src/index.ts';
import type { ColdReport } from './report.ts';
import { timing } from './sample.ts';

/** The textbook's call, from before the import on. */
const small = (url: string): string => `
  const start = performance.now();
  const { attention } = await import('${url}');
  attention(new Float32Array(6), new Float32Array(6), new Float32Array(6), { seqQ: 3, headDim: 2 });
  console.log(JSON.stringify({ small: performance.now() - start }));`;

/** 12 × 64, S = 1024: the first call of the process, then the median of those after ten more. */
const large = (url: string): string => `
  import { attention, createEngine } from '${url}';
  const options = { seqQ: 1024, heads: 12, headDim: 64, out: new Float32Array(1024 * 768) };
  const [q, k, v] = [1, 2, 3].map((n) => Float32Array.from({ length: 1024 * 768 }, (_, i) => Math.sin(n * i)));
  const time = () => {
    const start = performance.now();
    attention(q, k, v, options);
    return performance.now() - start;
  };
  const first = time();
  for (let i = 0; i < 10; i++) time();
  const times = Array.from({ length: 9 }, time).sort((a, b) => a - b);
  const { features } = await createEngine({ threads: 1 });
  console.log(JSON.stringify({ first, settled: times[4], build: features.simd }));`;

/**
 * Starts the processes.
 *
 * @param url of heed's module, as shipped
 */
export function measureCold({ href }: URL, processes: number): ColdReport {
  const smalls = Array.from({ length: 3 * processes }, () => start(small(href)) as { small: number });
  const larges = Array.from(
    { length: processes },
    () => start(large(href)) as { first: number; settled: number; build: Features['simd'] },
  );
  const median = (times: readonly number[]): number => timing(times).p50;
  return {
    build: larges[0]!.build,
    first: median(larges.map(({ first }) => first)),
    settled: median(larges.map(({ settled }) => settled)),
    small: median(smalls.map((each) => each.small)),
  };
}

/** What a new process says. */
function start(program: string): unknown {
  const { status, stdout, stderr, error } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  );
  if (error) throw error;
  if (status !== 0) throw new Error(`a new process ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}
