/**
 * The rows of the benchmark, each with its contenders, ready to run: the standard table, then what options cost and models
 * need. Rows of a group are sampled in turn with each other, so that one may be compared with the next.
 */
import type { AttentionOptions, Engine, Tensor } from '../src/index.ts';
import type { FloatArray } from '../src/reference.ts';
import type { Build } from '../test/builds.ts';
import {
  attentionFlops,
  attentionInputs,
  matmulFlops,
  matmulInputs,
  realAttention,
  realMatmul,
  type AttentionCase,
  type MatmulCase,
} from '../test/cases.ts';
import { normal } from '../test/data.ts';
import { roundToHalf } from '../test/halves.ts';
import { attentionLaw, every, matmulLaw, rowsOf, use, type Order, type RowLaw } from '../test/laws.ts';
import { layerLaw } from '../test/layer-law.ts';
import type { PlainCall, PlainMatmul } from './plain-loops.ts';
import type { ContenderName, RoofKind } from './report.ts';
import { clockOf, type Clock } from './sample.ts';
import { SCRIPTS, ScriptThread, type ScriptTask } from './script-thread.ts';

/** The package, as it is measured. */
export type Heed = typeof import('../src/index.ts');

/** What rows stand on. */
export interface Ground {
  readonly heed: Heed;
  readonly engines: ReadonlyMap<Build, Engine>;
  /** The bundle that threads of plain JavaScript run. */
  readonly scripts: URL;
}

export interface Contender {
  readonly name: ContenderName;
  readonly clock: Clock;
  /** What the last call wrote, and the order in which it adds. */
  readonly out: FloatArray;
  readonly order: Order;
}

/** A row with its inputs made. */
export interface Ready {
  readonly contenders: readonly Contender[];
  /** After each has run once: what part of the error bound it uses, over every `stride`-th row of the result. */
  readonly check: (stride: number) => ReadonlyMap<ContenderName, number>;
  readonly dispose: () => void;
}

export type Section = 'kernels' | 'matmul' | 'attention' | 'decoding' | 'layer' | 'options' | 'models';

export interface Row {
  readonly section: Section;
  readonly name: string;
  /** 0 where data is only moved: then the rate counts bytes. */
  readonly flops: number;
  /** Bytes that must be read once, where that is, or is part of, the limit: weights that one row meets, a cache. */
  readonly bytes: number;
  readonly roof: RoofKind;
  /** The row of its group that its ratio is of. */
  readonly beside?: string;
  /** Whether the one-minute table has it. */
  readonly quick: boolean;
  /** @param script whether those in JavaScript contend too: not where a call would take too long */
  readonly prepare: (ground: Ground, script: boolean) => Ready;
}

export type Group = readonly Row[];

// ---- matmul: [M × K] · [K × N] by the name M × K × N ----

/** A matmul and an attention that plain loops can compute too. */
type PlainProduct = MatmulCase<PlainMatmul>;
type PlainAttention = AttentionCase<PlainCall>;

function product(name: string, M: number, K: number, N: number, packed = false): PlainProduct {
  return { name, options: { M, N, K }, packed };
}

const cube = (n: number, packed = false): PlainProduct =>
  product(packed ? `${n}³ packed` : `${n}³`, n, n, n, packed);

function matmulRow(spec: PlainProduct, quick = true, section: Section = 'matmul'): Row {
  return {
    ...{ section, name: spec.name, flops: matmulFlops(spec), bytes: 0, roof: 'peak', quick },
    prepare: (ground, script) => prepareMatmul(spec, ground, script),
  };
}

/** One row against a square matrix: packed, or as it is, in a tensor. Reading the matrix is the limit. */
function vectorRows(n: number): Group[] {
  const spec = product(`1 × ${n} × ${n}`, 1, n, n, true);
  const common = {
    section: 'matmul',
    flops: matmulFlops(spec),
    bytes: 4 * n * n,
    roof: 'read',
    quick: true,
  } as const;
  return [
    [
      {
        ...{ ...common, name: `${spec.name} packed` },
        prepare: (ground, script) => prepareMatmul(spec, ground, script),
      },
    ],
    [{ ...common, name: `${spec.name} tensor`, prepare: ({ engines }) => prepareTensors(spec, engines) }],
  ];
}

// ---- attention: heads × headDim, 'bshd' ----

function heads(count: number, headDim: number, seqQ: number, more: Partial<PlainCall> = {}): PlainAttention {
  return { name: `${count} × ${headDim}, S = ${seqQ}`, options: { seqQ, heads: count, headDim, ...more } };
}

