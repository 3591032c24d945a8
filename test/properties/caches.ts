/**
 * Any sequence of what can be done with caches (P22): each is made, appended to, truncated, attended to and disposed of as
 * random commands say, beside a plain double (test/caches.ts) that says what must be there, what must come out and what must
 * be refused. And one that is filled piece by piece gives what one pass gives (P8).
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { FEW } from '../../common/abi.ts';
import type { AppendOptions, Engine, KVCacheOptions } from '../../src/index.ts';
import { Pair } from '../caches.ts';
import { normal } from '../data.ts';
import { attentionLaw, every, use } from '../laws.ts';
import { fault } from '../nothing-lost.ts';
import { expectSameBits } from '../problems.ts';
import { holds, type Property } from './property.ts';

/** What a command may look at before it runs: caches that are alive, in the order in which they were made. */
interface Model {
  alive: number;
}

interface Real {
  readonly engine: Engine;
  readonly pairs: Pair[];
  readonly happened: Happened;
}

type Command = fc.Command<Model, Real>;

/** How often each thing has happened: what never does is not tested. */
const nothing = {
  ...{ append: 0, attend: 0, lap: 0, full: 0, large: 0, truncate: 0, beyond: 0, lost: 0, dispose: 0 },
};
type Happened = typeof nothing;

/** A number of a range that is known when the command runs, both ends included. */
const among = (choice: number, from: number, to: number): number => from + (choice % (to - from + 1));

function bytesOf({ plain: { options } }: Pair): number {
  const { batch, kvHeads, headDim, valueDim, capacity, dtype } = options;
  const numbers = batch * kvHeads * capacity * (dtype === 'f16' ? 2 : 4);
  const lines = (bytes: number): number => 64 * Math.ceil(bytes / 64);
  return lines(lines(numbers * headDim) + numbers * valueDim);
}

/** The memory that is in use is that of the caches that are alive. */
function expectMemory({ engine, pairs }: Real): void {
  expect(engine.memory.used).toBe(pairs.reduce((sum, pair) => sum + bytesOf(pair), 0));
}

class Create implements Command {
  constructor(readonly options: KVCacheOptions) {}
  check = ({ alive }: Readonly<Model>): boolean => alive < 2;
  run(model: Model, real: Real): void {
    real.pairs.push(new Pair(real.engine, this.options));
    model.alive++;
    expectMemory(real);
  }
  toString = (): string => `create ${JSON.stringify(this.options)}`;
}

/** Does something with one of the caches, then looks at all of it. */
abstract class Use implements Command {
  constructor(readonly which: number) {}
  check = ({ alive }: Readonly<Model>): boolean => alive > 0;
  run(model: Model, real: Real): void {
    const at = this.which % real.pairs.length;
    this.use(real.pairs[at]!, real.happened);
    if (this instanceof Dispose) {
      real.pairs.splice(at, 1);
      model.alive--;
    }
    for (const pair of real.pairs) {
      pair.expectLengths();
      pair.expectContents();
    }
    expectMemory(real);
  }
  abstract use(pair: Pair, happened: Happened): void;
}

class Append extends Use {
  constructor(
    which: number,
    readonly tokens: number,
    readonly part: readonly number[] | undefined,
    readonly layout: 'bshd' | 'bhsd',
    readonly large: boolean,
  ) {
    super(which);
  }
  use(pair: Pair, happened: Happened): void {
    const { plain, cache } = pair;
    const { batch, dtype } = plain.options;
    const counts = this.part?.slice(0, batch).map((choice) => among(choice, 0, this.tokens));
    const options: AppendOptions = { layout: this.layout, ...(counts && { counts }) };
    const [k, v] = pair.make(this.tokens);
    const append = (): void => {
      cache.append(k, v, options);
    };
    const each = counts ?? new Array<number>(batch).fill(this.tokens);
    if (!plain.fits(each)) {
      expect(fault(append).code).toBe('ERR_CACHE_FULL');
      happened.full++;
      return;
    }
    // The last number of the last sequence, which counts only if all of its tokens do.
    const counted = v.length > 0 && each.at(-1) === this.tokens;
    if (this.large && counted && dtype === 'f16') {
      v[v.length - 1] = 1e5;
      expect(fault(append).code).toBe('ERR_RANGE');
      happened.large++;
      return;
    }
    pair.append(this.tokens, options, [k, v]);
    happened.append++;
  }
  override toString(): string {
    return `append ${this.tokens} (${this.part?.join() ?? 'all'}, ${this.layout}) to ${this.which}`;
  }
}

