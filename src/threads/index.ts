/** Threads, which are loaded when an engine wants them: a file of its own in the package. */
export { CONTROL_BYTES } from './protocol.ts';
export { cores, whyNoThreads } from './machine.ts';
export { sharedOf } from './shared.ts';
export { Team } from './team.ts';
