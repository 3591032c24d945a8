/** How the lab is served and built. heed is the package as it is built, so that the page runs what users get. */
import { fileURLToPath } from 'node:url';
import { defineConfig, type UserConfig } from 'vite';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** What shared memory needs, and with it threads. */
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

const config: UserConfig = defineConfig({
  root: path('.'),
  // Static files that work from any path.
  base: './',
  cacheDir: path('../build/vite'),
  resolve: {
    alias: [
      { find: /^heed$/, replacement: path('../dist/index.js') },
      { find: /^heed\/reference$/, replacement: path('../dist/reference.js') },
    ],
  },
  server: { headers, fs: { allow: [path('..')] } },
  preview: { headers },
  build: {
    outDir: path('../build/lab'),
    emptyOutDir: true,
    target: 'es2022',
    // Of the libraries inside, as who passes the files on must.
    license: { fileName: 'licenses.md' },
  },
  worker: { format: 'es' },
});

export default config;
