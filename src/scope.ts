/** A scope: everything that is made through it is freed with it. */
import { attention } from './operations/attention.ts';
import { matmul } from './operations/matmul.ts';
import { rope } from './operations/rope.ts';
import { tensor } from './operations/tensor.ts';
import { StateError } from './errors.ts';
import type { Runtime } from './runtime.ts';
import type { PackedMatrix, Tensor, TensorAttentionOptions, TensorMatmulOptions } from './tensor.ts';
import type { TensorRopeOptions } from './tensor.ts';

/**
 * Everything that is made through it is freed with it. Made by `engine.scope`.
 *
 * @example
 * import { createEngine } from 'heed';
 *
 * const engine = await createEngine();
 * const scope = engine.scope();
 * const x = scope.tensor([2, 2], Float32Array.of(1, 2, 3, 4));
 * scope.matmul(scope.matmul(x, x), x).data;   // 37, 54, 81, 118
 * scope.dispose();   // frees x and both products
 * engine.dispose();
 */
export class Scope {
  readonly #runtime: Runtime;
  readonly #made: Tensor[] = [];
  #alive = true;

  private constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** @internal Users call `engine.scope`. */
  static make(runtime: Runtime): Scope {
    return new Scope(runtime);
  }

  /**
   * As `engine.tensor`.
   *
   * @param shape 1 to 8 dimensions, outermost first
   * @param data as many elements as the shape has; default zeros
   * @throws as `engine.tensor`; StateError ERR_DISPOSED
   */
  tensor(shape: readonly number[], data?: Float32Array): Tensor {
    return tensor(this.#live('tensor'), 'tensor', shape, data, this.#keep);
  }

  /**
   * As `engine.attention`, on tensors.
   *
   * @param q [batch, seqQ, heads, headDim]
   * @param k [batch, seqK, kvHeads, headDim]
   * @param v [batch, seqK, kvHeads, valueDim]
   * @param options what differs from the defaults
   * @throws as `engine.attention`; StateError ERR_DISPOSED
   */
  attention(q: Tensor, k: Tensor, v: Tensor, options?: TensorAttentionOptions): Tensor {
    return attention(this.#live('attention'), 'attention', q, k, v, options, this.#keep) as Tensor;
  }

  /**
   * As `engine.matmul`, on tensors.
   *
   * @param a [batch, M, K], or [batch, K, M] with `transposeA`
   * @param b [batch, K, N] or one [K, N] for all, or a packed matrix
   * @param options what differs from the defaults
   * @throws as `engine.matmul`; StateError ERR_DISPOSED
   */
  matmul(a: Tensor, b: Tensor | PackedMatrix, options?: TensorMatmulOptions): Tensor {
    return matmul(this.#live('matmul'), 'matmul', a, b, options, this.#keep) as Tensor;
  }

  /**
   * As `engine.rope`, on a tensor.
   *
   * @param x [batch, seq, heads, headDim]
   * @param options what differs from the defaults
   * @throws as `engine.rope`; StateError ERR_DISPOSED
   */
  rope(x: Tensor, options?: TensorRopeOptions): Tensor {
    return rope(this.#live('rope'), 'rope', x, options, this.#keep) as Tensor;
  }

  /** Frees what was made, and ends the scope. May be called twice. */
  dispose(): void {
    this.#alive = false;
    for (const tensor of this.#made.splice(0)) tensor.dispose();
  }

  /** The same, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  readonly #keep = (made: Tensor): void => {
    // A getter among the options may have ended the scope.
    if (this.#alive) this.#made.push(made);
    else made.dispose();
  };

  #live(op: string): Runtime {
    if (this.#alive) return this.#runtime;
    throw new StateError('ERR_DISPOSED', { op, problem: 'this scope has been disposed of' });
  }
}
