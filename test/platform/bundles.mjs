/** What each bundler makes of programs/bundled-page.js: `node bundles.mjs FOLDER`, into a folder of each in bundled/ of that. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import nodeResolve from '@rollup/plugin-node-resolve';
import * as esbuild from 'esbuild';
import { rollup } from 'rollup';
import * as vite from 'vite';
import webpack from 'webpack';

const folder = process.argv[2];
const page = join(folder, 'bundled-page.js');
// For those that know nothing of workers it is one more entry.
const pages = [page, join(folder, 'bundled-worker.js')];

const bundlers = {
  esbuild: (outdir) =>
    esbuild.build({ entryPoints: pages, bundle: true, format: 'esm', splitting: true, outdir }),
  // One classic script, in which no module has an address of its own.
  'esbuild-script': (outdir) =>
    esbuild.build({ entryPoints: [page], bundle: true, format: 'iife', outdir, logLevel: 'error' }),
  async rollup(dir) {
    const bundle = await rollup({ input: pages, plugins: [nodeResolve({ browser: true })] });
    await bundle.write({ dir, format: 'es' });
  },
  async webpack(path) {
    const compiler = webpack({
      mode: 'production',
      context: folder,
      entry: { 'bundled-page': page },
      output: { path },
    });
    const stats = await new Promise((resolve, reject) => {
      compiler.run((error, result) => (error ? reject(error) : resolve(result)));
    });
    if (stats.hasErrors()) throw new Error(stats.toString());
  },
  vite: (outDir) =>
    vite.build({
      root: folder,
      base: './',
      configFile: false,
      logLevel: 'warn',
      build: { outDir, rolldownOptions: { input: page, output: { entryFileNames: '[name].js' } } },
    }),
};

for (const [name, bundle] of Object.entries(bundlers)) {
  const out = join(folder, 'bundled', name);
  mkdirSync(out, { recursive: true });
  await bundle(out);
  copyFileSync(join(folder, 'bundled-page.html'), join(out, 'page.html'));
}
