/** What every build of the kernels exports: the surface of `assembly/index.ts`, seen from the host. */

/** Runs items begin … end of a call; `args` is the address of its descriptor. */
export type Driver = (args: number, begin: number, end: number, scratch: number) => void;

/** The drivers. A thread is told of one by its place here. */
export const DRIVERS = [
  'attention',
  'decode',
  'combine',
  'append',
  'weights',
  'gemm',
  'pack',
  'rope',
  'merge',
] as const;

/** All that is asked of a module. */
export const EXPORTS: readonly (keyof KernelExports)[] = [
  ...DRIVERS,
  ...(['abi', 'relaxed', 'heapBase', 'multiplyAdd', 'rowsAdd', 'ropeFrequencies'] as const),
  ...(['attentionScratch', 'gemmScratch', 'partBytes', 'ropeScratch', 'mergeScratch'] as const),
];

/** Those of an instance, in that order. */
export function driversOf(kernels: KernelExports): readonly Driver[] {
  return DRIVERS.map((name) => kernels[name]);
}

/** Rows of A by packed panels, as assembly/select.ts has them. */
export type Panels = (
  a: number,
  lda: number,
  rows: number,
  p: number,
  stride: number,
  panels: number,
  k: number,
  c: number,
  next: number,
  ldc: number,
  f: number,
  step: number,
  tile: number,
) => void;

// A type, not an interface: an instance's exports have an index signature.
export type KernelExports = {
  readonly abi: WebAssembly.Global;
  /** 1 in the build with relaxed SIMD, 0 in the baseline. */
  readonly relaxed: WebAssembly.Global;
  attention: Driver;
  decode: Driver;
  combine: Driver;
  append: Driver;
  weights: Driver;
  gemm: Driver;
  pack: Driver;
  rope: Driver;
  merge: Driver;
  /** Bytes of scratch for any item of the call that the descriptor holds, exact beyond 2³² too. */
  attentionScratch(args: number): number;
  gemmScratch(args: number): number;
  /** Bytes of what eight rows of a decoding call leave, if their keys were split. */
  partBytes(args: number): number;
  ropeScratch(args: number): number;
  mergeScratch(args: number): number;
  /** Writes float64 theta^(−i / pairs) / scaling for every pair, rounded up to a multiple of 4. */
  ropeFrequencies(frequencies: number, pairs: number, theta: number, scaling: number): void;
  /** C = C·f + A·B over packed panels: what a timing of tiles runs. */
  rowsAdd: Panels;
  multiplyAdd(a: number, b: number, c: number): number;
  /** First byte behind the module's static data. */
  heapBase(): number;
};
