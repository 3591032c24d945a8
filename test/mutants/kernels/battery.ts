/** The files that judge mutants: the tests of single kernels, and those of the operations on whole problems. */
export const FILES: readonly string[] = [
  ...['decode', 'f16', 'gemm-tiles', 'merge', 'panels', 'pv-exact', 'rope', 'rows'],
  ...['scores', 'select', 'single-row', 'softmax'],
]
  .map((name) => `kernels/${name}`)
  .concat(['exp', 'needles', 'decode', 'merge', 'rope', 'kv-cache', 'kv-cache-ring'])
  .concat(['semantics', 'semantics-options', 'semantics-scores', 'properties', 'properties-laws'])
  .concat(['properties-operations', 'properties-caches'])
  .concat([
    'integers',
    'items',
    'panels',
    'matmul-pieces',
    'tiles',
    'accuracy',
    'sigmas',
    'fences',
    'pytorch',
  ])
  .map((name) => `${name}.test.ts`);
