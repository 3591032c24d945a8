/**
 * What the peers share: the tasks that all are given, and how a peer says in which ways it can do one. An adapter is a file
 * that exports a Peer; whatever can be made before the first call (sessions, packed weights, compiled graphs, caches) is made
 * in `prepare`, and a run takes plain arrays and gives a plain array, copies included.
 */
import { readFileSync } from 'node:fs';
import type { Order } from '../../test/laws.ts';
import type { Clock } from '../sample.ts';
import type { SeparateWeights } from '../../src/options/layer.ts';

/** C[M × N] = A[M × K] · B[K × N] */
export interface MatmulTask {
  readonly kind: 'matmul';
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly a: Float32Array;
  readonly b: Float32Array;
  /** B is a weight: known before the first call. */
  readonly constant: boolean;
}

/** q [seqQ, heads, headDim], k and v [seqK, kvHeads, headDim]: 'bshd', one sequence. */
export interface AttentionTask {
  readonly kind: 'attention';
  readonly seqQ: number;
  readonly seqK: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Only where seqQ is seqK: nobody means anything else by it then. */
  readonly causal: boolean;
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  /**
   * Keys and values are a cache: where the peer wants them before the first call, in any layout in which they can grow by a token.
   */
  readonly resident: boolean;
}

/** Multi-head self-attention of x [seqQ, modelDim] with its projections, weights [outDim, inDim] and biases. */
export interface LayerTask {
  readonly kind: 'layer';
  readonly seqQ: number;
  readonly modelDim: number;
  readonly heads: number;
  readonly x: Float32Array;
  readonly weights: Required<Filled<SeparateWeights>>;
}

type Filled<T> = { readonly [Key in keyof T]-?: NonNullable<T[Key]> };

export type Task = MatmulTask | AttentionTask | LayerTask;

/** One way to do a task: an operator, a graph of operators, a build. */
export interface Way {
  readonly name: string;
  /** Told, and in no ratio: it makes something beforehand that the task has only with the call. */
  readonly aside?: boolean;
  readonly prepare: () => Running | Promise<Running>;
}

export interface Running {
  /** A promise where the peer knows nothing else. */
  readonly run: () => Float32Array | Promise<Float32Array>;
  /** Of what runs elsewhere, where `run` has to fetch the result. */
  readonly clock?: Clock;
  readonly dispose: () => void | Promise<void>;
}

export interface Peer {
  readonly name: string;
  /** Of the package; undefined for what is in this repository. */
  readonly version: string | undefined;
  /** How it adds, as far as its law cares. */
  readonly order: Order;
  readonly load: () => Promise<(task: Task) => readonly Way[]>;
}

/** As bench/peers pins it. */
export function versionOf(name: string): string {
  const file = readFileSync(new URL('package.json', import.meta.url), 'utf8');
  const { dependencies, optionalDependencies } = JSON.parse(file) as Record<string, Record<string, string>>;
  return { ...dependencies, ...optionalDependencies }[name]!;
}

/** [size, size]: −∞ above the diagonal, for peers that know no causal attention. */
export function causalMask(size: number): Float32Array {
  const mask = new Float32Array(size * size);
  for (let i = 0; i < size; i++) mask.fill(-Infinity, i * size + i + 1, (i + 1) * size);
  return mask;
}

/** Runs that leave nothing behind. */
export const nothing = (): void => undefined;
