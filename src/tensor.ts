/**
 * Memory that outlives a call: Tensor and PackedMatrix, and the door through which calls recognise them. Only who asks
 * for zero-copy meets lifetimes; plain calls have nothing to release.
 */
import { Block, Owner } from './block.ts';
import { PLAIN, type Door } from './checks/index.ts';
import { StateError } from './errors.ts';
import type { AttentionShape, PackedOptions, VarlenShape } from './options/attention.ts';
import type { MatmulOptions } from './options/matmul.ts';
import type { RopeOptions } from './options/rope.ts';
import type { AttentionOptions, Shaped } from './options/scores.ts';
import type { Runtime } from './runtime.ts';

/** Views that were handed out hold their block, so that what they show is not given to somebody else. */
const views = new WeakMap<Float32Array, Block>();

/** The block that an array is a view of, if a tensor has handed it out. */
export function blockViewed(x: Float32Array): Block | undefined {
  return views.get(x);
}

/** The block of what the door has let in. */
export function blockOf(x: Tensor | PackedMatrix): Block {
  return Owner.blockOf(x) as Block;
}

/**
 * Float32 numbers on an engine's memory: calls read and write them in place. Made by `engine.tensor` and by calls that
 * take tensors; released by `dispose()`, a scope, or `using`.
 *
 * @example
 * import { createEngine } from 'heed';
 *
 * const engine = await createEngine();
 * const x = engine.tensor([1, 2, 1, 4], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
 * const y = engine.attention(x, x, x);   // [1, 2, 1, 4]
 * console.log(y.data);
 * x.dispose();
 * y.dispose();
 */
export class Tensor extends Owner {
  /** Dimensions, outermost first. */
  readonly shape: readonly number[];
  /** Elements: the product of the shape. */
  readonly size: number;

  private constructor(block: Block, shape: readonly number[]) {
    super(block);
    this.shape = Object.freeze([...shape]);
    this.size = shape.reduce((a, b) => a * b, 1);
    // Calls read memory by this shape.
    Object.freeze(this);
  }

  /** @internal Users call `engine.tensor`. */
  static make(runtime: Runtime, address: number, shape: readonly number[]): Tensor {
    return new Tensor(new Block(runtime, address), shape);
  }

  /**
   * A live view of the elements. It is gone when the engine's memory grows, so take it anew after each call. (On an engine with
   * threads memory is shared, and views stay.) The view holds the tensor's memory, a subarray of it does not.
   * @throws StateError ERR_DISPOSED
   */
  get data(): Float32Array {
    const block = blockOf(this);
    const view = block.runtime.floats(block.address('tensor', 'data', 'tensor'), this.size);
    views.set(view, block);
    return view;
  }
}

/**
 * A matrix in the order in which the matmul kernel reads it, made by `engine.packMatrix`: pack once, multiply often.
 * Belongs to its engine.
 *
 * @example
 * import { createEngine } from 'heed';
 *
 * const engine = await createEngine();
 * const w = engine.packMatrix(Float32Array.of(1, 2, 3, 4, 5, 6), { K: 2, N: 3 });
 * engine.matmul(Float32Array.of(1, 1), w, { M: 1 });   // 5, 7, 9
 * w.dispose();
 * engine.dispose();
 */
export class PackedMatrix extends Owner {
  /** Its rows: what A has columns. */
  readonly K: number;
  /** Its columns. */
  readonly N: number;

  private constructor(block: Block, K: number, N: number) {
    super(block);
    this.K = K;
    this.N = N;
    Object.freeze(this);
  }

  /** @internal Users call `engine.packMatrix`. */
  static make(runtime: Runtime, address: number, K: number, N: number): PackedMatrix {
    return new PackedMatrix(new Block(runtime, address), K, N);
  }
}

/** The door of an engine's calls: Float32Array, and what was made by this engine. */
export class EngineDoor implements Door {
  readonly floats: readonly string[] = PLAIN.floats;
  readonly #runtime: Runtime;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  shapeOf(op: string, arg: string, x: unknown): readonly number[] | undefined {
    // By brand before class: to ask a proxy for its class runs its code.
    const block = Owner.blockOf(x);
    if (block === undefined || !(x instanceof Tensor)) return undefined;
    this.#requireLive(op, arg, block, 'tensor');
    return x.shape;
  }

  packedOf(op: string, arg: string, x: unknown): PackedMatrix | undefined {
    const block = Owner.blockOf(x);
    if (block === undefined || !(x instanceof PackedMatrix)) return undefined;
    this.#requireLive(op, arg, block, 'packed matrix');
    return x;
  }

  #requireLive(op: string, arg: string, block: Block, what: string): void {
    block.address(op, arg, what);
    if (block.runtime === this.#runtime) return;
    const received = 'one of another engine';
    throw new StateError('ERR_FOREIGN_TENSOR', { op, arg, expected: `a ${what} of this engine`, received });
  }
}

/** What operations take and give: plain arrays, or tensors. */
export type Values = Float32Array | Tensor;

/** Side inputs of attention through an engine: arrays, or tensors. */
export interface SideInputs {
  /** Added to the scaled and capped score; −Infinity masks. A tensor has four dimensions, each full or 1. */
  readonly bias?: Values | Shaped<Values> | undefined;
  /** [heads] slopes. */
  readonly alibi?: Values | undefined;
  /** [heads] logits that take weight and give no value. */
  readonly sinks?: Values | undefined;
  /** [batch, heads, seqQ] ([heads, totalQ] if packed), written when given. */
  readonly logSumExp?: Values | undefined;
}

/** Options of attention on arrays through an engine: side inputs may be tensors. */
export type ArrayAttentionOptions =
  | (AttentionShape & Omit<AttentionOptions, keyof SideInputs> & SideInputs)
  | (VarlenShape & Omit<PackedOptions, keyof SideInputs> & Omit<SideInputs, 'bias'>);

/** Options of matmul on arrays through an engine: side inputs may be tensors. */
export type ArrayMatmulOptions = Omit<MatmulOptions, 'bias'> & {
  /** [N] */
  readonly bias?: Values | undefined;
};

/** Written and returned by attention on tensors. */
export interface TensorOut {
  /** May not be an input (ERR_OVERLAP). Default: a new tensor, which the caller owns. */
  readonly out?: Tensor | undefined;
}

/** Options of attention on tensors: dimensions default to the tensors' own; stated, they must agree. */
export type TensorAttentionOptions =
  | (Partial<AttentionShape> & Omit<AttentionOptions, keyof SideInputs | 'out'> & SideInputs & TensorOut)
  | (Pick<VarlenShape, 'cuSeqlensQ' | 'cuSeqlensK'> &
      Partial<VarlenShape> &
      Omit<PackedOptions, keyof SideInputs | 'out'> &
      Omit<SideInputs, 'bias'> &
      TensorOut);

/** Options of matmul on tensors: dimensions default to the tensors' own; stated, they must agree. */
export type TensorMatmulOptions = Partial<Omit<MatmulOptions, 'bias' | 'out'>> & {
  /** [N] */
  readonly bias?: Values | undefined;
  /** Written and returned. May not be an input (ERR_OVERLAP). Default: a new tensor, which the caller owns. */
  readonly out?: Tensor | undefined;
};

/** Options of rope on a tensor: dimensions default to the tensor's own; stated, they must agree. */
export type TensorRopeOptions = Partial<Omit<RopeOptions, 'out'>> & {
  /** Written and returned. May be x itself: in place. Default: a new tensor, which the caller owns. */
  readonly out?: Tensor | undefined;
};
