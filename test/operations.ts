/**
 * Every operation of the public API that takes arrays, as one table: a call that passes, what each of its arguments must be, and what
 * comes out. Who has a fault of an argument to try, tries it on all of them.
 */
import * as functions from '../src/index.ts';
import { MultiHeadAttention, PackedMatrix, Tensor, type Engine, type KVCache } from '../src/index.ts';
import { defaultEngine } from '../src/make-engine.ts';
import * as reference from '../src/reference.ts';
import { normal } from './data.ts';
import { cacheBytes, pattern } from './nothing-lost.ts';

export type Given = Readonly<Record<string, unknown>>;

/** An operation, and a call of it that passes. */
export interface Operation {
  /** As messages name it. Those that end with Async give promises. */
  readonly op: string;
  /** What is positional, and what stands in an object of its own, as messages name it. */
  readonly operands: Given;
  /** All dimensions, outputs and side inputs. */
  readonly options: Given;
  /** Every float array by name, the first that is measured first, with its dimensions. */
  readonly arrays: Readonly<Record<string, string>>;
  /** What is found too large first, with its dimensions. Default: the first array. */
  readonly first?: readonly [arg: string, dims: string];
  /** Names of dimensions. */
  readonly dims: readonly string[];
  /** Options that have no default. */
  readonly needed: readonly string[];
  /** Names of all options, as messages list them. None where the operation has no options. */
  readonly known: readonly string[];
  /** Dimensions that are not the call's to state. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly call: (operands: Given, options: object) => unknown;
  /** The numbers of a result. What was made for it is gone then. */
  readonly read: (result: unknown) => ArrayLike<number>;
}

/** An argument of the call that passes. */
export function argument(o: Operation, name: string): unknown {
  return (name in o.operands ? o.operands : o.options)[name];
}

/** That call with some arguments changed, wherever they stand. */
export function changed(o: Operation, more: Given): unknown {
  const operands: Record<string, unknown> = { ...o.operands };
  const options: Record<string, unknown> = { ...o.options };
  for (const [name, x] of Object.entries(more)) (name in operands ? operands : options)[name] = x;
  return o.call(operands, options);
}

/** Where operations are called: an engine, the plain functions, the reference. */
export interface Surface {
  readonly name: string;
  /** What the door calls a float array. */
  readonly floats: string;
  /** The engine under it; of the reference, any. */
  readonly engine: Engine;
  readonly operations: readonly Operation[];
}

type Untyped = (...given: unknown[]) => unknown;
type Functions = Readonly<
  Record<'attention' | 'attentionWeights' | 'matmul' | 'rope' | 'mergeAttention', Untyped>
>;

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');

const SCORES = 'causal queryOffset keyLengths window mask bias scale softcap alibi sinks out logSumExp';
/** Options, as messages list them. */
export const KNOWN: Readonly<Record<'attention' | 'matmul' | 'forward', readonly string[]>> = {
  attention: words(`batch heads kvHeads seqQ seqK headDim valueDim layout cuSeqlensQ cuSeqlensK ${SCORES}`),
  matmul: words('M N K batch transposeA transposeB bias out'),
  forward: words(`batch seqQ context seqK cache ${SCORES}`),
};
const ATTEND =
  'heads seqQ layout window mask bias scale softcap alibi sinks out logSumExp causal queryOffset keyLengths';

/** Numbers of plain arrays, which are all of their buffers. What lies about its length does not about its buffer. */
function plain(result: unknown): ArrayLike<number> {
  const arrays = ArrayBuffer.isView(result) ? [result] : Object.values(result as object);
  return arrays.flatMap((each: Float32Array | Float64Array) =>
    each instanceof Float64Array ? [...each] : [...new Float32Array(each.buffer)],
  );
}

const NONE = { operands: {}, options: {}, arrays: {}, sizes: {}, read: plain };

