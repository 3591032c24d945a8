/** The package: two entries with one .d.ts each, the loader bundled in, the bare wasm files beside. */
import { copyFileSync, mkdirSync } from 'node:fs';
import resolve from '@rollup/plugin-node-resolve';
import dts from 'rollup-plugin-dts';
import esbuild from 'rollup-plugin-esbuild';

const input = { index: 'src/index.ts', reference: 'src/reference.ts' };

/** Beside the code: `heed/wasm/*`, for who compiles the kernels himself, and the licence of the loader inside. */
const beside = {
  name: 'beside',
  writeBundle() {
    mkdirSync('dist/wasm', { recursive: true });
    for (const build of ['baseline', 'relaxed']) {
      copyFileSync(`build/${build}.wasm`, `dist/wasm/${build}.wasm`);
    }
    copyFileSync('node_modules/assemblyscript/LICENSE', 'dist/LICENSE.assemblyscript-loader.txt');
  },
};

export default [
  {
    input,
    output: { dir: 'dist', format: 'es', chunkFileNames: '[name].js' },
    plugins: [resolve(), esbuild({ target: 'es2022' }), beside],
  },
  // One self-contained .d.ts an entry; what is marked @internal stays out.
  ...Object.entries(input).map(([name, file]) => ({
    input: file,
    output: { file: `dist/${name}.d.ts`, format: 'es' },
    plugins: [dts({ compilerOptions: { stripInternal: true } })],
  })),
];
