/** Typed by hand: scripts are JavaScript. */
export function deltaOf(base: Uint8Array, bytes: Uint8Array): Uint8Array<ArrayBuffer>;