/** What can be called with an engine, without one, and in the reference. */
function everywhere(at: Functions): Operation[] {
  const turned = { batch: 2, seq: 3, heads: 2, headDim: 4 };
  const merged = { batch: 2, seqQ: 3, heads: 2, valueDim: 4 };
  const parts = ({ out, logSumExp }: { out: unknown; logSumExp: unknown }): unknown => [{ out, logSumExp }];
  return [
    ...(['attention', 'attentionWeights'] as const).map((op) => attention(op, at[op])),
    matmul('matmul', at.matmul),
    {
      ...{ ...NONE, op: 'rope', dims: Object.keys(turned), needed: words('seq heads headDim') },
      known: words('batch seq heads headDim layout offset positions theta rotaryDim interleaved scaling out'),
      operands: { x: normal(48, 1) },
      options: { ...turned, out: pattern(48) },
      arrays: { x: 'batch × heads × seq × headDim', out: 'batch × heads × seq × headDim' },
      call: ({ x }, options) => at.rope(x, options),
    },
    {
      ...{ ...NONE, op: 'mergeAttention', dims: Object.keys(merged), needed: words('seqQ valueDim') },
      known: words('batch seqQ heads valueDim layout'),
      operands: { 'parts[0].out': normal(48, 1), 'parts[0].logSumExp': normal(12, 2) },
      options: merged,
      arrays: {
        'parts[0].out': 'batch × heads × seqQ × valueDim',
        'parts[0].logSumExp': 'batch × heads × seqQ',
      },
      call: (given, options) =>
        at.mergeAttention(
          parts({ out: given['parts[0].out'], logSumExp: given['parts[0].logSumExp'] }),
          options,
        ),
    },
  ];
}

function attention(op: string, run: Untyped): Operation {
  const dims = { batch: 2, heads: 2, kvHeads: 1, seqQ: 3, seqK: 5, headDim: 4, valueDim: 6 };
  return {
    ...{ ...NONE, op, dims: Object.keys(dims), needed: words('seqQ headDim'), known: KNOWN.attention },
    operands: { q: normal(48, 1), k: normal(40, 2), v: normal(60, 3) },
    options: { ...dims, ...sides(2), out: pattern(72), logSumExp: pattern(12) },
    arrays: {
      q: 'batch × heads × seqQ × headDim',
      k: 'batch × kvHeads × seqK × headDim',
      v: 'batch × kvHeads × seqK × valueDim',
      out: 'batch × heads × seqQ × valueDim',
      logSumExp: 'batch × heads × seqQ',
      ...{ alibi: 'heads', sinks: 'heads' },
    },
    call: ({ q, k, v }, options) => run(q, k, v, options),
  };
}

const sides = (heads: number): Given => ({ alibi: normal(heads, 4), sinks: normal(heads, 5) });

function matmul(op: string, run: Untyped): Operation {
  const dims = { batch: 1, M: 3, N: 5, K: 4 };
  return {
    ...{ ...NONE, op, dims: Object.keys(dims), needed: words('M N K') },
    known: KNOWN.matmul,
    operands: { a: normal(12, 1), b: normal(20, 2) },
    options: { ...dims, bias: normal(5, 3), out: pattern(15) },
    arrays: { a: 'batch × M × K', b: 'batch × K × N', bias: 'N', out: 'batch × M × N' },
    call: ({ a, b }, options) => run(a, b, options),
  };
}