/** Fills a ring more than twice, so that tokens fall out; another cache stays as it is. */
class Lap extends Use {
  use(pair: Pair): void {
    const { ring, capacity } = pair.plain.options;
    for (const tokens of ring ? [capacity, 50, capacity - 7] : []) pair.append(tokens);
  }
  override toString(): string {
    return `a lap of ${this.which}`;
  }
}

class Truncate extends Use {
  constructor(
    which: number,
    readonly choice: number | 'all',
  ) {
    super(which);
  }
  use(pair: Pair, happened: Happened): void {
    const { length } = pair.plain;
    const n = this.choice === 'all' ? 0 : length + 1 - among(this.choice, 0, length + 1);
    if (n <= pair.plain.length) {
      pair.truncate(n);
      happened.truncate++;
      return;
    }
    const truncate = (): void => {
      pair.cache.truncate(n);
    };
    expect(fault(truncate).code).toBe('ERR_RANGE');
    happened.beyond++;
  }
  override toString(): string {
    return `truncate ${this.which} by ${this.choice}`;
  }
}

class Attend extends Use {
  constructor(
    which: number,
    readonly group: number,
    readonly seqQ: number,
    readonly before: number,
    readonly layout: 'bshd' | 'bhsd',
    readonly more: { readonly softcap: number; readonly scale: number },
  ) {
    super(which);
  }
  use(pair: Pair, happened: Happened): void {
    const { plain, cache } = pair;
    const { seqQ, before, layout, more } = this;
    const heads = this.group * plain.options.kvHeads;
    const options = { heads, seqQ, layout, window: [before, 0] as const, ...more };
    if (plain.sees(seqQ, before)) {
      pair.expectAttends(options);
      happened.attend++;
      if (plain.options.ring && plain.lengths.some((n, b) => n > 0 && !plain.holds(b, 0))) happened.lap++;
      return;
    }
    expect(fault(() => cache.attend(pair.query(heads, seqQ), options)).code).toBe('ERR_CACHE_WINDOW');
    happened.lost++;
  }
  override toString(): string {
    return `attend ${this.which} with ${this.seqQ} queries, groups of ${this.group}, ${this.before} before`;
  }
}

class Dispose extends Use {
  use({ cache }: Pair, happened: Happened): void {
    cache.dispose();
    happened.dispose++;
    expect(fault(() => cache.attend(new Float32Array(0), { heads: 1 })).code).toBe('ERR_DISPOSED');
  }
  override toString(): string {
    return `dispose of ${this.which}`;
  }
}

