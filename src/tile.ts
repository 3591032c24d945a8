/** Register tiles of the matmul kernels, rows × columns: which there are, and which is the best here. */
import { TILE_3X12, TILE_4X16, TILE_4X8, TILE_6X16, TILE_6X8 } from '../common/abi.ts';
import type { Build } from './wasm/instantiate.ts';

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

const TILES_OF: Readonly<Record<Build, readonly Tile[]>> = {
  baseline: ['4x8', '3x12', '4x16'],
  relaxed: ['4x8', '6x8', '6x16'],
};

export function hasTile(build: Build, tile: Tile): boolean {
  return TILES_OF[build].includes(tile);
}

export function bestTile(build: Build, fma: boolean): Tile {
  // Without FMA the product needs a register of its own, and six rows spill.
  return build === 'relaxed' && fma ? '6x8' : '4x8';
}
