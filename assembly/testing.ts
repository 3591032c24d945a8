/**
 * The test-only surface, compiled into builds that are never shipped: everything that ships, each kernel by its name,
 * the offset of each descriptor field, and the roof loops of the benchmark.
 */
export * from './index';
export * from './roof';
