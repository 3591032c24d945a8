/** Rows of tiles by panels of columns, as assembly/select.ts cuts them: whatever the tile, the bits are the same. */
import { describe, it } from 'vitest';
import { TILE_3X12, TILE_4X16, TILE_4X8, TILE_6X16, TILE_6X8 } from '../../common/abi.ts';
import { builds } from '../builds.ts';
import { integers, normal } from '../data.ts';
import { ADD, Arena, expectSame, expectWithin, MAX, part, type Choice, type Epilogue } from './harness.ts';
import {
  COLUMNS,
  exact,
  gather,
  inOrder,
  inPanels,
  operands,
  spread,
  transpose,
  type Operands,
} from './tiles.ts';

interface Form {
  readonly name: Choice;
  readonly transposed: boolean;
  readonly epilogue: Epilogue;
}

const forms: readonly Form[] = [
  { name: 'rowsAdd', transposed: false, epilogue: ADD },
  { name: 'rowsMax', transposed: false, epilogue: MAX },
  { name: 'columnsAdd', transposed: true, epilogue: ADD },
];

const TILES = [TILE_4X8, TILE_6X8, TILE_3X12, TILE_4X16, TILE_6X16];
/** Every remainder of all tiles, and of two or more of them. */
const ROWS = [...Array(20).keys()];
const SIZES = ROWS.flatMap((rows) => [0, 1, 2, 3, 5, 6].map((panels) => [rows, panels] as const));
const DEPTHS = [0, 1, 3, 4, 5, 9, 17];
/** Floats between rows of A, rows of C, and panels of B. */
const GAP_A = 1;
const GAP_C = 3;
const GAP_B = 8;
/** Bytes from the columns of one panel, and their f, to those of the next. */
const NEXT = 4 * COLUMNS;

function run(arena: Arena, form: Form, x: Operands, tile: number) {
  const { rows, cols, k } = x;
  arena.clear();
  const columns = form.transposed ? rows : k;
  const panels = cols / COLUMNS;
  const a = arena.place(spread(form.transposed ? transpose(x.a, rows, k) : x.a, columns, GAP_A));
  const b = arena.place(
    inPanels(x.b, k, cols).flatMap((panel) => [...panel, ...Array<number>(GAP_B).fill(NaN)]),
  );
  const f = arena.place(x.f);
  const old = form.epilogue === ADD ? x.c : new Float32Array(rows * cols).fill(NaN);
  const c = arena.place(spread(old, cols, GAP_C));
  const written = Array.from({ length: rows }, (_, i) => part(c, i * (cols + GAP_C), cols));
  if (form.epilogue === MAX) written.push(f);
  const [lda, ldc] = [4 * (columns + GAP_A), 4 * (cols + GAP_C)];
  const stride = 4 * (COLUMNS * k + GAP_B);
  arena.run(written, () => {
    const choice = arena.kernels[form.name];
    choice(a.address, lda, rows, b.address, stride, panels, k, c.address, NEXT, ldc, f.address, NEXT, tile);
  });
  return { c: gather(c, rows, cols, GAP_C), f: f.floats.slice() };
}

describe.each(builds)('rows of tiles, %s', (build) => {
  const arena = new Arena(build);

  describe.each(forms)('$name', (form) => {
    const { epilogue } = form;

    const title = '%i rows, %i panels: exact on integers, in order and inside the law on floats';
    it.each(SIZES)(title, (rows, panels) => {
      for (const k of DEPTHS) {
        const cols = COLUMNS * panels;
        const whole = operands(rows, cols, k, (length, seed) => integers(length, seed, 9));
        const real = operands(rows, cols, k, normal);
        const truth = exact(real, epilogue);
        const ordered = inOrder(real, epilogue, arena);
        for (const tile of TILES) {
          const what = `k = ${k}, tile ${tile}`;
          expectSame(
            run(arena, form, whole, tile).c,
            Float32Array.from(exact(whole, epilogue).c),
            `${what}: integers`,
          );
          const actual = run(arena, form, real, tile);
          expectWithin(actual.c, truth.c, truth.bound, `${what}: against float64`);
          expectSame(actual.c, ordered.c, `${what}: in order`);
          expectSame(actual.f, ordered.f, `${what}: f`);
        }
      }
    });
  });

  it.each(ROWS)('of %i rows that are NaN: no maximum', (rows) => {
    const maxima: Form = { name: 'rowsMax', transposed: false, epilogue: MAX };
    for (const panels of [1, 3, 5]) {
      for (const tile of TILES) {
        const x = operands(rows, COLUMNS * panels, 1, normal);
        x.a.fill(NaN);
        expectSame(run(arena, maxima, x, tile).f, x.f, `${panels} panels, tile ${tile}`);
      }
    }
  });

  it('serves all panels by one f where its step is 0', () => {
    for (const tile of TILES) {
      const x = operands(7, 2 * COLUMNS, 3, normal);
      x.f.copyWithin(COLUMNS, 0, COLUMNS);
      arena.clear();
      const a = arena.place(x.a);
      const b = arena.place(inPanels(x.b, 3, 2 * COLUMNS).flatMap((panel) => [...panel]));
      const f = arena.place(x.f.subarray(0, COLUMNS));
      const c = arena.place(x.c);
      arena.run([c], () => {
        arena.kernels.rowsAdd(a.address, 12, 7, b.address, 96, 2, 3, c.address, NEXT, 64, f.address, 0, tile);
      });
      expectSame(c.floats, inOrder(x, ADD, arena).c, `tile ${tile}`);
    }
  });
});
