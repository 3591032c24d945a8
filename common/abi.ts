/**
 * Numbers that both dialects need: compiled into the kernels by AssemblyScript and into the host by TypeScript.
 * Nothing else may stand here: field offsets are in `assembly/args.ts` and `src/descriptor.ts`.
 */

/** Version of the descriptors and exports. The host refuses a module that reports another. */
export const ABI_VERSION = 5;

/** Columns of a packed panel: two vectors of four lanes. Queries in attention, columns of C in a matmul. */
export const PANEL = 8;

/**
 * Keys of one attention block. Part of the order of addition (each block is summed from zero, blocks are added in
 * order, on the absolute grid of key indices), so it is a constant of the library, not a tuning parameter.
 */
export const BK = 96;

/**
 * Keys of one part of a decoding call, a multiple of BK. Each part is attended to by itself and the parts are combined in
 * order, with one thread too: part of the order of addition, as BK is. 1536 keys × 128 are 1.5 MB of K and V, about 40 µs.
 */
export const SPLIT = 1536;

/**
 * Most queries of a sequence that the decoding kernels serve; more go eight at a time through the panels of prefill. The
 * family, and with it the order of addition, depends on this alone. With one head in a group, 4 queries take 0.6 to 0.7 of
 * prefill's time, with four heads the same time; 8 take as long or longer.
 */
export const FEW = 4;

/** Depth of one matmul block. Part of the order of addition, as BK is. */
export const KC = 256;

/**
 * Most rows, (query, head of the group) pairs, of one attention item. Free to vary: it does not touch the bits. Each item reads
 * its keys anew: 12 × 64, S = 1024 takes 2 % longer with 128, 1 % with 256.
 */
export const BQ = 512;

/** Most rows of one matmul item, and so of a column tail kept in scratch. Free to vary. */
export const MC = 96;

/**
 * Register tiles, rows × columns, as a descriptor names the widest that serves. Wider ones than PANEL take several panels at
 * once; what they leave goes to 4×8. Free to vary: all add in the same order.
 */
export const TILE_4X8 = 408;
export const TILE_6X8 = 608;
export const TILE_3X12 = 312;
export const TILE_4X16 = 416;
export const TILE_6X16 = 616;

/** What a cache's append does with a row: copies it, rounds it to float16, or says only whether float16 can hold it. */
export const COPY = 0;
export const NARROW = 1;
export const CHECK = 2;

/** How K and V lie: as float32, as float16 all finite, as float16 with ∞ or NaN among them. */
export const FULL = 0;
export const HALF = 1;
export const HALF_SPECIAL = 2;

/** Every address that the allocator gives out is a multiple of this: one cache line. */
export const ALIGNMENT = 64;
