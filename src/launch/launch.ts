/**
 * What is launched: from a complete problem and addresses to kernels that have run. A launch writes the descriptor and
 * its items, asks wasm for scratch, and says first how much room it needs, so that a call takes all its memory at once.
 * One file an operation.
 */

/** A call whose items are cut: `bytes` of room for its side tables and scratch. */
export interface Launch<Addresses> {
  readonly bytes: number;
  run(addresses: Addresses, room: number): void;
}
