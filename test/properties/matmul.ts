/** What holds of products: their law, and their bits, however B is taken. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { integers, normal } from '../data.ts';
import { every, matmulLaw, use } from '../laws.ts';
import { expectSameBits } from '../problems.ts';
import { holds, type Property } from './property.ts';

const int = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
/** One in twenty is an edge. */
const most = (usual: fc.Arbitrary<number>, ...edges: number[]): fc.Arbitrary<number> =>
  fc.oneof({ weight: 19, arbitrary: usual }, fc.constantFrom(...edges));

/** Dimensions of a random product. */
export interface Shape {
  readonly batch: number;
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** One B for all of a batch. */
  readonly shared: boolean;
  /** There is a bias. */
  readonly biased: boolean;
}

/** Depths around blocks of 256 (one in six is deeper than one), columns around panels of 8 and pieces of 32 KB, rows around items of 96. */
export const shapes: fc.Arbitrary<Shape> = fc.record({
  batch: fc.oneof({ weight: 2, arbitrary: fc.constant(1) }, int(2, 3)),
  M: most(int(1, 13), 95, 97, 200),
  N: most(int(1, 33), 511, 520, 1030),
  K: fc.oneof({ weight: 5, arbitrary: int(1, 40) }, fc.constantFrom(255, 256, 257, 300, 512, 519)),
  transposeA: fc.boolean(),
  transposeB: fc.boolean(),
  shared: fc.boolean(),
  biased: fc.boolean(),
});

const pieces = holds(
  'a product of an array, a tensor, a view of one, and packed',
  shapes,
  (engine, { shared, biased, ...shape }) => {
    // A single row adds in another order when it is packed.
    const M = Math.max(2, shape.M);
    const { batch, N, K, transposeB } = shape;
    const a = normal(batch * M * K, 1);
    const b = normal((shared ? 1 : batch) * K * N, 2);
    const options = { ...shape, M, ...(biased && { bias: normal(N, 3) }) };
    const fed = engine.matmul(a, b, options);
    const tensor = engine.tensor([b.length], b);
    expectSameBits(engine.matmul(a, tensor.data, options), fed);
    tensor.dispose();
    if (!shared && batch > 1) return;
    const packed = engine.packMatrix(b, { K, N, transposeB });
    expectSameBits(engine.matmul(a, packed, { ...options, transposeB: undefined }), fed);
    packed.dispose();
  },
);

/** Rows of each product whose law is computed. */
const ROWS = 8;

const lawful = holds(
  'a product inside its law (P1), of whole numbers to the bit (P2)',
  shapes,
  (engine, { shared, biased, ...shape }) => {
    const { batch, M, N, K } = shape;
    const options = { ...shape, ...(biased && { bias: integers(N, 3, 99) }) };
    const rows = [...every(Math.ceil((batch * M) / ROWS), batch * M)];
    for (const whole of [false, true]) {
      const make = (length: number, seed: number): Float32Array =>
        whole ? integers(length, seed, 99) : normal(length, seed);
      const a = make(batch * M * K, M + K);
      const b = make((shared ? 1 : batch) * K * N, N);
      const c = engine.matmul(a, b, options);
      for (const row of matmulLaw(a, b, options, rows)) {
        const { values, bounds } = row.out('blocks');
        // Whole numbers of which every sum is below 2²⁴: 519·99² + 99.
        if (whole) bounds.fill(0);
        const most = use(c, { values, bounds }, row.at);
        if (!(most <= 1))
          expect.fail(`row ${row.row}${whole ? ' of whole numbers' : ''}: ${most} of its bound`);
      }
    }
  },
);

export const products: readonly Property[] = [pieces, lawful];
