/** Whatever the register tile, a result has the same bits: every case that is awkward, and panels that go together or not. */
import { describe, expect, it } from 'vitest';
import { createEngine, type Engine } from '../src/index.ts';
import { TILES_OF } from '../src/tile.ts';
import { builds } from './builds.ts';
import {
  attentionInputs,
  awkwardAttention,
  awkwardMatmul,
  matmulInputs,
  optionAttention,
  type AttentionCase,
} from './cases.ts';
import { normal } from './data.ts';

const bits = (x: Float32Array) => new Uint32Array(x.slice().buffer);

/** Thirteen panels over three blocks of keys and a half: all see a block, some do, none does. */
const long = { seqQ: 100, seqK: 336, headDim: 20, valueDim: 22, heads: 2 };
const groups: readonly AttentionCase[] = [
  { name: 'full', options: long },
  { name: 'causal', options: { ...long, causal: true } },
  { name: 'window', options: { ...long, causal: true, window: [150, 0] } },
  { name: 'lengths', options: { ...long, batch: 2, keyLengths: [97, 200] } },
  { name: 'one head of keys', options: { ...long, kvHeads: 1, causal: true } },
  { name: 'softcap', options: { ...long, softcap: 5 } },
  { name: 'bias', options: { ...long, bias: normal(100 * 336, 5) } },
];

describe.each(builds)('%s', async (build) => {
  const plain = await createEngine({ threads: 1, simd: build, tile: '4x8' });

  describe.each(TILES_OF[build].filter((tile) => tile !== '4x8'))('%s', async (tile) => {
    const engine = await createEngine({ threads: 1, simd: build, tile });

    it.each([...groups, ...awkwardAttention, ...optionAttention])('attention, $name', (row) => {
      const [q, k, v] = attentionInputs(row);
      expect(bits(engine.attention(q, k, v, row.options))).toEqual(
        bits(plain.attention(q, k, v, row.options)),
      );
    });

    it('a NaN behind the diagonal stays there', () => {
      const row: AttentionCase = { name: '', options: { ...long, seqQ: 336, causal: true } };
      const [q, k, v] = attentionInputs(row);
      k.fill(NaN, 2 * 20 * 200, 2 * 20 * 203);
      v.fill(NaN, 2 * 22 * 250, 2 * 22 * 252);
      const out = engine.attention(q, k, v, row.options);
      expect(bits(out)).toEqual(bits(plain.attention(q, k, v, row.options)));
      expect(out.subarray(0, 2 * 22 * 200).some(Number.isNaN)).toBe(false);
      expect(out.subarray(2 * 22 * 203).every(Number.isNaN)).toBe(true);
    });

    it.each(awkwardMatmul)('matmul, $name', (row) => {
      const [a, b] = matmulInputs(row);
      const { N, K, ...rest } = row.options;
      const run = (on: Engine): Float32Array => {
        if (!row.packed) return on.matmul(a, b, row.options);
        const packed = on.packMatrix(b, { N, K });
        const out = on.matmul(a, packed, rest);
        packed.dispose();
        return out;
      };
      expect(bits(run(engine))).toEqual(bits(run(plain)));
    });
  });
});
