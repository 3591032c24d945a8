/** The words that messages are made of, and what they need to know of a value. Runs no code of a user's object. */

/** A getter of a built-in prototype, as a function. Captured at load, it cannot be fooled by a user's object. */
export function intrinsic(prototype: object, key: PropertyKey): (x: unknown) => unknown {
  const { get } = Object.getOwnPropertyDescriptor(prototype, key) as { readonly get: () => unknown };
  return Function.prototype.call.bind(get) as (x: unknown) => unknown;
}

/** %TypedArray%.prototype, with the methods that are applied to arrays of any realm. */
export const typedArray: {
  readonly keys: () => unknown;
  readonly set: (from: ArrayLike<number>) => void;
} = Object.getPrototypeOf(Float32Array.prototype) as Float32Array;

/** 'Float32Array' …: the class of a typed array of any realm; undefined for anything else, proxies included. */
export const tagOf: (x: unknown) => string | undefined = intrinsic(typedArray, Symbol.toStringTag) as (
  x: unknown,
) => string | undefined;

const buffers: (readonly [kind: string, byteLength: (x: unknown) => unknown])[] = [
  ['ArrayBuffer', intrinsic(ArrayBuffer.prototype, 'byteLength')],
];
// A page that is not cross-origin isolated has no such global.
if (typeof SharedArrayBuffer !== 'undefined') {
  buffers.push(['SharedArrayBuffer', intrinsic(SharedArrayBuffer.prototype, 'byteLength')]);
}

/** Whether a test says yes. Brand checks say no by throwing, and so does Array.isArray of a revoked proxy. */
export function holds(test: () => unknown): boolean {
  try {
    return test() !== false;
  } catch {
    return false;
  }
}

/** What to call a value in a message: its class where that is sure, else its typeof. Runs no code of the value. */
export function kindOf(x: unknown): string {
  if (x === null) return 'null';
  if (typeof x !== 'object') return typeof x;
  const tag = tagOf(x);
  if (tag !== undefined) return tag;
  if (ArrayBuffer.isView(x)) return 'DataView';
  if (holds(() => Array.isArray(x))) return 'Array';
  return buffers.find(([, byteLength]) => holds(() => byteLength(x)))?.[0] ?? 'object';
}

/** How to make what is asked for of what came instead. */
export function arrayHint(kind: string, allowed: readonly string[]): string | undefined {
  if (allowed.includes('Float32Array')) return floatHint(kind);
  if (!kind.endsWith('Array') || kind.startsWith('Big')) return undefined;
  return allowed.includes('Uint8Array')
    ? 'Uint8Array.from(x, (y) => (y ? 1 : 0)) makes one'
    : `new ${allowed[0]}(x) makes one`;
}

function floatHint(kind: string): string | undefined {
  if (kind === 'DataView')
    return 'new Float32Array(x.buffer, x.byteOffset, x.byteLength / 4) reads its bytes';
  if (kind.endsWith('Buffer')) return 'new Float32Array(x, byteOffset, length) reads its bytes';
  if (kind.startsWith('Big')) return 'Float32Array.from(x, Number) makes one';
  if (kind === 'Uint8Array') {
    return (
      'new Float32Array(x) if these are numbers; if they are the bytes of floats, as in a Buffer, ' +
      'new Float32Array(x.buffer, x.byteOffset, x.byteLength / 4)'
    );
  }
  return kind.endsWith('Array') ? 'new Float32Array(x) makes one' : undefined;
}

/** The known name fewest edits away, if those are at most a third of the name's letters; case is free. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let fewest = Math.floor(name.length / 3) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) >= fewest) continue;
    const edits = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (edits < fewest) [best, fewest] = [candidate, edits];
  }
  return best;
}

/** Insertions, deletions, substitutions and swaps of neighbours that lead from a to b. */
function editDistance(a: string, b: string): number {
  const first = Array.from({ length: b.length + 1 }, (_, j) => j);
  let [before, above] = [first, first];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swaps = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swaps ? before[j - 2]! + 1 : Infinity;
      row.push(Math.min(replace, swap, above[j]! + 1, row[j - 1]! + 1));
    }
    [before, above] = [above, row];
  }
  return above[b.length]!;
}
