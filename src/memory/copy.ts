/**
 * Copies between a caller's array and linear memory, where the plain way is not the fast one: of a few numbers, and where memory is
 * shared. V8 copies to and from shared memory word by word, and byte by
 * byte where the two ends do not lie alike within eight bytes: arrays that begin at an odd float took four to five times as long (4.5 MB in
 * and 1.5 MB out 2.17 ms instead of 0.62). Through plain memory that lies as the shared end does it is 0.8.
 */

const BYTES = 32768;

/** Seven bytes more, to begin where the other end does within eight. */
let plain: Uint8Array<ArrayBuffer> | undefined;

/** `bytes` from one buffer to another, of which `shared` is the address in shared memory: `to`'s or `from`'s. */
export function copyShared(
  to: ArrayBufferLike,
  toAt: number,
  from: ArrayBufferLike,
  fromAt: number,
  bytes: number,
  shared: number,
): void {
  if ((toAt - fromAt) % 8 === 0) {
    new Uint8Array(to, toAt, bytes).set(new Uint8Array(from, fromAt, bytes));
    return;
  }
  plain ??= new Uint8Array(BYTES + 8);
  for (let done = 0; done < bytes; done += BYTES) {
    const piece = plain.subarray(shared % 8, (shared % 8) + Math.min(BYTES, bytes - done));
    piece.set(new Uint8Array(from, fromAt + done, piece.length));
    new Uint8Array(to, toAt + done, piece.length).set(piece);
  }
}

/** Bytes up to which numbers are copied one by one: without views the smallest call takes 4 % less. */
export const FEW = 256;

export function copyFew(
  to: Float32Array,
  at: number,
  from: Float32Array,
  start: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) to[at + i] = from[start + i]!;
}
