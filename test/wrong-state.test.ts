/**
 * What outlives a call, at the wrong time or in the wrong place, in every operation that takes it (docs/reliability.md, faults 7, 18, 31,
 * 34, 41): tensors and packed matrices that are disposed of, another engine's or mixed with arrays, results that are an input; scopes,
 * layers and engines that have ended. Caches are in kv-cache-faults.
 */
import { describe, expect, it } from 'vitest';
import { MultiHeadAttention, type Engine, type Tensor } from '../src/index.ts';
import { builds, engineOf } from './builds.ts';
import { normal } from './data.ts';
import {
  golden,
  pattern,
  refuses,
  refusesEach,
  rejects,
  watch,
  type Faulty,
  type Refusal,
} from './nothing-lost.ts';
import { disposed, ended, foreign, refusal } from './refusals.ts';
import { argument, changed, engineSurface, type Given, type Operation } from './operations.ts';

type Untyped = (...given: unknown[]) => unknown;

/** An operation on tensors: a call that passes, which takes everything by the name that messages have for it. */
interface OnTensors {
  readonly op: string;
  /** Those that hold for the whole call. The first is what all others must be like. */
  readonly operands: readonly string[];
  /** Those that may be tensors beside tensors and beside arrays. */
  readonly sides: readonly string[];
  readonly tensors: Given;
  readonly call: (given: Given) => unknown;
}

const SHAPES: Readonly<Record<string, readonly number[]>> = {
  ...{ bias: [1, 1, 1, 3], alibi: [2], sinks: [2], logSumExp: [1, 2, 3] },
};

/** All operands of an operation have one shape, so that each may be given as another. */
function operationsOn(engine: Engine): OnTensors[] {
  const scope = engine.scope();
  const tensor = (shape: readonly number[], seed: number): Tensor =>
    engine.tensor(
      shape,
      normal(
        shape.reduce((a, b) => a * b),
        seed,
      ),
    );
  const named = (names: readonly string[], shape: readonly number[]): Record<string, Tensor> =>
    Object.fromEntries(names.map((name, i) => [name, tensor(SHAPES[name] ?? shape, i)]));
  const attentions = (['attention', 'attentionWeights', 'attentionAsync', 'scope'] as const).map(
    (where): OnTensors => {
      const [op, at] = where === 'scope' ? (['attention', scope] as const) : ([where, engine] as const);
      const [operands, sides] = [['q', 'k', 'v', 'out'], Object.keys(SHAPES)];
      const run = (at as unknown as Record<string, Untyped>)[op]!.bind(at);
      const call = ({ q, k, v, ...options }: Given): unknown => run(q, k, v, options);
      return { op, operands, sides, tensors: named([...operands, ...sides], [1, 3, 2, 4]), call };
    },
  );
  const products = (['matmul', 'matmulAsync', 'scope'] as const).map((where): OnTensors => {
    const [op, at] = where === 'scope' ? (['matmul', scope] as const) : ([where, engine] as const);
    const operands = ['a', 'b', 'out'];
    const run = (at as unknown as Record<string, Untyped>)[op]!.bind(at);
    const call = ({ a, b, ...options }: Given): unknown => run(a, b, options);
    const tensors = { ...named(operands, [4, 4]), bias: tensor([4], 4) };
    return { op, operands, sides: ['bias'], tensors, call };
  });
  const turns = [engine, scope].map((at): OnTensors => ({
    ...{ op: 'rope', operands: ['x', 'out'], sides: [], tensors: named(['x', 'out'], [1, 3, 2, 4]) },
    call: ({ x, ...options }) => (at.rope.bind(at) as Untyped)(x, options),
  }));
  const parts = { 'parts[0].out': tensor([1, 3, 2, 4], 1), 'parts[0].logSumExp': tensor([1, 2, 3], 2) };
  return [
    ...attentions,
    ...products,
    ...turns,
    {
      ...{ op: 'mergeAttention', operands: Object.keys(parts), sides: [], tensors: parts },
      call: (given) =>
        (engine.mergeAttention.bind(engine) as Untyped)([
          { out: given['parts[0].out'], logSumExp: given['parts[0].logSumExp'] },
        ]),
    },
    {
      ...{ op: 'packMatrix', operands: ['b'], sides: [], tensors: named(['b'], [4, 4]) },
      call: ({ b }) => (engine.packMatrix.bind(engine) as Untyped)(b, {}),
    },
  ];
}

const mixed = (op: string, arg: string, expected: string, like: string, received: string): Refusal =>
  refusal(op, arg, 'ERR_ARG_TYPE', `${expected}, as "${like}" is, got ${received}`);

