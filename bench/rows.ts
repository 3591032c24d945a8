/** The rows of the benchmark: cases of the shared table, each with its contenders, ready to run. */
import { attention, matmul } from '../src/reference.ts';
import type { Engine, PackedMatrix } from '../src/index.ts';
import type { Build } from '../test/builds.ts';
import {
  attentionFlops,
  attentionInputs,
  awkwardAttention,
  matmulFlops,
  matmulInputs,
  realAttention,
  realMatmul,
  type AttentionCase,
  type MatmulCase,
} from '../test/cases.ts';
import { attentionUse, matmulUse, type Judged } from './law.ts';
import { plainAttention, plainMatmul } from './plain-loops.ts';
import type { ContenderName } from './report.ts';

export interface Contender {
  readonly name: ContenderName;
  readonly run: () => unknown;
}

/** A row with its inputs made. */
export interface Ready {
  readonly contenders: readonly Contender[];
  /** After each has run once: what part of the error bound it uses, over every `stride`-th row of the result. */
  readonly check: (stride: number) => ReadonlyMap<ContenderName, number>;
  readonly dispose: () => void;
}

export interface Row {
  readonly section: 'matmul' | 'attention';
  readonly name: string;
  readonly flops: number;
  /** Bytes that must be read where reading, not computing, is the limit: the weights that one row meets. */
  readonly bytes: number | undefined;
  /** Whether the one-minute table has it. */
  readonly quick: boolean;
  readonly prepare: (engines: ReadonlyMap<Build, Engine>) => Ready;
}

/** Rows whose JavaScript contenders would take the minute for themselves, and those that say little new. */
const fullOnly: readonly string[] = [
  '512³',
  '1024³ packed weights',
  'GPT-2 1024 causal',
  'LLaMA-style 32/8 × 128, 512 causal',
];

/** A call in which nearly everything is the way to the kernel: the checks, the copies, the descriptor. */
const smallest = awkwardAttention.filter(({ name }) => name === 'textbook 3 × 2');

export const rows: readonly Row[] = [
  ...realMatmul.map((spec): Row => ({
    section: 'matmul',
    name: spec.name,
    flops: matmulFlops(spec),
    bytes: spec.options.M === 1 ? 4 * spec.options.K * spec.options.N : undefined,
    quick: !fullOnly.includes(spec.name),
    prepare: (engines) => prepareMatmul(spec, engines),
  })),
  ...[...smallest, ...realAttention].map((spec): Row => ({
    section: 'attention',
    name: spec.name,
    flops: attentionFlops(spec),
    bytes: undefined,
    quick: !fullOnly.includes(spec.name),
    prepare: (engines) => prepareAttention(spec, engines),
  })),
];

/** Filled with NaN, so that an element that is never written breaks the law. */
function unwritten(length: number): Float32Array {
  return new Float32Array(length).fill(NaN);
}

function prepareMatmul(spec: MatmulCase, engines: ReadonlyMap<Build, Engine>): Ready {
  const [a, b] = matmulInputs(spec);
  const { M, N, K } = spec.options;
  const expected = new Float64Array(M * N).fill(NaN);
  const judged = new Map<ContenderName, Judged>();
  const packed: PackedMatrix[] = [];
  const plain = unwritten(M * N);
  judged.set('plain', { actual: plain, order: 'chain' });
  const reference = { ...spec.options, out: expected };
  const contenders: Contender[] = [
    { name: 'reference', run: () => matmul(a, b, reference) },
    { name: 'plain', run: () => plainMatmul(a, b, spec.options, plain) },
  ];
  for (const [build, engine] of engines) {
    const options = { ...spec.options, out: unwritten(M * N) };
    judged.set(build, { actual: options.out, order: 'blocks' });
    if (spec.packed === true) {
      const weights = engine.packMatrix(b, { K, N });
      packed.push(weights);
      contenders.push({ name: build, run: () => engine.matmul(a, weights, options) });
    } else {
      contenders.push({ name: build, run: () => engine.matmul(a, b, options) });
    }
  }
  return {
    contenders,
    check: (stride) => named(judged, matmulUse(spec, a, b, expected, [...judged.values()], stride)),
    dispose: () => {
      for (const each of packed) each.dispose();
    },
  };
}

function prepareAttention(spec: AttentionCase, engines: ReadonlyMap<Build, Engine>): Ready {
  const inputs = attentionInputs(spec);
  const [q, k, v] = inputs;
  const { batch = 1, heads = 1, seqQ, headDim, valueDim = headDim } = spec.options;
  const length = batch * seqQ * heads * valueDim;
  const expected = new Float64Array(length).fill(NaN);
  const judged = new Map<ContenderName, Judged>();
  const plain = unwritten(length);
  judged.set('plain', { actual: plain, order: 'chain' });
  const reference = { ...spec.options, out: expected };
  const contenders: Contender[] = [
    { name: 'reference', run: () => attention(q, k, v, reference) },
    { name: 'plain', run: () => plainAttention(q, k, v, spec.options, plain) },
  ];
  for (const [build, engine] of engines) {
    const options = { ...spec.options, out: unwritten(length) };
    judged.set(build, { actual: options.out, order: 'blocks' });
    contenders.push({ name: build, run: () => engine.attention(q, k, v, options) });
  }
  return {
    contenders,
    check: (stride) => named(judged, attentionUse(spec, inputs, expected, [...judged.values()], stride)),
    dispose: () => undefined,
  };
}

/** Values under the names of a map that they were computed in the order of. */
function named<Name>(of: ReadonlyMap<Name, unknown>, values: readonly number[]): Map<Name, number> {
  return new Map([...of.keys()].map((name, i) => [name, values[i]!]));
}
