/**
 * What the options of attention cost: `npm run bench:options` times pairs of calls side by side, a call with an option and
 * the same without, and decoding against what reading the cache and multiplying must take. Results are checked before
 * anything is timed. Ratios are medians of many samples taken in turn inside one run, per build.
 */
import Table from 'cli-table3';
import colors from 'picocolors';
import type { AttentionCall, AttentionOptions, AttentionShape, Engine } from '../src/index.ts';
import { builds } from '../test/builds.ts';
import { normal } from '../test/data.ts';
import { attentionLaw, every, use } from '../test/laws.ts';
import { CHAINS, LARGE, Roof } from './roof.ts';
import { interleave, lane, settle, timing, type Lane } from './sample.ts';
import { loadShipped } from './shipped.ts';

interface Sample {
  readonly run: () => unknown;
  readonly release: () => void;
}

/** A ratio: how long `what` takes, in units of what `base` gives in the same run. */
interface Pair {
  readonly name: string;
  /** Most that the ratio may be, where something was promised. */
  readonly bar: number | undefined;
  readonly what: (engine: Engine) => Sample;
  readonly base: { readonly name: string; readonly of: (engine: Engine) => Sample } | Needs;
}

/** What decoding must do at least: read these bytes once at the rate of `read`, and multiply at `peak`. */
interface Needs {
  readonly bytes: number;
  readonly flops: number;
}

type Dense = AttentionShape & AttentionOptions;

/** Outputs of these many rows are compared with float64. */
const CHECKED_ROWS = 3;

function check(
  out: Float32Array,
  [q, k, v]: readonly [Float32Array, Float32Array, Float32Array],
  options: AttentionCall,
  count: number,
): void {
  for (const row of attentionLaw(q, k, v, options, every(Math.ceil(count / CHECKED_ROWS) + 1, count))) {
    const part = use(out, row.out('blocks'), row.at);
    if (!(part <= 1)) throw new Error(`row ${row.row} is ${part} times its error bound away from float64`);
  }
}

/** 12 heads of 64, as BERT-base. */
function prefill(seqQ: number, more: Partial<Dense>): (engine: Engine) => Sample {
  const options: Dense = { seqQ, heads: 12, headDim: 64, ...more };
  return (engine) => {
    const size = seqQ * 12 * 64;
    const [q, k, v, out] = [normal(size, 1), normal(size, 2), normal(size, 3), new Float32Array(size)];
    const run = (): unknown => engine.attention(q, k, v, { ...options, out });
    run();
    check(out, [q, k, v], options, 12 * seqQ);
    return { run, release: () => undefined };
  };
}

/** One token against a cache, headDim 128. */
function decode(
  heads: number,
  kvHeads: number,
  keys: number,
  dtype: 'f32' | 'f16',
): (engine: Engine) => Sample {
  return (engine) => {
    const [headDim, chunk] = [128, 1024];
    const cache = engine.kvCache({ kvHeads, headDim, capacity: keys, dtype });
    const [k, v] = [normal(chunk * kvHeads * headDim, 1), normal(chunk * kvHeads * headDim, 2)];
    for (let at = 0; at < keys; at += chunk) cache.append(k, v);
    const [q, out] = [normal(heads * headDim, 3), new Float32Array(heads * headDim)];
    const run = (): unknown => cache.attend(q, { heads, out });
    run();
    if (dtype === 'f32') {
      const repeated = (x: Float32Array): Float32Array => {
        const all = new Float32Array((x.length * keys) / chunk);
        for (let at = 0; at < all.length; at += x.length) all.set(x, at);
        return all;
      };
      const options = { seqQ: 1, seqK: keys, heads, kvHeads, headDim };
      check(out, [q, repeated(k), repeated(v)], options, heads);
    }
    return {
      run,
      release: () => {
        cache.dispose();
      },
    };
  };
}

const against = (name: string, of: (engine: Engine) => Sample): Pair['base'] => ({ name, of });
const plain = (seqQ: number): Pair['base'] => against(`full, S = ${seqQ}`, prefill(seqQ, {}));

/** Reads of K and V as float32, and the two products. */
function needs(heads: number, kvHeads: number, keys: number): Needs {
  return { bytes: 2 * 4 * kvHeads * keys * 128, flops: 4 * heads * keys * 128 };
}

const ones = (length: number): Uint8Array => new Uint8Array(length).fill(1);

