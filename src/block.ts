/** Blocks of an engine's memory that outlive a call, and what owns them: tensors, packed matrices, caches. */
import { StateError } from './errors.ts';
import type { Runtime } from './runtime.ts';

/** A block of an engine's memory with an owner. Disposing twice is no error. */
export class Block {
  readonly runtime: Runtime;
  readonly #address: number;
  #alive = true;
  /** Calls that use it and are not done. */
  #holds = 0;

  constructor(runtime: Runtime, address: number) {
    this.runtime = runtime;
    this.#address = address;
    runtime.watch(this, address);
  }

  /** The address. ERR_DISPOSED: memory that may be somebody else's by now is never read. */
  address(op: string, arg: string, what: string): number {
    if (this.#alive && !this.runtime.disposed) return this.#address;
    const received = 'one that has been disposed of';
    throw new StateError('ERR_DISPOSED', { op, arg, expected: `a live ${what}`, received });
  }

  dispose(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.runtime.unwatch(this);
    if (this.#holds === 0) this.runtime.free(this.#address);
  }

  /** Keeps the memory for a call that is under way, though the owner may be disposed of meanwhile. */
  hold(): void {
    this.#holds++;
  }

  release(): void {
    this.#holds--;
    if (this.#holds === 0 && !this.#alive) this.runtime.free(this.#address);
  }
}

/**
 * What owns a block and is released by `dispose()`. The block is a private field, which is the brand too: who lacks it
 * is neither a tensor nor a packed matrix. (A WeakMap from owner to block did the same; its table in V8 grew by 130 MB
 * over a million short-lived tensors before it settled.)
 */
export class Owner {
  readonly #block: Block;

  /** @internal */
  protected constructor(block: Block) {
    this.#block = block;
  }

  /** @internal The block, if x owns one. */
  static blockOf(x: unknown): Block | undefined {
    return typeof x === 'object' && x !== null && #block in x ? x.#block : undefined;
  }

  /** Frees the memory. May be called twice. */
  dispose(): void {
    this.#block.dispose();
  }

  /** The same, for `using`. */
  [Symbol.dispose](): void {
    this.#block.dispose();
  }
}
