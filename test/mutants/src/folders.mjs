/**
 * The folders of src/, each with the tests that are about it, without those that start programs: all of the fast suite for each mutant
 * would take days. A test that is missing here makes the score lower, never higher. Not among the files is src/threads/worker.ts:
 * workers run it as the text that scripts/build-worker.mjs has made of it, in which there is no mutant.
 */

import { readdirSync } from 'node:fs';

/** What is refused, and how. */
const DOOR = 'door* again kv-cache-faults layer-options limits reference';

/** What each option means, in small numbers. */
const MEANING = 'semantics* pytorch rope merge kv-cache kv-cache-ring layer needles tiles';

const OF_ITEMS = ['descriptor.ts', 'items.ts', 'recent.ts'];
const OF_ENGINES = ['engine.ts', 'make-engine.ts', 'runtime.ts', 'self-test.ts', 'tile.ts'];
const OF_TENSORS = ['scope.ts', 'tensor.ts'];
const OF_CACHES = ['kv-cache.ts'];
const OF_LAYERS = ['multi-head-attention.ts', 'pass.ts'];

const isOneOf = (names) => (name) => names.includes(name);

/** Of each: its files, their tests, and how many per cent of the mutants are to be killed, at least. */
export const FOLDERS = {
  checks: folder('src/checks', `${DOOR} brought engine user-objects`, 95),
  memory: folder('src/memory', 'allocator copy engine limits memory orphans transfers', 95),
  threads: folder(
    'src/threads',
    'threads-shared threads-block threads-pool threads-spawn threads-small threads-start threads-async threads-abort threads-faults threads-left threads-silent ' +
      'properties-threads as-loaded machine* transfers',
    95,
  ),
  options: folder('src/options', `${DOOR} ${MEANING} brought engine threads-abort threads-small`),
  launch: folder(
    'src/launch',
    `${MEANING} again door-kernels integers launches properties-caches limits threads-small threads-async layer-options kv-cache-faults kv-cache-timeout machine*`,
  ),
  operations: folder(
    'src/operations',
    `${DOOR} ${MEANING} call engine machine-kernels matmul-pieces memory tensors threads-abort threads-async threads-small transfers wrong-state`,
  ),
  wasm: folder(
    'src/wasm',
    'as-loaded brought engine inlined instantiate limits machine* memory threads-start',
  ),
  reference: folder(
    'src/reference',
    'math pytorch reference semantics* rope merge door door-matmul door-merge door-packed door-rope',
  ),
  // The files of src/ itself, in parts: a survivor costs all tests of its part. Those of tensors must be apart, and take twice as long.
  items: folder('src', 'abi again cuts items launches', 90, isOneOf(OF_ITEMS)),
  engines: folder(
    'src',
    'brought engine inlined launches limits machine* memory orphans runtime self-test threads-small threads-start tile tile-once transfers wrong-state',
    90,
    isOneOf(OF_ENGINES),
  ),
  tensors: folder(
    'src',
    'call door-tensors limits memory tensors transfers wrong-state',
    90,
    isOneOf(OF_TENSORS),
  ),
  caches: folder(
    'src',
    'door-cache kv-cache* layer layer-options threads-async transfers wrong-state',
    90,
    isOneOf(OF_CACHES),
  ),
  layers: folder(
    'src',
    'door-layer engine layer layer-options model rope tensors threads-abort threads-async threads-small transfers wrong-state',
    90,
    isOneOf(OF_LAYERS),
  ),
  calls: folder(
    'src',
    'again as-loaded call call-copies words semantics-options door door-arrays door-buffer door-errors door-matmul door-tensors engine limits machine machine-kernels matmul-pieces ' +
      'memory merge rope tensors threads-abort threads-async threads-faults threads-silent threads-small transfers wrong-state',
    90,
    (name) => ![OF_ITEMS, OF_ENGINES, OF_TENSORS, OF_CACHES, OF_LAYERS].some((part) => part.includes(name)),
  ),
};

function folder(path, tests, least = 90, mine = () => true) {
  const names = readdirSync(new URL(`../../../${path}`, import.meta.url)).filter(mine);
  const files = names.map((name) => `${path}/${name}`);
  return {
    files: files.filter((file) => file.endsWith('.ts') && file !== 'src/threads/worker.ts'),
    tests: tests.split(' ').map((name) => `test/${name}.test.ts`),
    least,
  };
}
