/**
 * Node's Buffer at the door: bytes, which are no floats, and as good a mask as any (docs/reliability.md, fault 9).
 *
 * @node Buffer is Node's
 */
import { expect, it } from 'vitest';
import { builds, engineOf } from './builds.ts';
import { f32 } from './data.ts';
import { good, resolve } from './door.ts';
import { refuses, watch } from './nothing-lost.ts';
import { refusal } from './refusals.ts';

it.each(builds)(
  'is no array of floats, and who has floats in one is told what reads them: %s',
  async (build) => {
    const engine = await engineOf(build);
    const [a, b] = [Buffer.alloc(48), f32(20)];
    const multiply = (): unknown => engine.matmul(a as unknown as Float32Array, b, { M: 3, N: 5, K: 4 });
    const words =
      'Float32Array, got Uint8Array — new Float32Array(x) if these are numbers; if they are the bytes ' +
      'of floats, as in a Buffer, new Float32Array(x.buffer, x.byteOffset, x.byteLength / 4)';
    refuses(multiply, refusal('matmul', 'a', 'ERR_ARG_TYPE', words), await watch(engine, a, b));
    engine.dispose();
  },
);

it('is a mask', () => {
  const mask = Buffer.alloc(15, 1);
  expect(resolve(good, { mask }).mask).toMatchObject({ steps: [0, 0, 5, 1], data: { value: mask } });
});
