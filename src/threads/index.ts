/** Threads, which are loaded when an engine wants them: a file of its own in the package, that takes nothing from the others. */
export { Pool, type Equipment } from './pool.ts';
export { sharedOf } from './shared.ts';
export { CONTROL_BYTES } from './protocol.ts';
