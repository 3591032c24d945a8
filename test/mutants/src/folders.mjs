/**
 * The folders of src/, each with the tests that are about it, without those that start programs: all of the fast suite for each mutant
 * would take days. A test that is missing here makes the score lower, never higher. Not among the files is src/threads/worker.ts:
 * workers run it as the text that scripts/build-worker.mjs has made of it, in which there is no mutant.
 */

/** What is refused, and how. */
const DOOR = 'door* again kv-cache-faults layer-options limits reference tensors';

/** What each option means, in small numbers. */
const MEANING = 'semantics* pytorch rope merge kv-cache kv-cache-ring layer needles tiles';

export const FOLDERS = {
  checks: folder('checks', `${DOOR} brought engine user-objects`),
  memory: folder('memory', 'allocator limits matmul-pieces memory tensors transfers'),
  threads: {
    files: ['src/threads/*.ts', '!src/threads/worker.ts'],
    tests: named('pool-model machine threads-* transfers'),
  },
  options: folder('options', `${DOOR} ${MEANING} brought engine threads-abort`),
  launch: folder('launch', `${MEANING} again door-kernels integers kv-cache-model limits threads-small`),
  operations: folder('operations', `${DOOR} ${MEANING} memory threads-async transfers`),
  wasm: folder('wasm', 'brought engine inlined machine'),
  reference: folder('reference', 'math pytorch reference semantics* rope merge'),
  // The files of src/ itself.
  src: {
    files: ['src/*.ts'],
    tests: named(`${DOOR} ${MEANING} engine machine matmul-pieces memory threads-async tile transfers`),
  },
};

function folder(name, tests) {
  return { files: [`src/${name}/*.ts`], tests: named(tests) };
}

function named(tests) {
  const startPrograms = '!test/threads-process.test.ts';
  return [...tests.split(' ').map((name) => `test/${name}.test.ts`), startPrograms];
}
