/** The rows of the benchmark: cases of the shared table, each with its contenders, ready to run. */
import { attention, matmul, type FloatArray } from '../src/reference.ts';
import type { Engine, PackedMatrix } from '../src/index.ts';
import type { Build } from '../test/builds.ts';
import {
  attentionFlops,
  attentionInputs,
  matmulFlops,
  matmulInputs,
  realAttention,
  realMatmul,
  type DenseCase,
  type MatmulCase,
} from '../test/cases.ts';
import { attentionLaw, every, matmulLaw, use, type Order, type RowLaw } from '../test/laws.ts';
import { plainAttention, plainMatmul } from './plain-loops.ts';
import type { ContenderName } from './report.ts';

export interface Contender {
  readonly name: ContenderName;
  readonly run: () => unknown;
  /** What a run writes, and the order in which it adds. */
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

export interface Row {
  readonly section: 'kernels' | 'matmul' | 'attention';
  readonly name: string;
  /** 0 where data is only moved: then the rate counts bytes. */
  readonly flops: number;
  /** Bytes that must be read where reading, not computing, is the limit: the weights that one row meets, what is packed. */
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
const smallest: DenseCase = { name: 'textbook 3 × 2', options: { seqQ: 3, headDim: 2 } };

export const rows: readonly Row[] = [
  ...realMatmul.map((spec): Row => ({
    section: 'matmul',
    name: spec.name,
    flops: matmulFlops(spec),
    bytes: spec.options.M === 1 ? 4 * spec.options.K * spec.options.N : undefined,
    quick: !fullOnly.includes(spec.name),
    prepare: (engines) => prepareMatmul(spec, engines),
  })),
  ...[smallest, ...realAttention].map((spec): Row => ({
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
  const { batch = 1, M, N, K } = spec.options;
  const reference = { ...spec.options, out: new Float64Array(batch * M * N).fill(NaN) };
  const plain = unwritten(batch * M * N);
  const packed: PackedMatrix[] = [];
  const contenders: Contender[] = [
    { name: 'reference', out: reference.out, order: 'chain', run: () => matmul(a, b, reference) },
    { name: 'plain', out: plain, order: 'chain', run: () => plainMatmul(a, b, spec.options, plain) },
  ];
  for (const [name, engine] of engines) {
    const options = { ...spec.options, out: unwritten(batch * M * N) };
    const heed = { name, out: options.out, order: 'blocks' } as const;
    if (spec.packed === true) {
      const weights = engine.packMatrix(b, { K, N });
      packed.push(weights);
      contenders.push({ ...heed, run: () => engine.matmul(a, weights, options) });
    } else {
      contenders.push({ ...heed, run: () => engine.matmul(a, b, options) });
    }
  }
  return {
    contenders,
    check: (stride) => uses(contenders, matmulLaw(a, b, spec.options, every(stride, batch * M))),
    dispose: () => {
      for (const each of packed) each.dispose();
    },
  };
}

function prepareAttention(spec: DenseCase, engines: ReadonlyMap<Build, Engine>): Ready {
  const [q, k, v] = attentionInputs(spec);
  const { batch = 1, heads = 1, seqQ, headDim, valueDim = headDim } = spec.options;
  const count = batch * heads * seqQ;
  const reference = { ...spec.options, out: new Float64Array(count * valueDim).fill(NaN) };
  const plain = unwritten(count * valueDim);
  const contenders: Contender[] = [
    { name: 'reference', out: reference.out, order: 'chain', run: () => attention(q, k, v, reference) },
    { name: 'plain', out: plain, order: 'chain', run: () => plainAttention(q, k, v, spec.options, plain) },
  ];
  for (const [name, engine] of engines) {
    const options = { ...spec.options, out: unwritten(count * valueDim) };
    const run = (): unknown => engine.attention(q, k, v, options);
    contenders.push({ name, out: options.out, order: 'blocks', run });
  }
  return {
    contenders,
    check: (stride) => uses(contenders, attentionLaw(q, k, v, spec.options, every(stride, count))),
    dispose: () => undefined,
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
