/**
 * An engine's memory in a transfer list (docs/reliability.md, fault 29). `tensor.data` is a view of it, so that its buffer can be named
 * there; what a JavaScript engine makes of that is an error or a copy, and the memory stays. What a call of arrays returns is the caller's.
 */
import { describe, expect, it } from 'vitest';
import { createEngine } from '../src/index.ts';
import { builds } from './builds.ts';
import { f32 } from './data.ts';
import { golden, losesNothing, watch } from './nothing-lost.ts';

type Transfer = (view: Float32Array, buffer: ArrayBuffer) => unknown;

const ways: readonly (readonly [name: string, transfer: Transfer])[] = [
  ['structuredClone', (view, buffer) => structuredClone(view, { transfer: [buffer] })],
  [
    'postMessage',
    (view, buffer) => {
      const { port1, port2 } = new MessageChannel();
      try {
        port1.postMessage(view, [buffer]);
      } finally {
        port1.close();
        port2.close();
      }
    },
  ],
  // Newer than Node 20, where it is a TypeError as the others are.
  ['ArrayBuffer.transfer', (_, buffer) => (buffer as { transfer?(): unknown }).transfer?.()],
];

describe.each(builds)('%s', (build) => {
  describe.each([1, 2])('memory of an engine of %i (fault 29)', (threads) => {
    it.each(ways)('stays where it is: %s', async (_, transfer) => {
      const engine = await createEngine({ threads, simd: build, maxMemory: 2 ** 26 });
      const tensor = engine.tensor([2, 2], Float32Array.of(1, 2, 3, 4));
      // What shows that nothing is lost has its own memory to take first.
      golden(engine);
      const { data } = tensor;
      const passed = (): void => {
        try {
          transfer(data, data.buffer as ArrayBuffer);
        } catch (error) {
          expect(['DataCloneError', 'TypeError']).toContain((error as Error).name);
        }
      };
      await losesNothing(passed, await watch(engine, tensor, data));
      expect([...data]).toEqual([1, 2, 3, 4]);
      expect(tensor.data.buffer).toBe(data.buffer);
      expect([...engine.matmul(tensor, tensor).data]).toEqual([7, 10, 15, 22]);
      engine.dispose();
    });

    it('is no part of what arrays give, which may be passed on', async () => {
      const engine = await createEngine({ threads, simd: build, maxMemory: 2 ** 26 });
      const expected = golden(engine);
      const out = engine.attention(f32(4), f32(4), f32(4), { seqQ: 2, headDim: 2 });
      expect(out.buffer.byteLength).toBe(out.byteLength);
      expect([...structuredClone(out, { transfer: [out.buffer] })]).toEqual([...f32(4)]);
      expect(out).toHaveLength(0);
      expect(golden(engine)).toEqual(expected);
      engine.dispose();
    });
  });
});