type Placed = Partial<Pick<Row, 'section' | 'name' | 'quick' | 'beside'>>;

/**
 * @param more options that plain loops do not know, and then do not meet: made only when the row is run
 * @param flops where those options leave fewer
 */
function attentionRow(
  spec: PlainAttention,
  placed: Placed = {},
  more?: () => AttentionOptions,
  flops = attentionFlops(spec),
): Row {
  return {
    ...{ section: 'attention', name: spec.name, quick: true, ...placed },
    ...{ flops, bytes: 0, roof: 'peak' },
    prepare: (ground, script) => prepareAttention(spec, ground, script && more === undefined, more?.()),
  };
}

/** Full attention, and half of it. */
function besideCausal(seqQ: number, quick = true): Group {
  const spec = heads(12, 64, seqQ);
  const half = heads(12, 64, seqQ, { causal: true });
  return [
    attentionRow(spec, { quick }),
    attentionRow(half, { name: `${spec.name} causal`, beside: spec.name, quick }),
  ];
}

// ---- decoding: heads / kvHeads × headDim, one token against a cache ----

function decodingRows(count: number, kvHeads: number, keys: number, quick = true): Group {
  const headDim = 128;
  const shape = `${count}/${kvHeads} × ${headDim}, ${keys}`;
  const row = (dtype: 'f32' | 'f16'): Omit<Row, 'name' | 'quick'> => ({
    ...{ section: 'decoding', flops: 4 * count * keys * headDim, roof: 'sum' },
    bytes: (dtype === 'f32' ? 4 : 2) * 2 * kvHeads * keys * headDim,
    prepare: ({ engines }) => prepareDecoding({ heads: count, kvHeads, headDim, keys, dtype }, engines),
  });
  return [
    { ...row('f32'), name: `${shape} keys`, quick },
    { ...row('f16'), name: `${shape} f16`, quick: false, beside: `${shape} keys` },
  ];
}

// ---- the layer: modelDim / heads ----

function layerRow(seqQ: number): Row {
  const [modelDim, count] = [768, 12];
  return {
    ...{ section: 'layer', name: `${modelDim}/${count}, S = ${seqQ}`, bytes: 0, roof: 'peak', quick: true },
    flops: 8 * seqQ * modelDim * modelDim + 4 * seqQ * seqQ * modelDim,
    prepare: (ground) => prepareLayer(modelDim, count, seqQ, ground),
  };
}

// ---- options, each beside the same call without ----

function optionRows(
  seqQ: number,
  options: readonly (readonly [name: string, more: () => AttentionOptions])[],
): Group {
  const spec = heads(12, 64, seqQ);
  const none = `none, S = ${seqQ}`;
  const placed = { section: 'options', quick: false } as const;
  return [
    attentionRow(spec, { ...placed, name: none }),
    ...options.map(([name, more]) => attentionRow(spec, { ...placed, name, beside: none }, more)),
  ];
}

const ones = (length: number): Uint8Array => new Uint8Array(length).fill(1);
const chances = (length: number): Uint8Array => Uint8Array.from(normal(length, 4), (x) => Number(x > 0));

const windowed = { causal: true, window: [255, 0] } as const;

const single = (row: Row): Group => [row];

/** A call in which nearly everything is the way to the kernel, and the first that plain loops should not win. */
const smallest: readonly PlainAttention[] = [heads(2, 2, 3), heads(2, 16, 8)];

/** Those of real models that the standard table has not. */
const models = {
  matmul: realMatmul.filter(({ name }) => name.startsWith('BERT MLP')),
  attention: realAttention.filter(({ name }) => /ViT|LLaMA|Whisper/.test(name)),
};

