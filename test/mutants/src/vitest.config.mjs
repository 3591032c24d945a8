/** The tests as Stryker runs them, once for each mutant: silent, and without looking for a smaller example where a property fails. */
export default {
  test: {
    include: ['test/*.test.ts'],
    setupFiles: ['test/setup.ts', 'test/mutants/src/first-failure.mjs'],
    reporters: [],
    testTimeout: 20_000,
  },
};
