/**
 * heed as it ships: src/ bundled as the package is, but not minified, which no call can tell. tsx, which runs the benchmark,
 * names every closure at the moment it is made (esbuild's keepNames), and that alone adds 2 to 3 µs to a call.
 */
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

type Heed = typeof import('../src/index.ts');

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** Where the bundle is, once it is loaded. */
export const shipped: URL = new URL('../build/bench-heed.mjs', import.meta.url);

/** Bundles src/index.ts into build/ and loads it. */
export async function loadShipped(): Promise<Heed> {
  await bundle('../src/index.ts', shipped);
  return (await import(shipped.href)) as Heed;
}

/** Bundles bench/script-thread.ts into build/. */
export async function shipScripts(): Promise<URL> {
  const to = new URL('../build/bench-scripts.mjs', import.meta.url);
  await bundle('script-thread.ts', to);
  return to;
}

/** Bundles a file of bench/threads into build/, where threads of its own, and this one, load it. */
export async function shipThreads(name: 'loops' | 'empty'): Promise<URL> {
  const to = new URL(`../build/bench-threads-${name}.mjs`, import.meta.url);
  await bundle(`threads/${name}.ts`, to);
  return to;
}

async function bundle(entry: string, to: URL): Promise<void> {
  await build({
    ...{ entryPoints: [path(entry)], outfile: fileURLToPath(to), bundle: true },
    ...{ format: 'esm', platform: 'node', target: 'es2022', logLevel: 'error' },
  });
}