describe.each(builds)('%s', async (build) => {
  const [engine, other] = [await engineOf(build), await engineOf(build)];
  const operations = operationsOn(engine);
  const all = operations.flatMap(({ tensors }) => Object.values(tensors) as Tensor[]);
  const watched = await watch(engine, ...all);
  /** Another tensor of a shape, which is gone, or elsewhere. */
  const gone = (like: Tensor): Tensor => {
    const x = engine.tensor(like.shape);
    x.dispose();
    return x;
  };
  const away = other.scope();
  const elsewhere = (like: Tensor): Tensor => away.tensor(like.shape);

  const names = operations.map((o, i) => [`${i + 1}: ${o.op}`, o] as const);

  describe.each(names)('%s', (_, { op, operands, sides, tensors, call }) => {
    const args = [...operands, ...sides];
    const of = (arg: string): Tensor => tensors[arg] as Tensor;
    const given = (arg: string, x: unknown) => (): unknown => call({ ...tensors, [arg]: x });

    it('tensors that are disposed of, whose memory is somebody else’s by then (fault 31)', () =>
      refusesEach(
        args.map((arg) => ({ call: given(arg, gone(of(arg))), refusal: disposed(op, arg, 'tensor') })),
        watched,
      ));
    it('tensors of another engine (fault 34)', () =>
      refusesEach(
        args.map((arg) => ({ call: given(arg, elsewhere(of(arg))), refusal: foreign(op, arg, 'tensor') })),
        watched,
      ));
    if (operands.length > 1) {
      it('arrays among tensors, and what is neither (fault 7)', async () => {
        const faults = operands.slice(1).flatMap((arg): Faulty[] =>
          [
            [of(arg).data.slice(), 'Float32Array'],
            [[...of(arg).data], 'Array'],
            [{ shape: of(arg).shape, size: of(arg).size }, 'object'],
            [Object.create(of(arg)), 'object'],
            [new Proxy(of(arg), {}), 'object'],
            [null, 'null'],
          ].map(([x, received]) => ({
            call: given(arg, x),
            refusal: mixed(op, arg, 'Tensor', operands[0]!, received as string),
          })),
        );
        await refusesEach(faults, watched);
      });
    }
    const inputs = operands.filter((name) => name !== 'out');
    if (inputs.length < operands.length && op !== 'rope') {
      it('out that is an input (fault 18)', async () => {
        const faults = inputs.map((arg): Faulty => {
          const words = `memory of its own, got memory that "${arg}" uses too`;
          return { call: given('out', of(arg)), refusal: refusal(op, 'out', 'ERR_OVERLAP', words) };
        });
        await refusesEach(faults, watched);
      });
    }
  });

  it('packed matrices that are disposed of, or another engine’s (faults 31, 34)', async () => {
    const scope = engine.scope();
    const [a, b] = [scope.tensor([4, 4], normal(16, 1)), normal(16, 2)];
    const packed = engine.packMatrix(b, { K: 4, N: 4 });
    packed.dispose();
    const theirs = other.packMatrix(b, { K: 4, N: 4 });
    const calls: readonly (readonly [op: string, call: (b: unknown) => unknown])[] = [
      ['matmul', (b) => (engine.matmul.bind(engine) as Untyped)(a, b)],
      ['matmul', (b) => (engine.matmul.bind(engine) as Untyped)(normal(8, 1), b, { M: 2 })],
      ['matmul', (b) => (scope.matmul.bind(scope) as Untyped)(a, b)],
      ['matmulAsync', (b) => (engine.matmulAsync.bind(engine) as Untyped)(a, b)],
    ];
    const faults = calls.flatMap(([op, call]): Faulty[] => [
      { call: () => call(packed), refusal: disposed(op, 'b', 'packed matrix') },
      { call: () => call(theirs), refusal: foreign(op, 'b', 'packed matrix') },
    ]);
    await refusesEach(faults, { ...watched, memory: [a, b] });
    for (const each of [scope, theirs]) each.dispose();
  });

  describe('beside arrays', () => {
    const { operations } = engineSurface(build, engine);
    const sides = ['alibi', 'sinks', 'bias'];
    /** These know no tensors but as side inputs. */
    const plain = ['MultiHeadAttention', 'tensor', 'append', 'attend', 'forward', 'inspect', 'forwardAsync'];
    const named = operations.filter((o) => Object.keys(o.arrays).length > 1).map((o) => [o.op, o] as const);
    it.each(named)('tensors in %s (faults 7, 31, 34)', async (op, o) => {
      const [first, ...others] = Object.keys(o.arrays);
      const scope = engine.scope();
      const faults = others
        .filter((arg) => arg !== 'logSumExp')
        .flatMap((arg): Faulty[] => {
          const live = scope.tensor([(argument(o, arg) as Float32Array).length]);
          const call = (x: unknown) => (): unknown => changed(o, { [arg]: x });
          if (!sides.includes(arg)) {
            const words = plain.includes(op)
              ? 'Float32Array, got object'
              : `Float32Array, as "${first!}" is, got Tensor`;
            return [{ call: call(live), refusal: refusal(op, arg, 'ERR_ARG_TYPE', words) }];
          }
          return [
            { call: call(gone(live)), refusal: disposed(op, arg, 'tensor') },
            { call: call(elsewhere(live)), refusal: foreign(op, arg, 'tensor') },
          ];
        });
      await refusesEach(faults, watched);
      scope.dispose();
    });
  });

  it('a scope, a layer and an engine that have ended (fault 31)', async () => {
    const [scope, x] = [engine.scope(), engine.tensor([1, 3, 2, 4])];
    scope.dispose();
    await refusesEach(
      [
        { call: () => scope.tensor([1]), refusal: ended('tensor', 'scope') },
        { call: () => scope.attention(x, x, x), refusal: ended('attention', 'scope') },
        { call: () => scope.matmul(x, x), refusal: ended('matmul', 'scope') },
        { call: () => scope.rope(x), refusal: ended('rope', 'scope') },
      ],
      watched,
    );
    const eye = Float32Array.of(1, 0, 0, 1);
    const layer = new MultiHeadAttention({
      ...{ modelDim: 2, heads: 1, engine },
      weights: { wq: eye, wk: eye, wv: eye, wo: eye },
    });
    layer.dispose();
    const passes = (['forward', 'inspect', 'forwardAsync'] as const).map((op): Faulty => {
      return { call: () => layer[op](eye, { seqQ: 2 }), refusal: ended(op, 'layer') };
    });
    await refusesEach(passes, { ...watched, memory: [eye] });
    x.dispose();
  });

  it('every operation of an engine that has ended (fault 31)', async () => {
    const late = await engineOf(build);
    const { operations } = engineSurface(build, late);
    late.dispose();
    const faults = operations.map((o: Operation): Faulty => {
      const ofCache = o.op === 'append' || o.op === 'attend';
      const refusal = ofCache ? disposed(o.op, 'cache', 'cache') : ended(o.op, 'engine');
      return { call: () => o.call(o.operands, o.options), refusal };
    });
    await refusesEach(faults, watched);
    expect([late.memory.used, late.memory.reserved]).toEqual([0, 0]);
  });

  it('which is told first, whatever else is wrong', async () => {
    const late = await engineOf(build);
    late.dispose();
    const untyped = late as unknown as Record<string, (...given: unknown[]) => unknown>;
    const names = [
      'attention',
      'attentionWeights',
      'mergeAttention',
      'matmul',
      'packMatrix',
      'rope',
      'tensor',
    ];
    await refusesEach(
      names.map((op) => ({ call: () => untyped[op]!('nonsense', 7), refusal: ended(op, 'engine') })),
      watched,
    );
    for (const op of ['attentionAsync', 'matmulAsync']) {
      const call = (): Promise<unknown> => untyped[op]!('nonsense', 7) as Promise<unknown>;
      await rejects(call, ended(op, 'engine'), watched);
    }
  });

  describe('while a call reads what it is given (fault 41)', () => {
    it('a list whose elements call the engine changes nothing', () => {
      const [q, k, v] = [normal(24, 1), normal(20, 2), normal(20, 3)];
      const shape = { seqQ: 3, seqK: 5, heads: 2, kvHeads: 1, headDim: 4, causal: true };
      const queryOffset = {
        length: 1,
        get 0(): number {
          golden(engine);
          return 1;
        },
      };
      const wanted = engine.attention(q, k, v, { ...shape, queryOffset: [1] });
      expect(engine.attention(q, k, v, { ...shape, queryOffset })).toEqual(wanted);
    });
    it('a list whose elements dispose of a tensor of the call', () => {
      const [q, k] = [engine.tensor([1, 3, 2, 4]), engine.tensor([1, 5, 1, 4])];
      const out = engine.tensor([1, 3, 2, 4], pattern(24));
      // What the getter frees is not the call's doing: all else is as it was.
      const before = engine.memory.used;
      k.dispose();
      const all = { ...watched, memory: [...watched.memory, q, out] };
      let v = engine.tensor([1, 5, 1, 4]);
      expect(engine.memory.used).toBe(before);
      const queryOffset = {
        length: 1,
        get 0(): number {
          v.dispose();
          v = engine.tensor([1, 5, 1, 4]);
          return 1;
        },
      };
      const first = v;
      const call = (): unknown => engine.attention(q, first, first, { causal: true, queryOffset, out });
      refuses(call, disposed('attention', 'k', 'tensor'), all);
      for (const each of [q, out, v]) each.dispose();
    });
  });
});