/** The layer: its making, and its passes. On the default engine where there is no other. */
function layers(engine?: Engine): Operation[] {
  const dims = { modelDim: 6, heads: 2, kvHeads: 1, headDim: 4, contextDim: 5 };
  const weights = {
    ...{ wq: normal(48, 1), wk: normal(20, 2), wv: normal(20, 3), wo: normal(48, 4) },
    ...{ bq: normal(8, 5), bk: normal(4, 6), bv: normal(4, 7), bo: normal(6, 8) },
  };
  const layer = new MultiHeadAttention({ ...dims, weights, engine });
  const called = { batch: 2, seqQ: 3, seqK: 4 };
  const { modelDim, heads, contextDim } = dims;
  const passes = (['forward', 'inspect', 'forwardAsync'] as const).map((op): Operation => ({
    ...{ ...NONE, op, dims: Object.keys(called), needed: words('seqQ context') },
    known: KNOWN.forward,
    sizes: { modelDim, heads, contextDim },
    operands: { x: normal(36, 9) },
    options: {
      ...{ ...called, context: normal(40, 10), ...sides(2) },
      ...{ out: pattern(36), logSumExp: pattern(12) },
    },
    arrays: {
      x: 'batch × seqQ × modelDim',
      context: 'batch × seqK × contextDim',
      out: 'batch × seqQ × modelDim',
      logSumExp: 'batch × heads × seqQ',
      ...{ alibi: 'heads', sinks: 'heads' },
    },
    call: ({ x }, options) => (layer[op] as Untyped).call(layer, x, options),
  }));
  const named = Object.fromEntries(Object.entries(weights).map(([name, w]) => [`weights.${name}`, w]));
  return [
    {
      ...{ ...NONE, op: 'MultiHeadAttention', dims: Object.keys(dims), needed: words('modelDim heads') },
      known: words('modelDim heads kvHeads headDim contextDim weights weightLayout rope engine'),
      operands: named,
      options: dims,
      arrays: {
        'weights.wq': 'heads × headDim × modelDim',
        'weights.wk': 'kvHeads × headDim × contextDim',
        'weights.wv': 'kvHeads × headDim × contextDim',
        'weights.wo': 'modelDim × heads × headDim',
        'weights.bq': 'heads × headDim',
        'weights.bk': 'kvHeads × headDim',
        'weights.bv': 'kvHeads × headDim',
        'weights.bo': 'modelDim',
      },
      call: (given, options) => {
        const entries = Object.entries(given).map(([name, w]) => [name.slice('weights.'.length), w] as const);
        const more = { weights: Object.fromEntries(entries), ...(engine && { engine }) };
        return new (MultiHeadAttention as unknown as new (given: unknown) => unknown)(
          extended(options, more),
        );
      },
      read: (made) => {
        const fresh = made as MultiHeadAttention;
        const result = fresh.forward(normal(18, 9), { seqQ: 3, context: normal(15, 10) });
        fresh.dispose();
        return result;
      },
    },
    ...passes.map((o) => (o.op === 'forwardAsync' ? abortable(o) : o)),
  ];
}

/** More fields of an object, whose getters stay getters. */
function extended(options: object, more: object): object {
  return Object.defineProperties({ ...more }, Object.getOwnPropertyDescriptors(options));
}

/** With a signal that is not aborted. */
function abortable(o: Operation): Operation {
  return { ...o, options: { ...o.options, signal: new AbortController().signal } };
}

