/** Lint of everything that is TypeScript or JavaScript. For AssemblyScript, assembly/ and *.as.ts, the linters are `asc --pedantic` and the compiler. */
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['assembly/', '**/*.as.ts', 'build/', 'dist/', '**/generated/', '**/node_modules/'] },
  {
    files: ['common/**/*.ts', 'src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts', 'web/**/*.ts', '*.config.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      // An index is in range by the shapes that were checked at the door; a wrong one gives NaN, which no test accepts.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Numbers in messages are what messages are for.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    },
  },
  {
    // A page's main thread must not wait: only a worker does, and who has found out whether he may (fault 54).
    files: ['src/**/*.ts'],
    ignores: ['src/threads/worker.ts', 'src/threads/wait.ts'],
    rules: { 'no-restricted-properties': ['error', { object: 'Atomics', property: 'wait' }] },
  },
  { files: ['**/*.mjs', '**/*.js', '**/*.jsx'], extends: [tseslint.configs.strict] },
);
