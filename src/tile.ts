/**
 * Register tiles of the matmul kernels, rows × columns: which there are, and which is the best on this engine and machine.
 * All add in the same order: another tile is another speed and the same bits, so the choice may change at any time.
 *
 * What a tile reaches hangs on registers and on the compiler: 3×12 gains 1 to 4 % under V8 13 and runs at half speed under
 * V8 11; 16 columns run at 1.5 × where 128-bit vectors are joined to 256 bits, and spill without. Only a timing tells.
 * It cannot be had at the start: V8 compiles a function well after it has run for about a millisecond, in the background, so
 * that 3 ms there compare what its first compiler makes of the tiles. It is taken in slices between calls instead.
 */
import { TILE_3X12, TILE_4X16, TILE_4X8, TILE_6X16, TILE_6X8 } from '../common/abi.ts';
import type { Build } from './wasm/inlined.ts';

/** Rows × columns. */
export type Tile = '4x8' | '6x8' | '3x12' | '4x16' | '6x16';

/** What a descriptor takes, by the word of the public option. */
export const TILES: Readonly<Record<Tile, number>> = {
  '4x8': TILE_4X8,
  '6x8': TILE_6X8,
  '3x12': TILE_3X12,
  '4x16': TILE_4X16,
  '6x16': TILE_6X16,
};

export const TILE_WORDS = Object.keys(TILES) as readonly Tile[];

/** Each build's tiles. */
export const TILES_OF: Readonly<Record<Build, readonly Tile[]>> = {
  baseline: ['4x8', '3x12', '4x16'],
  relaxed: ['6x8', '4x8', '6x16'],
};

/** The build's tiles, the one to begin with first: without FMA the product needs a register of its own, and six rows spill. */
export function tilesFor(build: Build, fma: boolean): readonly Tile[] {
  const tiles = TILES_OF[build];
  return fma ? tiles : ['4x8', ...tiles.filter((tile) => tile !== '4x8')];
}

/** By build: what an engine has found out, others need not. */
const chosen = new Map<Build, Tile>();

/**
 * An engine's tile: what was asked for, where the build has it; or what another engine has found out; or the choice.
 * `work` is asked for only then, and does one and the same with a tile, ten microseconds of it.
 */
export function tileFor(
  build: Build,
  fma: boolean,
  asked: Tile | 'auto',
  work: () => (tile: Tile) => void,
): Tile | TileChoice {
  const tiles = tilesFor(build, fma);
  if (asked !== 'auto') return TILES_OF[build].includes(asked) ? asked : tiles[0]!;
  const remember = (tile: Tile): void => {
    chosen.set(build, tile);
  };
  return chosen.get(build) ?? new TileChoice(tiles, work(), clock(), remember);
}

/** Milliseconds; in whole ones where there is nothing else, as in a bare realm of Node's. */
function clock(): () => number {
  return 'performance' in globalThis ? () => performance.now() : () => Date.now();
}

/** Slices that only warm up (a tile has run 1.5 ms then), and those that count. */
const WARM = 24;
const COUNTED = 8;
/** Milliseconds from one slice to the next: of the time spent in calls, slices take a fiftieth. */
const APART = 10;
/** What a tile must take of the first one's time to be chosen. */
const MARGIN = 0.99;

/** The best of several tiles, found out in slices of 0.1 to 0.3 ms, `WARM + COUNTED` of them. */
export class TileChoice {
  #best: Tile;
  readonly #tiles: readonly Tile[];
  readonly #run: (tile: Tile) => void;
  readonly #now: () => number;
  readonly #found: (tile: Tile) => void;
  readonly #times: number[];
  #slices = 0;
  #next: number;

  /** Begins with the first of `tiles`; `found` is told the last. */
  constructor(
    tiles: readonly Tile[],
    run: (tile: Tile) => void,
    now: () => number,
    found: (tile: Tile) => void,
  ) {
    this.#tiles = tiles;
    this.#best = tiles[0]!;
    this.#run = run;
    this.#now = now;
    this.#found = found;
    this.#times = tiles.map(() => Infinity);
    this.#next = now() + APART;
  }

  get decided(): boolean {
    return this.#slices === WARM + COUNTED;
  }

  /** The best so far. */
  get known(): Tile {
    return this.#best;
  }

  /** The best so far, after a slice where one is due. */
  get best(): Tile {
    if (!this.decided && this.#now() >= this.#next) this.#slice();
    return this.#best;
  }

  #slice(): void {
    const counts = ++this.#slices > WARM;
    for (const [i, tile] of this.#tiles.entries()) {
      // Once for the caches and the branch predictor, once for the clock.
      this.#run(tile);
      const start = this.#now();
      this.#run(tile);
      if (counts) this.#times[i] = Math.min(this.#times[i]!, this.#now() - start);
    }
    this.#next = this.#now() + APART;
    if (!this.decided) return;
    const least = Math.min(...this.#times);
    if (least < MARGIN * this.#times[0]!) this.#best = this.#tiles[this.#times.indexOf(least)]!;
    this.#found(this.#best);
  }
}
