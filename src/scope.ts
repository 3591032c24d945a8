/** A scope: everything that is made through it is freed with it. */
import * as operations from './operations/index.ts';
import { StateError } from './errors.ts';
import type { Runtime } from './runtime.ts';
import type { PackedMatrix, Tensor, TensorAttentionOptions, TensorMatmulOptions } from './tensor.ts';
import type { TensorRopeOptions } from './tensor.ts';

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

  /** As `engine.tensor`. */
  tensor(shape: readonly number[], data?: Float32Array): Tensor {
    return operations.tensor(this.#live('tensor'), 'tensor', shape, data, this.#keep);
  }

  /** As `engine.attention`, on tensors. */
  attention(q: Tensor, k: Tensor, v: Tensor, options?: TensorAttentionOptions): Tensor {
    return operations.attention(this.#live('attention'), 'attention', q, k, v, options, this.#keep) as Tensor;
  }

  /** As `engine.matmul`, on tensors. */
  matmul(a: Tensor, b: Tensor | PackedMatrix, options?: TensorMatmulOptions): Tensor {
    return operations.matmul(this.#live('matmul'), 'matmul', a, b, options, this.#keep) as Tensor;
  }

  /** As `engine.rope`, on a tensor. */
  rope(x: Tensor, options?: TensorRopeOptions): Tensor {
    return operations.rope(this.#live('rope'), 'rope', x, options, this.#keep) as Tensor;
  }

  /** Frees what was made, and ends the scope. May be called twice. */
  dispose(): void {
    this.#alive = false;
    for (const tensor of this.#made.splice(0)) tensor.dispose();
  }

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
