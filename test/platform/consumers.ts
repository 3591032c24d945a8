/**
 * Who takes the package, in one table: the JavaScript engines that run programs, and the pages. What each gets is the packed tarball,
 * installed into a stranger's project with the programs beside it (stranger.ts); a page is a file there, or what a bundler has made of
 * it (bundles.mjs).
 */
import { fileURLToPath } from 'node:url';

export interface Runtime {
  readonly name: string;
  readonly command: string;
  readonly words: readonly string[];
  /** Programs that take the package, by `import` and by `require()`. */
  readonly programs: readonly string[];
  /** Kinds of workers that it has threads in; none: no threads. */
  readonly kinds: readonly ('node' | 'web')[];
  /** Its word for running with nothing allowed but what is named. */
  readonly permission?: string;
}

export interface Page {
  readonly name: string;
  readonly path: string;
  /** Whether a development server has made it, as it is asked for. */
  readonly served?: true;
  /** Whether the page can have a worker of its own that imports heed/worker. */
  readonly own?: true;
  /** Whether the package's worker.js is passed on, for where blob: is refused. */
  readonly passesOn?: true;
}

const modules = fileURLToPath(new URL('node_modules', import.meta.url));

/** With threads, all of them. */
export const RUNTIMES: readonly Runtime[] = [
  node(`Node ${process.versions.node}, this one`, process.execPath),
  node('Node 22', `${modules}/node22/bin/node`),
  node('Node 24', `${modules}/node24/bin/node`),
  node('Node 26', `${modules}/node26/bin/node`),
  other('Bun', `${modules}/@oven/bun-linux-x64/bin/bun`, ['run']),
  // What is asked for and not granted is refused.
  other('Deno', `${modules}/@deno/linux-x64-glibc/deno`, ['run', '--no-prompt', '--allow-read']),
];

/** Has no threads, and compiles no bytes: a module is imported. Its configuration says where programs and package are. */
export const WORKERD: Pick<Runtime, 'name' | 'command' | 'words'> = {
  name: 'workerd',
  command: `${modules}/@cloudflare/workerd-linux-64/bin/workerd`,
  words: ['test', 'workerd.capnp'],
};

/** With threads, all of them, where they are isolated. A plain module script is in situations.ts, for every browser. */
export const PAGES: readonly Page[] = [
  { name: 'a module script with an import map', path: 'import-map.html' },
  { name: 'esbuild', path: 'bundled/esbuild/page.html', own: true },
  { name: 'esbuild, one classic script', path: 'bundled/esbuild-script/page.html' },
  { name: 'rollup', path: 'bundled/rollup/page.html', own: true },
  { name: 'webpack', path: 'bundled/webpack/page.html', own: true, passesOn: true },
  { name: "Vite's build", path: 'bundled/vite/page.html', own: true, passesOn: true },
  { name: "Vite's development server", path: 'bundled-page.html', served: true, own: true },
];

function node(name: string, command: string): Runtime {
  // Node 20 had it as an experiment.
  const permission = name.startsWith('Node 20') ? '--experimental-permission' : '--permission';
  return { name, command, words: [], programs: ['main.mjs', 'main.cjs'], kinds: ['node'], permission };
}

function other(name: string, command: string, words: readonly string[]): Runtime {
  return { name, command, words, programs: ['main.mjs', 'main.cjs'], kinds: ['node', 'web'] };
}