const pairs: readonly Pair[] = [
  {
    name: 'padding mask [1, 1, 1, S], S = 1024',
    bar: 1.05,
    what: prefill(1024, { mask: { data: ones(1024), shape: [1, 1, 1, 1024] } }),
    base: plain(1024),
  },
  { name: 'keyLengths, S = 1024', bar: 1.05, what: prefill(1024, { keyLengths: [1024] }), base: plain(1024) },
  { name: 'causal, S = 2048', bar: 0.6, what: prefill(2048, { causal: true }), base: plain(2048) },
  {
    name: 'causal window of 256, S = 4096',
    bar: 0.2,
    what: prefill(4096, { causal: true, window: [255, 0] }),
    base: plain(4096),
  },
  {
    name: 'mask [S, S] of random bytes, S = 1024',
    bar: undefined,
    what: prefill(1024, { mask: Uint8Array.from(normal(1024 * 1024, 4), (x) => Number(x > 0)) }),
    base: plain(1024),
  },
  {
    name: 'bias [S, S], S = 1024',
    bar: undefined,
    what: prefill(1024, { bias: normal(1024 * 1024, 5) }),
    base: plain(1024),
  },
  { name: 'softcap, S = 1024', bar: undefined, what: prefill(1024, { softcap: 50 }), base: plain(1024) },
  {
    name: 'alibi, S = 1024',
    bar: undefined,
    what: prefill(1024, { alibi: normal(12, 6, 0.01) }),
    base: plain(1024),
  },
  {
    name: 'decode 32/8 × 128, 4096 keys',
    bar: 1.6,
    what: decode(32, 8, 4096, 'f32'),
    base: needs(32, 8, 4096),
  },
  {
    name: 'decode 32/8 × 128, 16384 keys',
    bar: 1.6,
    what: decode(32, 8, 16384, 'f32'),
    base: needs(32, 8, 16384),
  },
  {
    name: 'float16 cache, 32/8 × 128, 4096 keys',
    bar: 1.4,
    what: decode(32, 8, 4096, 'f16'),
    base: against('float32', decode(32, 8, 4096, 'f32')),
  },
  {
    name: 'float16 cache, 32/8 × 128, 16384 keys',
    bar: 1.4,
    what: decode(32, 8, 16384, 'f16'),
    base: against('float32', decode(32, 8, 16384, 'f32')),
  },
  {
    name: 'float16 cache, 32/32 × 128, 16384 keys',
    bar: 1.05,
    what: decode(32, 32, 16384, 'f16'),
    base: against('float32', decode(32, 32, 16384, 'f32')),
  },
];

/** Samples in turn, and their medians: of the call, and of what it is compared with. */
function measure(pair: Pair, engine: Engine, roof: Roof): { readonly time: number; readonly base: number } {
  const what = pair.what(engine);
  const laneOf = (run: () => unknown): Lane => lane(run, settle(run));
  const rounds = (milliseconds: number): number =>
    Math.round(Math.min(60, Math.max(15, 4000 / milliseconds)));
  const mine = laneOf(what.run);
  const { base } = pair;
  try {
    if ('of' in base) {
      const other = base.of(engine);
      const its = laneOf(other.run);
      interleave([mine, its], rounds(mine.milliseconds + its.milliseconds), [], 0);
      other.release();
      return { time: timing(mine.samples).p50, base: timing(its.samples).p50 };
    }
    const read = laneOf(() => roof.read(LARGE));
    const peaks = CHAINS.map((chains) => ({ chains, lane: laneOf(() => roof.peak(chains)) }));
    const lanes = [mine, read, ...peaks.map((each) => each.lane)];
    interleave(lanes, rounds(mine.milliseconds + read.milliseconds), [], 0);
    const rate = Math.max(...peaks.map((each) => roof.peak(each.chains) / timing(each.lane.samples).p50));
    const reading = (base.bytes / LARGE) * timing(read.samples).p50;
    return { time: timing(mine.samples).p50, base: reading + base.flops / rate };
  } finally {
    what.release();
  }
}

const { createEngine } = await loadShipped();
const table = new Table({
  head: ['', 'build', 'compared with', 'time', 'ratio', 'bar'],
  style: { head: [], border: [], compact: true },
  colAligns: ['left', 'left', 'left', 'right', 'right', 'right'],
});
const [only = ''] = process.argv.slice(2);
const chosen = pairs.filter(({ name }) => name.includes(only));
for (const build of [...builds].reverse()) {
  const roof = new Roof(build);
  for (const [i, pair] of chosen.entries()) {
    if (process.stderr.isTTY)
      process.stderr.write(`\r\x1b[2K${build} ${i + 1}/${chosen.length} ${pair.name}`);
    const engine = await createEngine({ simd: build });
    const { time, base } = measure(pair, engine, roof);
    engine.dispose();
    const ratio = time / base;
    const text = ratio.toFixed(2);
    const held = pair.bar === undefined || ratio <= pair.bar;
    const name = 'of' in pair.base ? pair.base.name : 'reading + multiplying';
    const bar = pair.bar === undefined ? '' : `≤ ${pair.bar}`;
    table.push([pair.name, build, name, `${time.toFixed(2)} ms`, held ? text : colors.red(text), bar]);
  }
}
if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K');
console.log(
  `Node ${process.versions.node}, one thread; times are medians, ratios are of medians taken in turn\n`,
);
console.log(table.toString());
