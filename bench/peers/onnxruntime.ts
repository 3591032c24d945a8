/**
 * onnxruntime's ways, for its web and its native package alike: for each task every operator that computes it, one graph each,
 * with all the optimisations that onnxruntime makes by default. What is constant is in the graph, so that it is packed or
 * folded when the session is made; shapes are in it too.
 */
import { CONTRIB, elementOf, model, type Constant, type Graph, type Node } from '../../test/onnx/graph.ts';
import type { Runtime } from '../../test/onnx/ort.ts';
import { causalMask, type AttentionTask, type LayerTask, type MatmulTask } from './peer.ts';
import type { Running, Task, Way } from './peer.ts';

/** That of the operator `Attention`. */
const OPSET = 23;
const OUT = 'out';

/** A graph and what is fed to it; values that are constant are in it. */
interface Program extends Pick<Way, 'name' | 'aside'> {
  readonly nodes: readonly Node[];
  readonly constants?: Readonly<Record<string, Constant>> | undefined;
  readonly feeds: Readonly<Record<string, Constant>>;
}

/** The ways of a runtime on one execution provider. */
export function onnxruntimeWays(runtime: Runtime, provider: string): (task: Task) => readonly Way[] {
  return (task) =>
    programs(task).map((program) => ({
      ...program,
      prepare: () => prepare(runtime, provider, program),
    }));
}