const int = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const layout = fc.constantFrom<'bshd' | 'bhsd'>('bshd', 'bhsd');
const made = fc.record({
  ...{ batch: int(1, 3), kvHeads: int(1, 2), headDim: int(1, 9), valueDim: int(1, 9) },
  capacity: fc.oneof({ weight: 2, arbitrary: int(1, 20) }, int(1, 120)),
  ...{ dtype: fc.constantFrom<'f32' | 'f16'>('f32', 'f16'), ring: fc.boolean() },
});
const part = fc.option(fc.array(fc.nat(), { minLength: 3, maxLength: 3 }), { nil: undefined });
const tokens = fc.oneof({ weight: 3, arbitrary: int(0, 5) }, int(0, 100), int(60, 96));
const before = fc.oneof(int(0, 4), int(0, 95), fc.constant(Infinity));
const more = fc.record({ softcap: fc.constantFrom(0, 3), scale: fc.constantFrom(0.5, -1, 4) });
const commands: fc.Arbitrary<Command>[] = [
  made.map((options) => new Create(options)),
  ...[1, 2, 3, 4, 5].map(() =>
    fc
      .tuple(fc.nat(2), tokens, part, layout, int(0, 9))
      .map(([which, n, counts, lie, large]) => new Append(which, n, counts, lie, large < 5)),
  ),
  fc
    .tuple(fc.nat(2), fc.oneof(int(0, 20), fc.nat(), fc.constant<'all'>('all')))
    .map(([which, n]) => new Truncate(which, n)),
  ...[1, 2, 3].map(() =>
    fc
      .tuple(fc.nat(2), int(1, 5), fc.oneof(int(0, 3), int(1, 20)), before, layout, more)
      .map((given) => new Attend(...given)),
  ),
  fc.nat(2).map((which) => new Lap(which)),
  fc.nat(2).map((which) => new Dispose(which)),
];

const model: Property = {
  name: 'any commands, and every cache is what its plain double is (P22)',
  on: (engine) => {
    const happened = { ...nothing };
    const first = made.map((options) => new Create(options));
    const some = fc.commands(commands, { maxCommands: 20, size: 'max' });
    const property = fc.property(first, some, (create, rest) => {
      const real: Real = { engine, pairs: [], happened };
      const setup = (): { model: Model; real: Real } => {
        const model = { alive: 0 };
        create.run(model, real);
        return { model, real };
      };
      try {
        fc.modelRun(setup, rest);
      } finally {
        for (const { cache } of real.pairs) cache.dispose();
      }
      expect(engine.memory.used).toBe(0);
    });
    return {
      property,
      proves: () => {
        for (const [what, times] of Object.entries(happened)) expect(times, what).toBeGreaterThan(10);
      },
    };
  },
};

/** Whose law is computed, of each pass. */
const ROWS = 8;

const passes = fc.record({
  ...{ kvHeads: int(1, 2), group: int(1, 3), headDim: int(1, 12), valueDim: int(1, 12) },
  /** Tokens that come at once. */
  pieces: fc.array(fc.oneof({ weight: 9, arbitrary: int(1, 6) }, int(60, 100)), {
    minLength: 1,
    maxLength: 8,
  }),
  ...{ before, seed: fc.nat(1e6) },
});

const onePass = holds(
  'token by token, or some at once, is one pass: the law, and the bits in one family (P8)',
  passes,
  (engine, { kvHeads, group, headDim, valueDim, pieces, before, seed }) => {
    const heads = kvHeads * group;
    const total = pieces.reduce((sum, n) => sum + n);
    const window = [before, 0] as const;
    const q = normal(total * heads * headDim, seed);
    const [k, v] = [
      normal(total * kvHeads * headDim, seed + 1),
      normal(total * kvHeads * valueDim, seed + 2),
    ];
    const options = { seqQ: total, heads, kvHeads, headDim, valueDim, causal: true, window };
    const whole = engine.attention(q, k, v, options);
    const out = new Float32Array(whole.length);
    const cache = engine.kvCache({ kvHeads, headDim, valueDim, capacity: total });
    let from = 0;
    for (const n of pieces) {
      const piece = (x: Float32Array): Float32Array => {
        const width = x.length / total;
        return x.subarray(from * width, (from + n) * width);
      };
      cache.append(piece(k), piece(v));
      piece(out).set(cache.attend(piece(q), { heads, seqQ: n, window }));
      if (n <= FEW === total <= FEW) expectSameBits(piece(out), piece(whole));
      from += n;
    }
    cache.dispose();
    let most = 0;
    for (const row of attentionLaw(
      q,
      k,
      v,
      options,
      every(Math.ceil((heads * total) / ROWS), heads * total),
    )) {
      most = Math.max(most, use(out, row.out('blocks'), row.at));
    }
    expect(most).toBeLessThanOrEqual(1);
  },
);

export const caches: readonly Property[] = [model, onePass];