/** What only an engine has. */
function ofEngine(engine: Engine): Operation[] {
  const dims = { batch: 2, kvHeads: 2, headDim: 3, valueDim: 4, capacity: 5 };
  const { batch, kvHeads, headDim, valueDim } = dims;
  // Three tokens are the longest sequence of the one that is attended to.
  const sizes = { batch, kvHeads, headDim, valueDim, tokens: 1, seqK: 3 };
  const [grows, full] = [engine.kvCache(dims), engine.kvCache(dims)];
  full.append(normal(36, 1), normal(48, 2), { counts: [3, 1] });
  const at = engine as unknown as Readonly<Record<string, Untyped>>;
  const run = (name: string): Untyped => at[name]!.bind(engine);
  return [
    abortable(attention('attentionAsync', run('attentionAsync'))),
    abortable(matmul('matmulAsync', run('matmulAsync'))),
    {
      ...{ ...NONE, op: 'packMatrix', dims: words('K N'), needed: words('K N') },
      known: words('K N transposeB'),
      operands: { b: normal(20, 1) },
      options: { K: 4, N: 5 },
      arrays: { b: 'K × N' },
      call: ({ b }, options) => run('packMatrix')(b, options),
      read: (made) => {
        const result = engine.matmul(normal(4, 2), made as PackedMatrix, { M: 1 });
        (made as PackedMatrix).dispose();
        return result;
      },
    },
    {
      ...{ ...NONE, op: 'tensor', dims: words('shape[0] shape[1]'), needed: words('shape[0] shape[1]') },
      known: [],
      operands: { 'shape[0]': 3, 'shape[1]': 4, data: normal(12, 1) },
      arrays: { data: 'shape[0] × shape[1]' },
      first: ['shape', 'shape[0] × shape[1]'],
      call: (given) => run('tensor')([given['shape[0]'], given['shape[1]']], given.data),
      read: (made) => {
        const result = (made as Tensor).data.slice();
        (made as Tensor).dispose();
        return result;
      },
    },
    {
      ...{ ...NONE, op: 'kvCache', dims: Object.keys(dims), needed: words('kvHeads headDim capacity') },
      known: words('batch kvHeads headDim valueDim capacity dtype ring'),
      options: dims,
      first: ['k', 'batch × kvHeads × capacity × headDim'],
      call: (_, options) => run('kvCache')(options),
      read: (made) => {
        const cache = made as KVCache;
        cache.dispose();
        return [cache.capacity];
      },
    },
    {
      ...{ ...NONE, op: 'append', dims: [], needed: [], known: words('counts layout'), sizes },
      operands: { k: normal(12, 3), v: normal(16, 4) },
      options: { counts: [1, 1], layout: 'bshd' },
      // That of k is not known: it says how many tokens there are.
      arrays: { k: '', v: 'batch × tokens × kvHeads × valueDim' },
      call: ({ k, v }, options) => (grows.append as Untyped).call(grows, k, v, options),
      read: () => {
        const bytes = cacheBytes(grows, engine).flatMap((each) => [...each]);
        grows.truncate(0);
        return bytes;
      },
    },
    {
      ...{ ...NONE, op: 'attend', dims: words('heads seqQ'), needed: ['heads'], known: words(ATTEND), sizes },
      operands: { q: normal(24, 5) },
      options: { heads: 4, seqQ: 1, ...sides(4), out: pattern(32), logSumExp: pattern(8) },
      arrays: {
        q: 'batch × heads × seqQ × headDim',
        out: 'batch × heads × seqQ × valueDim',
        logSumExp: 'batch × heads × seqQ',
        ...{ alibi: 'heads', sinks: 'heads' },
      },
      call: ({ q }, options) => (full.attend as Untyped).call(full, q, options),
    },
  ];
}

/** The operations of an engine. */
export function engineSurface(name: string, engine: Engine): Surface {
  const at = engine as unknown as Functions;
  const bound = (op: keyof Functions): Untyped => at[op].bind(engine);
  const operations = [
    ...everywhere({
      attention: bound('attention'),
      attentionWeights: bound('attentionWeights'),
      matmul: bound('matmul'),
      rope: bound('rope'),
      mergeAttention: bound('mergeAttention'),
    }),
    ...layers(engine),
    ...ofEngine(engine),
  ];
  return { name, floats: 'Float32Array', engine, operations };
}

/** The functions without an engine. */
export function functionSurface(): Surface {
  const operations = [...everywhere(functions as unknown as Functions), ...layers()];
  return { name: 'functions', floats: 'Float32Array', engine: defaultEngine('test'), operations };
}

/** heed/reference. */
export function referenceSurface(engine: Engine): Surface {
  const operations = everywhere(reference as unknown as Functions);
  return { name: 'reference', floats: 'Float32Array or Float64Array', engine, operations };
}
