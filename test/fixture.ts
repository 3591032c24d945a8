/** The recorded transformer blocks of PP-OCRv4's recogniser (test/fixtures/pp-ocr): weights, inputs, true outputs. */
import { readFileSync } from 'node:fs';

interface Manifest {
  readonly layerNormEpsilon: number;
  readonly tensors: Readonly<Record<string, { readonly offset: number; readonly shape: readonly number[] }>>;
}

const folder = new URL('fixtures/pp-ocr/', import.meta.url);

export const manifest: Manifest = JSON.parse(
  readFileSync(new URL('fixture.json', folder), 'utf8'),
) as Manifest;

const bytes = readFileSync(new URL('fixture.bin', folder));
const floats = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));

/** A tensor of the fixture, by name. */
export function tensor(name: string): Float32Array {
  const entry = manifest.tensors[name];
  if (entry === undefined) throw new Error(`the fixture has no ${name}`);
  return floats.slice(entry.offset, entry.offset + entry.shape.reduce((a, b) => a * b, 1));
}