export const groups: readonly Group[] = [
  single(matmulRow(cube(64))),
  single(matmulRow(cube(128))),
  single(matmulRow(cube(256), false)),
  single(matmulRow(cube(512))),
  single(matmulRow(cube(512, true))),
  single(matmulRow(cube(1024), false)),
  single(matmulRow(cube(1024, true))),
  single(matmulRow(cube(2048), false)),
  single(matmulRow(product('128 × 768 × 768', 128, 768, 768))),
  single(matmulRow(product('512 × 768 × 3072', 512, 768, 3072))),
  ...vectorRows(768),
  ...vectorRows(4096),

  ...[...smallest, ...[16, 64, 128].map((S) => heads(12, 64, S))].map((spec) => single(attentionRow(spec))),
  [
    attentionRow(heads(12, 64, 512)),
    attentionRow(heads(12, 64, 512), { name: '12 × 64, S = 512 no out', beside: '12 × 64, S = 512' }, () => ({
      out: undefined,
    })),
  ],
  besideCausal(1024),
  besideCausal(2048),
  besideCausal(4096, false),
  besideCausal(8192, false),
  ...[15, 20, 40, 80, 96].map((headDim) => single(attentionRow(heads(12, headDim, 512)))),
  single(attentionRow(heads(8, 128, 1024))),

  single(layerRow(128)),
  single(layerRow(512)),

  decodingRows(32, 8, 4096),
  decodingRows(32, 8, 16384),
  decodingRows(32, 32, 4096),
  decodingRows(32, 32, 16384, false),

  optionRows(1024, [
    ['padding mask [1, 1, 1, S]', () => ({ mask: { data: ones(1024), shape: [1, 1, 1, 1024] } })],
    ['keyLengths', () => ({ keyLengths: [1024] })],
    ['random mask [S, S]', () => ({ mask: chances(1024 * 1024) })],
    ['bias [S, S]', () => ({ bias: normal(1024 * 1024, 5) })],
    ['softcap', () => ({ softcap: 50 })],
    ['alibi', () => ({ alibi: normal(12, 6, 0.01) })],
  ]),
  [
    attentionRow(heads(12, 64, 4096), { section: 'options', name: 'none, S = 4096', quick: false }),
    attentionRow(
      heads(12, 64, 4096),
      { section: 'options', name: 'causal window of 256', quick: false, beside: 'none, S = 4096' },
      () => windowed,
      attentionFlops({ name: '', options: { ...heads(12, 64, 4096).options, ...windowed } }),
    ),
  ],

  ...models.matmul.map((spec) => single(matmulRow(spec, false, 'models'))),
  ...models.attention.map((spec) => single(attentionRow(spec, { section: 'models', quick: false }))),
];

// ---- what contends ----

/** Filled with NaN, so that an element that is never written breaks the law. */
function unwritten(length: number): Float32Array {
  return new Float32Array(length).fill(NaN);
}

/** Ends several lives at once. */
function disposing(held: readonly { dispose: () => void }[]): () => void {
  return () => {
    for (const each of held) each.dispose();
  };
}

/** Those in JavaScript. */
function scriptContenders(task: ScriptTask, module: URL, held: { dispose: () => void }[]): Contender[] {
  const thread = new ScriptThread(task, module);
  held.push(thread);
  return SCRIPTS.map((name) => ({
    ...{ name, order: 'chain', clock: thread.clock(name) },
    get out() {
      return thread.result(name);
    },
  }));
}

function prepareMatmul(spec: PlainProduct, { engines, scripts }: Ground, script: boolean): Ready {
  const [a, b] = matmulInputs(spec);
  const { M, N, K } = spec.options;
  const held: { dispose: () => void }[] = [];
  const task = { kind: 'matmul', inputs: [a, b], call: spec.options } as const;
  const contenders = script ? scriptContenders(task, scripts, held) : [];
  for (const [name, engine] of engines) {
    const options = { ...spec.options, out: unwritten(M * N) };
    const heed = { name, out: options.out, order: 'blocks' } as const;
    if (spec.packed === true) {
      const weights = engine.packMatrix(b, { K, N });
      held.push(weights);
      contenders.push({ ...heed, clock: clockOf(() => engine.matmul(a, weights, options)) });
    } else {
      contenders.push({ ...heed, clock: clockOf(() => engine.matmul(a, b, options)) });
    }
  }
  return {
    contenders,
    check: (stride) => uses(contenders, matmulLaw(a, b, spec.options, every(stride, M))),
    dispose: disposing(held),
  };
}

/** A matmul with nothing to copy. */
export function prepareTensors(spec: MatmulCase, engines: ReadonlyMap<Build, Engine>, packed = false): Ready {
  const [a, b] = matmulInputs(spec);
  const { M, N, K } = spec.options;
  const held: { dispose: () => void }[] = [];
  const contenders = [...engines].map(([name, engine]): Contender => {
    const x = engine.tensor([M, K], a);
    const weights = packed ? engine.packMatrix(b, { K, N }) : engine.tensor([K, N], b);
    const out: Tensor = engine.tensor([M, N], unwritten(M * N));
    held.push(x, weights, out);
    return {
      ...{ name, order: 'blocks' },
      clock: clockOf(() => engine.matmul(x, weights, { out })),
      // The memory may have grown since, which detaches a view.
      get out() {
        return out.data;
      },
    };
  });
  return {
    contenders,
    check: (stride) => uses(contenders, matmulLaw(a, b, spec.options, every(stride, M))),
    dispose: disposing(held),
  };
}

