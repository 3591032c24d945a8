/**
 * Every float32 there is, 4,294,967,296 of them, narrowed to float16 on every build. Rounding is monotone, so the right
 * answer is known by where it changes: at the middle between two neighbours, which goes to the even one.
 */
import { describe, expect, it } from 'vitest';
import { builds, testingModule } from '../builds.ts';
import { halfValue } from '../halves.ts';
import type { TestingExports } from '../kernels/harness.ts';

const SIZE = 1 << 20;

/** The bits of the first positive float that is rounded beyond each half; the last begins what is not a number. */
function firstBeyond(): Uint32Array {
  const float = new Float32Array(1);
  const word = new Uint32Array(float.buffer);
  return Uint32Array.from({ length: 0x7c01 }, (_, half) => {
    if (half === 0x7c00) return 0x7f800001;
    float[0] = (halfValue(half) + (half === 0x7bff ? 65536 : halfValue(half + 1))) / 2;
    // A tie goes to the even one.
    return half % 2 === 0 ? word[0]! + 1 : word[0]!;
  });
}

describe.each(builds)('%s', (build) => {
  it('narrows all float32 as the definition says', () => {
    const memory = new WebAssembly.Memory({ initial: 100, maximum: 100 });
    const abort = (): never => {
      throw new Error('assertion');
    };
    const { exports } = new WebAssembly.Instance(testingModule(build), { env: { memory, abort } });
    const kernels = exports as TestingExports;
    const from = new Uint32Array(memory.buffer, 65536, SIZE);
    const to = new Uint16Array(memory.buffer, 65536 + 4 * SIZE, SIZE);
    const beyond = firstBeyond();
    let count = 0;
    for (const sign of [0, 0x8000]) {
      let half = 0;
      for (let start = 0; start < 2 ** 31; start += SIZE) {
        for (let i = 0; i < SIZE; i++) from[i] = sign * 65536 + start + i;
        kernels.f16Narrow(from.byteOffset, SIZE, to.byteOffset);
        for (let i = 0; i < SIZE; i++) {
          const bits = start + i;
          while (half <= 0x7c00 && bits >= beyond[half]!) half++;
          const expected = half <= 0x7c00 ? sign | half : sign | 0x7e00;
          if (to[i] !== expected)
            expect.fail(`${(sign * 65536 + bits).toString(16)}: ${to[i]?.toString(16)}`);
        }
        count += SIZE;
      }
      expect(half).toBe(0x7c01);
    }
    expect(count).toBe(2 ** 32);
  });
});
