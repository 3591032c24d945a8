/** jax-js on its wasm backend, compiled by its `jit`. In Node it has one thread. */
import { versionOf, type Peer, type Running, type Task } from './peer.ts';

/** Counted by reference: what takes an array takes one reference of it, and `ref` makes another. */
interface Array {
  readonly ref: Array;
  reshape(shape: readonly number[]): Array;
  add(x: Array): Array;
  dataSync(): Float32Array;
  dispose(): void;
}

/** The part of @jax-js/jax that is used. */
interface Jax {
  init(...devices: string[]): Promise<readonly string[]>;
  defaultDevice(name: string): string;
  readonly jit: (program: (...xs: Array[]) => Array) => (...xs: Array[]) => Array;
  readonly numpy: {
    array(data: Float32Array): Array;
    matmul(a: Array, b: Array): Array;
    transpose(x: Array): Array;
  };
  readonly nn: {
    dotProductAttention(q: Array, k: Array, v: Array, options: { isCausal: boolean }): Array;
  };
}

const name = '@jax-js/jax';

export const jax: Peer = {
  name: 'jax-js',
  version: versionOf(name),
  order: 'chain',
  load: async () => {
    const library = (await import(name)) as Jax;
    await library.init('wasm');
    library.defaultDevice('wasm');
    return (task) => [
      {
        name: task.kind === 'matmul' ? 'matmul' : 'dotProductAttention',
        prepare: () => prepare(library, task),
      },
    ];
  },
};

/** `fed` are arrays in each call, `kept` stay; the program takes those that are fed first. */
function running(
  { jit, numpy }: Jax,
  program: (...xs: Array[]) => Array,
  fed: readonly (readonly [Float32Array, readonly number[]])[],
  kept: readonly Array[],
): Running {
  const compiled = jit(program);
  return {
    run: () => {
      const arrays = fed.map(([data, shape]) => numpy.array(data).reshape(shape));
      return compiled(...arrays, ...kept.map((each) => each.ref)).dataSync();
    },
    dispose: () => {
      for (const each of kept) each.dispose();
    },
  };
}

function prepare(library: Jax, task: Task): Running {
  const { numpy, nn } = library;
  switch (task.kind) {
    case 'matmul': {
      const { M, N, K, a, b, constant } = task;
      const [A, B] = [[a, [M, K]] as const, [b, [K, N]] as const];
      const multiply = (x: Array, y: Array): Array => numpy.matmul(x, y);
      return constant
        ? running(library, multiply, [A], [numpy.array(b).reshape([K, N])])
        : running(library, multiply, [A, B], []);
    }
    case 'attention': {
      const { q, k, v, seqQ, seqK, heads, kvHeads, headDim, causal, resident } = task;
      const shape = [seqK, kvHeads, headDim];
      const Q = [q, [seqQ, heads, headDim]] as const;
      const attend = (x: Array, y: Array, z: Array): Array =>
        nn.dotProductAttention(x, y, z, { isCausal: causal });
      return resident
        ? running(
            library,
            attend,
            [Q],
            [k, v].map((each) => numpy.array(each).reshape(shape)),
          )
        : running(library, attend, [Q, [k, shape], [v, shape]], []);
    }
    case 'layer': {
      const { x, seqQ, modelDim, heads, weights } = task;
      const { wq, wk, wv, wo, bq, bk, bv, bo } = weights;
      const kept = [
        ...[wq, wk, wv, wo].map((w) => numpy.transpose(numpy.array(w).reshape([modelDim, modelDim]))),
        ...[bq, bk, bv, bo].map((b) => numpy.array(b)),
      ];
      const program = (X: Array, ...w: Array[]): Array => {
        const split = (i: number): Array =>
          numpy
            .matmul(X.ref, w[i]!)
            .add(w[i + 4]!)
            .reshape([seqQ, heads, modelDim / heads]);
        const parts = [split(0), split(1), split(2)] as const;
        X.dispose();
        const out = nn.dotProductAttention(...parts, { isCausal: false });
        return numpy.matmul(out.reshape([seqQ, modelDim]), w[3]!).add(w[7]!);
      };
      return running(library, program, [[x, [seqQ, modelDim]]], kept);
    }
  }
}