function prepareAttention(
  spec: PlainAttention,
  { engines, scripts }: Ground,
  script: boolean,
  more?: AttentionOptions,
): Ready {
  const [q, k, v] = attentionInputs(spec);
  const { batch = 1, heads = 1, seqQ, headDim, valueDim = headDim } = spec.options;
  const count = batch * heads * seqQ;
  const held: { dispose: () => void }[] = [];
  const task = { kind: 'attention', inputs: [q, k, v], call: spec.options } as const;
  const contenders = script ? scriptContenders(task, scripts, held) : [];
  for (const [name, engine] of engines) {
    let out = unwritten(count * valueDim);
    const options = { out, ...spec.options, ...more };
    contenders.push({
      ...{ name, order: 'blocks' },
      clock: clockOf(() => (out = engine.attention(q, k, v, options))),
      get out() {
        return out;
      },
    });
  }
  return {
    contenders,
    check: (stride) =>
      uses(contenders, attentionLaw(q, k, v, { ...spec.options, ...more }, every(stride, count))),
    dispose: disposing(held),
  };
}

interface Decoding {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly keys: number;
  readonly dtype: 'f32' | 'f16';
}

function prepareDecoding(spec: Decoding, engines: ReadonlyMap<Build, Engine>): Ready {
  const { heads, kvHeads, headDim, keys, dtype } = spec;
  // The same tokens over and over: what they are does not change the time, and drawing them would take more of it.
  const chunk = 1024;
  const [k, v] = [normal(chunk * kvHeads * headDim, 1), normal(chunk * kvHeads * headDim, 2)];
  const q = normal(heads * headDim, 3);
  const held: { dispose: () => void }[] = [];
  const contenders = [...engines].map(([name, engine]): Contender => {
    const cache = engine.kvCache({ kvHeads, headDim, capacity: keys, dtype });
    held.push(cache);
    for (let at = 0; at < keys; at += chunk) cache.append(k, v);
    const out = unwritten(heads * headDim);
    return { name, order: 'blocks', out, clock: clockOf(() => cache.attend(q, { heads, out })) };
  });
  /** What the cache holds. */
  const heldOf = (x: Float32Array): Float32Array => {
    const tokens = dtype === 'f16' ? x.map(roundToHalf) : x;
    const all = new Float32Array(keys * kvHeads * headDim);
    for (let at = 0; at < all.length; at += tokens.length) all.set(tokens, at);
    return all;
  };
  const options = { seqQ: 1, seqK: keys, heads, kvHeads, headDim };
  return {
    contenders,
    check: (stride) => uses(contenders, attentionLaw(q, heldOf(k), heldOf(v), options, every(stride, heads))),
    dispose: disposing(held),
  };
}

function prepareLayer(modelDim: number, count: number, seqQ: number, { heed, engines }: Ground): Ready {
  const x = normal(seqQ * modelDim, 1);
  const square = (seed: number): Float32Array => normal(modelDim * modelDim, seed, 1 / Math.sqrt(modelDim));
  const weights = { wq: square(2), wk: square(3), wv: square(4), wo: square(5) };
  const held: { dispose: () => void }[] = [];
  const contenders = [...engines].map(([name, engine]): Contender => {
    const layer = new heed.MultiHeadAttention({ modelDim, heads: count, weights, engine });
    held.push(layer);
    const out = unwritten(seqQ * modelDim);
    return { name, order: 'blocks', out, clock: clockOf(() => layer.forward(x, { seqQ, out })) };
  });
  const headDim = modelDim / count;
  const pass = { modelDim, heads: count, headDim, weights, x, batch: 1, seqQ, options: {} };
  return {
    contenders,
    check: (stride) => {
      const rows = [...every(stride, seqQ)];
      return uses(contenders, rowsOf(layerLaw(pass, 'blocks', rows).out, modelDim, rows));
    },
    dispose: disposing(held),
  };
}

/** The largest part of its bound that an element of each contender uses, in the rows of the law. */
export function uses(
  contenders: readonly Pick<Contender, 'name' | 'out' | 'order'>[],
  rows: Iterable<RowLaw>,
): Map<ContenderName, number> {
  const most = new Map(contenders.map(({ name }) => [name, 0]));
  for (const row of rows) {
    for (const { name, out, order } of contenders) {
      most.set(name, Math.max(most.get(name)!, use(out, row.out(order), row.at)));
    }
  }
  return most;
}