async function prepare(runtime: Runtime, provider: string, program: Program): Promise<Running> {
  const { feeds, nodes, constants } = program;
  const session = await runtime.InferenceSession.create(modelOf({ nodes, constants, feeds }), {
    executionProviders: [provider],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const tensors = Object.fromEntries(
    Object.entries(feeds).map(([name, { data, dims }]) => [
      name,
      new runtime.Tensor(elementOf(data), data, dims),
    ]),
  );
  return {
    run: async () => (await session.run(tensors))[OUT]!.data,
    dispose: () => session.release(),
  };
}

/** The file of a program. */
export function modelOf({ nodes, constants = {}, feeds }: Omit<Program, 'name'>): Uint8Array {
  const inputs: Graph['inputs'] = Object.fromEntries(
    Object.entries(feeds).map(([name, { data, dims }]) => [name, { element: elementOf(data), dims }]),
  );
  return model({ opset: OPSET, nodes, inputs, outputs: { [OUT]: { element: 'float32' } }, constants });
}

export function programs(task: Task): readonly Program[] {
  switch (task.kind) {
    case 'matmul':
      return [matmul(task)];
    case 'attention':
      return task.resident ? cached(task) : attention(task);
    case 'layer':
      return layer(task);
  }
}

function matmul({ M, N, K, a, b, constant }: MatmulTask): Program {
  const A = { data: a, dims: [M, K] };
  const B = { data: b, dims: [K, N] };
  return {
    name: 'MatMul',
    nodes: [{ op: 'MatMul', inputs: ['A', 'B'], outputs: [OUT] }],
    constants: constant ? { B } : {},
    feeds: constant ? { A } : { A, B },
  };
}

function attention(task: AttentionTask): Program[] {
  const { q, k, v, seqQ, seqK, heads, kvHeads, headDim, causal } = task;
  const given = (name: string, rank: 3 | 4): Pick<Program, 'name' | 'feeds'> => {
    const of = (data: Float32Array, seq: number, hs: number): Constant => {
      return { data, dims: rank === 3 ? [1, seq, hs * headDim] : [1, seq, hs, headDim] };
    };
    return { name, feeds: { Q: of(q, seqQ, heads), K: of(k, seqK, kvHeads), V: of(v, seqK, kvHeads) } };
  };
  const operator = { ...given('Attention', 3), nodes: [attentionNode(task)] };
  if (heads !== kvHeads) {
    if (seqQ !== 1) return [operator];
    const steps = given('composed', 4);
    return [
      operator,
      { ...steps, feeds: { ...steps.feeds, Q: groups(task) }, ...composed(task, { turned: false }) },
    ];
  }
  return [
    operator,
    { ...given('MultiHeadAttention', 3), nodes: [multiHeadAttention(heads, causal)] },
    { ...given('composed', 4), ...composed(task, { turned: true }) },
  ];
}

/** The query of a token: the heads of a group are rows of one matrix, [kvHeads, group, headDim]. */
function groups({ q, heads, kvHeads, headDim }: AttentionTask): Constant {
  return { data: q, dims: [1, kvHeads, heads / kvHeads, headDim] };
}

/**
 * A token against a cache. A step makes a cache longer, so nothing may be made of K and V beforehand but their places: head by head, a
 * row a key, as past_key and past_value are. In two ways they are fed with each run: the execution provider for wasm keeps no tensor
 * from run to run (what is fed is copied), so that is what an application does. Aside: constants of the model, to which no token can
 * be added, as rows (nothing of these graphs is folded: they take as long with all optimisations disabled), and with K turned.
 */
function cached(task: AttentionTask): Program[] {
  const { q, k, v, seqK, heads, kvHeads, headDim } = task;
  const past = seqK - 1;
  const byHead = (data: Float32Array, seq: number): Constant => {
    const out = new Float32Array(seq * kvHeads * headDim);
    for (let key = 0; key < seq; key++) {
      for (let head = 0; head < kvHeads; head++) {
        const from = (key * kvHeads + head) * headDim;
        out.set(data.subarray(from, from + headDim), (head * seq + key) * headDim);
      }
    }
    return { data: out, dims: [1, kvHeads, seq, headDim] };
  };
  const flat = (data: Float32Array): Constant => ({ data, dims: [1, 1, data.length] });
  const fed = {
    Q: flat(q),
    ...{ K: flat(k.subarray(past * kvHeads * headDim)), V: flat(v.subarray(past * kvHeads * headDim)) },
    ...{ 'past K': byHead(k, past), 'past V': byHead(v, past) },
  };
  const constants = { K: byHead(k, seqK), V: byHead(v, seqK) };
  const present = [OUT, 'present K', 'present V'];
  const turned = (data: Float32Array): Constant => ({ data, dims: [1, seqK, kvHeads, headDim] });
  const steps = composed(task, { turned: false });
  return [
    {
      name: 'Attention, past fed',
      feeds: fed,
      nodes: [{ ...attentionNode(task), inputs: ['Q', 'K', 'V', '', 'past K', 'past V'], outputs: present }],
    },
    {
      name: 'GroupQueryAttention, past fed',
      feeds: {
        ...fed,
        'last of K': { data: Int32Array.of(past), dims: [1] },
        'length of K': { data: Int32Array.of(seqK), dims: [1] },
      },
      nodes: [
        {
          op: 'GroupQueryAttention',
          domain: CONTRIB,
          inputs: ['Q', 'K', 'V', 'past K', 'past V', 'last of K', 'length of K'],
          outputs: present,
          attributes: { num_heads: heads, kv_num_heads: kvHeads },
        },
      ],
    },
    {
      ...{ name: 'Attention over constants', aside: true },
      feeds: { Q: { data: q, dims: [1, heads, 1, headDim] } },
      constants,
      nodes: [{ op: 'Attention', inputs: ['Q', 'K', 'V'], outputs: [OUT] }],
    },
    {
      ...{ name: 'composed over constants', aside: true },
      feeds: { Q: groups(task) },
      constants,
      nodes: [
        {
          op: 'FusedMatMul',
          domain: CONTRIB,
          inputs: ['Q', 'K'],
          outputs: ['scores'],
          attributes: { transB: 1, alpha: { float: 1 / Math.sqrt(headDim) } },
        },
        { op: 'Softmax', inputs: ['scores'], outputs: ['weights'] },
        { op: 'MatMul', inputs: ['weights', 'V'], outputs: [OUT] },
      ],
    },
    {
      ...{ name: 'composed over constants, K turned', aside: true },
      feeds: { Q: groups(task) },
      nodes: steps.nodes,
      constants: { ...steps.constants, K: turned(k), V: turned(v) },
    },
  ];
}

/** ONNX's own: Q, K, V of three dimensions. */
function attentionNode({
  heads,
  kvHeads,
  causal,
}: Pick<AttentionTask, 'heads' | 'kvHeads' | 'causal'>): Node {
  return {
    op: 'Attention',
    inputs: ['Q', 'K', 'V'],
    outputs: [OUT],
    attributes: { q_num_heads: heads, kv_num_heads: kvHeads, is_causal: Number(causal) },
  };
}

function multiHeadAttention(heads: number, causal: boolean): Node {
  return {
    op: 'MultiHeadAttention',
    domain: CONTRIB,
    inputs: ['Q', 'K', 'V'],
    outputs: [OUT],
    attributes: { num_heads: heads, unidirectional: Number(causal) },
  };
}

/**
 * Transpose, MatMul, Softmax, MatMul, Transpose, as models are exported that know no operator for it. Q, K, V and the result
 * are [1, seq, heads, headDim]; Q and the result not `turned` have their heads in front already.
 */
function composed(
  { seqQ, headDim, causal }: Pick<AttentionTask, 'seqQ' | 'headDim' | 'causal'>,
  { turned }: { readonly turned: boolean },
): Pick<Program, 'nodes' | 'constants'> {
  const swap = (from: string, to: string, perm: readonly number[] = [0, 2, 1, 3]): Node => ({
    op: 'Transpose',
    inputs: [from],
    outputs: [to],
    attributes: { perm },
  });
  const binary = (op: string, a: string, b: string, to: string): Node => ({
    op,
    inputs: [a, b],
    outputs: [to],
  });
  return {
    nodes: [
      ...(turned ? [swap('Q', 'heads of Q')] : []),
      swap('K', 'turned K', [0, 2, 3, 1]),
      swap('V', 'heads of V'),
      binary('Mul', turned ? 'heads of Q' : 'Q', 'scale', 'scaled Q'),
      binary('MatMul', 'scaled Q', 'turned K', 'scores'),
      ...(causal ? [binary('Add', 'scores', 'mask', 'masked')] : []),
      { op: 'Softmax', inputs: [causal ? 'masked' : 'scores'], outputs: ['weights'] },
      binary('MatMul', 'weights', 'heads of V', turned ? 'heads of out' : OUT),
      ...(turned ? [swap('heads of out', OUT)] : []),
    ],
    constants: {
      scale: { data: Float32Array.of(1 / Math.sqrt(headDim)), dims: [] },
      ...(causal ? { mask: { data: causalMask(seqQ), dims: [seqQ, seqQ] } } : {}),
    },
  };
}

/** A Gemm for each projection, as nn.Linear is exported; and between them each way of attention. */
function layer({ x, seqQ, modelDim, heads, weights }: LayerTask): Program[] {
  const headDim = modelDim / heads;
  const X = { data: x, dims: [seqQ, modelDim] };
  const constants: Record<string, Constant> = {};
  for (const name of ['wq', 'wk', 'wv', 'wo'] as const)
    constants[name] = { data: weights[name], dims: [modelDim, modelDim] };
  for (const name of ['bq', 'bk', 'bv', 'bo'] as const)
    constants[name] = { data: weights[name], dims: [modelDim] };
  const linear = (from: string, which: string, to: string): Node => ({
    op: 'Gemm',
    inputs: [from, `w${which}`, `b${which}`],
    outputs: [to],
    attributes: { transB: 1 },
  });
  const way = (
    name: string,
    shape: readonly number[],
    inner: Pick<Program, 'nodes' | 'constants'>,
  ): Program => {
    const reshape = (from: string, to: string, dims: string): Node => ({
      op: 'Reshape',
      inputs: [from, dims],
      outputs: [to],
    });
    return {
      name,
      feeds: { X },
      nodes: [
        ...['q', 'k', 'v'].flatMap((which) => [
          linear('X', which, `flat ${which}`),
          reshape(`flat ${which}`, which.toUpperCase(), 'shape'),
        ]),
        ...inner.nodes.map((node) => ({
          ...node,
          outputs: node.outputs.map((each) => (each === OUT ? 'attended' : each)),
        })),
        reshape('attended', 'rows', 'flat shape'),
        linear('rows', 'o', OUT),
      ],
      constants: {
        ...constants,
        ...inner.constants,
        shape: int64(shape),
        'flat shape': int64([seqQ, modelDim]),
      },
    };
  };
  const flat = [1, seqQ, modelDim];
  const full = { heads, kvHeads: heads, seqQ, headDim, causal: false };
  return [
    way('Attention', flat, { nodes: [attentionNode(full)] }),
    way('MultiHeadAttention', flat, { nodes: [multiHeadAttention(heads, false)] }),
    way('composed', [1, seqQ, heads, headDim], composed(full, { turned: true })),
    contribAttention({ X, constants, heads, flat }),
  ];
}

/** onnxruntime's own operator that projects to q, k and v itself, and a Gemm behind it. */
function contribAttention({
  X,
  constants,
  heads,
  flat,
}: {
  readonly X: Constant;
  readonly constants: Readonly<Record<string, Constant>>;
  readonly heads: number;
  readonly flat: readonly number[];
}): Program {
  return {
    name: 'contrib Attention',
    feeds: { X },
    nodes: [
      { op: 'Concat', inputs: ['wq', 'wk', 'wv'], outputs: ['wqkv'], attributes: { axis: 0 } },
      { op: 'Transpose', inputs: ['wqkv'], outputs: ['in-out'], attributes: { perm: [1, 0] } },
      { op: 'Concat', inputs: ['bq', 'bk', 'bv'], outputs: ['bqkv'], attributes: { axis: 0 } },
      { op: 'Reshape', inputs: ['X', 'shape'], outputs: ['x'] },
      {
        op: 'Attention',
        domain: CONTRIB,
        inputs: ['x', 'in-out', 'bqkv'],
        outputs: ['attended'],
        attributes: { num_heads: heads },
      },
      { op: 'Reshape', inputs: ['attended', 'flat shape'], outputs: ['rows'] },
      { op: 'Gemm', inputs: ['rows', 'wo', 'bo'], outputs: [OUT], attributes: { transB: 1 } },
    ],
    constants: { ...constants, shape: int64(flat), 'flat shape': int64(flat.slice(1)) },
  };
}

function int64(values: readonly number[]): Constant {
  return { dims: [values.length], data: BigInt64Array.from(values, BigInt) };
}
