/**
 * The bytes of the kernels, from the text inside the package (docs/decisions/0015): hexadecimal, in which gzip finds again what it would
 * find in the bytes, where base64 hides it; and of the baseline build only how it differs from the relaxed one.
 */
import { baseline } from '../generated/baseline.ts';
import { relaxed } from '../generated/relaxed.ts';

/** The builds, best first. One relaxed opcode makes an engine without it refuse the whole module, so they are apart. */
export const BUILDS = ['relaxed', 'baseline'] as const;
export type Build = (typeof BUILDS)[number];

type Bytes = Uint8Array<ArrayBuffer>;

const known = new Map<Build, Bytes>();

/** Those of a build, decoded once. */
export function bytesOf(build: Build): Bytes {
  let bytes = known.get(build);
  if (bytes === undefined) {
    bytes = build === 'relaxed' ? decode(relaxed) : changed(bytesOf('relaxed'), decode(baseline));
    known.set(build, bytes);
  }
  return bytes;
}

/**
 * What a delta (scripts/delta.mjs) makes of other bytes. All numbers are LEB128:
 *
 *   | length of the result | then, until there is as much: bytes to insert, and how many before them | place to copy from | how many |
 *
 * A place is counted from the end of the last copy, forwards as 2·n, backwards as 2·n − 1. Damage ends too, in other bytes.
 */
export function changed(base: Bytes, delta: Bytes): Bytes {
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = delta[at++] ?? 0;
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  };
  const result = new Uint8Array(number());
  let [from, to] = [0, 0];
  const put = (bytes: Bytes): void => {
    const fitting = bytes.subarray(0, result.length - to);
    result.set(fitting, to);
    to += fitting.length;
  };
  while (at < delta.length && to < result.length) {
    const inserted = number();
    put(delta.subarray(at, (at += inserted)));
    const place = number();
    from += place % 2 === 0 ? place / 2 : -(place + 1) / 2;
    const copied = number();
    put(base.subarray(from, (from += copied)));
  }
  return result;
}

/** Decoders that are not everywhere: newer engines', and Node's. */
interface Decoders {
  readonly Uint8Array: { fromHex?(text: string): Bytes };
  readonly Buffer?: { from(text: string, encoding: 'hex'): Bytes };
}

/** Buffer takes 0.1 ms, the loop one or two, in which it is compiled. */
function decode(hex: string): Bytes {
  const decoders = globalThis as unknown as Decoders;
  if (decoders.Uint8Array.fromHex) return decoders.Uint8Array.fromHex(hex);
  if (decoders.Buffer) return decoders.Buffer.from(hex, 'hex');
  const decoded = new Uint8Array(hex.length / 2);
  // '0' … '9' are 48 … 57, 'a' … 'f' 97 … 102.
  const digit = (i: number): number => (hex.charCodeAt(i) & 15) + 9 * (hex.charCodeAt(i) >> 6);
  for (let i = 0; i < decoded.length; i++) decoded[i] = 16 * digit(2 * i) + digit(2 * i + 1);
  return decoded;
}
