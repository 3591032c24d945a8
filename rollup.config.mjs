/**
 * The package: two entries with one .d.ts each, the bare wasm files beside; and the command, which takes the library from
 * those files and has its own small libraries inside. Licences of all that is inside are in THIRD-PARTY.md.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import commonjs from '@rollup/plugin-commonjs';
import resolve from '@rollup/plugin-node-resolve';
import terser from '@rollup/plugin-terser';
import dts from 'rollup-plugin-dts';
import esbuild from 'rollup-plugin-esbuild';
import license from 'rollup-plugin-license';
import { abiJson } from './scripts/abi.mjs';

// What an earlier build left would be packed too.
rmSync('dist', { recursive: true, force: true });

const library = { index: 'src/index.ts', reference: 'src/reference.ts' };

/** Beside the code: `heed/wasm/*`, for who compiles the kernels himself, with their hashes, and `heed/worker`. */
const beside = {
  name: 'beside',
  writeBundle() {
    mkdirSync('dist/wasm', { recursive: true });
    for (const build of ['baseline', 'relaxed']) {
      copyFileSync(`build/${build}.wasm`, `dist/wasm/${build}.wasm`);
    }
    writeFileSync('dist/wasm/abi.json', abiJson());
    const sums = ['abi.json', 'baseline.wasm', 'relaxed.wasm'].map((name) => {
      const hash = createHash('sha256').update(readFileSync(`dist/wasm/${name}`));
      return `${hash.digest('hex')}  ${name}\n`;
    });
    writeFileSync('dist/wasm/SHA256SUMS', sums.join(''));
    copyFileSync('build/worker.js', 'dist/worker.js');
  },
};

/** For the library: threads are a file of their own, loaded by who wants them. */
const threadsApart = {
  name: 'threads apart',
  resolveId: (source) =>
    /\/threads\/index\.ts$/.test(source) ? { id: './threads.js', external: true } : null,
};

/** For the command: src/index.ts is dist/index.js, as it ships. */
const shipped = {
  name: 'shipped',
  resolveId(source) {
    const entry = /\/src\/(index|reference)\.ts$/.exec(source)?.[1];
    return entry && { id: `./${entry}.js`, external: true };
  },
};

/** For the others: error classes are those of dist/index.js, so that `instanceof` holds whoever throws. */
const sameErrors = {
  name: 'same errors',
  resolveId: (source) => (/\/errors\.ts$/.test(source) ? { id: './index.js', external: true } : null),
};

/** Of every package inside, by name: `collect` sees those of one bundle, `write` puts all on one page. */
const inside = new Map([['assemblyscript', compiledIn('assemblyscript')]]);
const collect = license({
  thirdParty: (packages) => {
    for (const each of packages) inside.set(each.name, each);
  },
});
const write = {
  name: 'third-party',
  writeBundle() {
    writeFileSync('dist/THIRD-PARTY.md', renderLicences([...inside.values()]));
  },
};

const code = esbuild({ target: 'es2022' });

/** The builds as base64 are nothing to read: the source map leaves them out. */
const unmapped = {
  name: 'unmapped',
  transform: (code, id) => (/\/src\/generated\//.test(id) ? { code, map: { mappings: '' } } : null),
};

/**
 * Reading names and white space was 5 % of the time to a first result. Functions and classes keep their names, so that stacks,
 * profiles and what `console.log` shows of an object say what the sources say. Statements stay as they are: compressed, they
 * made the smallest call 2.5 % slower in Node 20. But declarations that follow each other are one, and `true` is `!0`: 0.4 KB. Lines
 * are short, as Node prints the whole line that threw an uncaught error; ASCII, as for one other letter Node 20 reads the file at two
 * bytes each, 0.35 ms more.
 */
const minify = terser({
  module: true,
  ecma: 2022,
  keep_classnames: true,
  keep_fnames: true,
  compress: { defaults: false, join_vars: true, evaluate: true, booleans: true },
  format: { max_line_len: 200, ascii_only: true },
});

export default [
  // Each entry is one file: what they share, in a third, would cost every first import a twentieth.
  {
    input: library.index,
    output: { file: 'dist/index.js', format: 'es', sourcemap: true, plugins: [minify] },
    plugins: [threadsApart, code, unmapped, beside],
  },
  {
    input: 'src/threads/index.ts',
    output: { file: 'dist/threads.js', format: 'es', sourcemap: true, plugins: [minify] },
    plugins: [sameErrors, code, unmapped],
  },
  {
    input: library.reference,
    output: { file: 'dist/reference.js', format: 'es' },
    plugins: [sameErrors, code],
  },
  {
    input: 'bench/bin.ts',
    output: { file: 'dist/bin.js', format: 'es' },
    plugins: [
      shipped,
      resolve({ exportConditions: ['node'] }),
      // Colours of borders, which cli-table3 does without: the tables have none.
      commonjs({ ignore: ['@colors/colors/safe'] }),
      code,
      collect,
      write,
    ],
  },
  // One self-contained .d.ts an entry; what is marked @internal stays out. Symbol.dispose is in no `lib` below esnext.
  ...Object.entries(library).map(([name, file]) => ({
    input: file,
    output: { file: `dist/${name}.d.ts`, format: 'es', banner: '/// <reference lib="esnext.disposable" />' },
    plugins: [dts({ compilerOptions: { stripInternal: true } })],
  })),
];

/** What no bundle shows: `Mathf.log` in the kernels is AssemblyScript's, which has it from musl. Its NOTICE goes along. */
function compiledIn(name) {
  const text = (file) => readFileSync(`node_modules/${name}/${file}`, 'utf8');
  const { version, license } = JSON.parse(text('package.json'));
  return { name, version, license, licenseText: `${text('LICENSE')}\n${text('NOTICE')}` };
}

/** Throws where a package comes without a licence's text: then it needs one here. */
function renderLicences(packages) {
  const sections = packages
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, version, license, licenseText }) => {
      if (!licenseText) throw new Error(`${name} has no licence text`);
      return `## ${name} ${version}\n\n${license}\n\n\`\`\`\n${licenseText.trim()}\n\`\`\`\n`;
    });
  return `# What is inside besides heed\n\n${sections.join('\n')}`;
}
