/**
 * The kernels for shared memory. No kernel has an atomic instruction (threads claim whole items, and that is JavaScript's), so the
 * builds for plain and for shared memory differ in one thing: the limits of the imported memory. Those are rewritten here, in
 * place of two more builds that would ship twice the bytes (docs/decisions/0014).
 */

const IMPORTS = 2;
const MEMORY = 2;
/** Flags of limits: there is a maximum; the memory is shared, which needs one. */
const SHARED = 3;
/** 65536 pages, as unsigned LEB128. */
const MAXIMUM = [0x80, 0x80, 0x04] as const;

/** The bytes of a module that imports one plain memory and nothing else, importing a shared one. */
export function sharedOf(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  let at = 8;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const start = at;
    const id = bytes[at++]!;
    const end = number() + at;
    if (id !== IMPORTS) {
      at = end;
      continue;
    }
    const body = at;
    const imports = number();
    // Two names, each with its length before.
    for (let i = 0; i < 2; i++) {
      const length = number();
      at += length;
    }
    const kind = bytes[at++]!;
    const flags = at;
    if (imports !== 1 || kind !== MEMORY || bytes[flags] !== 0) break;
    const content = [...bytes.subarray(body, flags), SHARED, ...bytes.subarray(flags + 1, end), ...MAXIMUM];
    // A length below 128 is one byte.
    if (content.length > 127) break;
    const section = [IMPORTS, content.length, ...content];
    const patched = new Uint8Array(start + section.length + bytes.length - end);
    patched.set(bytes.subarray(0, start));
    patched.set(section, start);
    patched.set(bytes.subarray(end), start + section.length);
    return patched;
  }
  throw new Error('the kernels import something else than a memory');
}
