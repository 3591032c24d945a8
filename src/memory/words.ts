/** Linear memory as every kind of word. */
export interface Words {
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
}

export function wordsOf({ buffer }: { readonly buffer: ArrayBufferLike }): Words {
  return {
    u8: new Uint8Array(buffer),
    u32: new Uint32Array(buffer),
    f32: new Float32Array(buffer),
    f64: new Float64Array(buffer),
  };
}

export const NO_WORDS: Words = wordsOf({ buffer: new ArrayBuffer(0) });
