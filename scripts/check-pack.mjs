/**
 * Packs the package and uses it as a stranger would: publint, are-the-types-wrong, then the tarball installed into an
 * empty project that runs attention by import and by require, and reads its types, the command, every JavaScript block of the README,
 * recipes.md, other-libraries.md and embedding.md, and every @example, with what they say that they print; what the source map has,
 * and what an uncaught error prints with it and without; that nothing runs when it is installed, and that its hashes are those of
 * its files.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'heed-pack-'));
try {
  run('npm', ['run', '--silent', 'build']);
  const [{ filename, size, files }] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]),
  );
  const tarball = join(folder, filename);
  const code = ['bin', 'index', 'reference', 'threads', 'worker'].map((name) => `dist/${name}.js`);
  const maps = ['index', 'threads'].map((name) => `dist/${name}.js.map`);
  const types = ['index', 'reference'].map((name) => `dist/${name}.d.ts`);
  const wasm = ['baseline.wasm', 'relaxed.wasm', 'abi.json', 'SHA256SUMS'].map((name) => `dist/wasm/${name}`);
  const words = [
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'SECURITY.md',
    'dist/THIRD-PARTY.md',
    'package.json',
  ];
  words.push(...readdirSync('docs').flatMap((name) => (/\.(md|svg)$/.test(name) ? `docs/${name}` : [])));
  const expected = [...code, ...maps, ...types, ...wasm, ...words].sort().join(' ');
  const packed = files
    .map(({ path }) => path)
    .sort()
    .join(' ');
  if (packed !== expected) throw new Error(`packed are ${packed}, expected ${expected}`);
  run('npx', ['publint', 'run', tarball, '--strict']);
  // A worker's script has nothing to import.
  run('npx', ['attw', tarball, '--profile', 'esm-only', '--exclude-entrypoints', './worker']);

  const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
  if (Object.keys(manifest.dependencies ?? {}).length > 0) throw new Error('heed has runtime dependencies');
  const atInstall = [
    'preinstall',
    'install',
    'postinstall',
    'prepublish',
    'preprepare',
    'prepare',
    'postprepare',
  ];
  const hooks = atInstall.filter((name) => name in manifest.scripts);
  if (hooks.length > 0) throw new Error(`heed runs ${hooks} when it is installed`);

  const project = join(folder, 'project');
  const program =
    'attention(new Float32Array([1, 0, 0, 1]), new Float32Array([1, 0, 0, 1]), ' +
    'new Float32Array([1, 2, 3, 4]), { seqQ: 2, headDim: 2 })';
  run('mkdir', [project]);
  writeFileSync(join(project, 'package.json'), '{ "name": "stranger", "private": true }');
  writeFileSync(
    join(project, 'import.mjs'),
    `import { attention, HeedTypeError } from 'heed';
     import { attention as reference } from 'heed/reference';
     const [a, b] = [${program}, ((attention) => ${program})(reference)];
     if (a.length !== 4 || a.some((x, i) => Math.abs(x - b[i]) > 1e-6)) throw new Error(a.join());
     try {
       reference();
     } catch (error) {
       if (!(error instanceof HeedTypeError)) throw error;
     }`,
  );
  run('npm', ['install', '--no-audit', '--no-fund', tarball], project);
  // The types need nothing that a project may lack: neither lib.dom nor @types/node nor a newer lib.
  writeFileSync(
    join(project, 'types.mts'),
    `import { createEngine, type Engine } from 'heed';
     import { attention } from 'heed/reference';
     export const engine: Promise<Engine> = createEngine({ threads: 1, wasm: 'https://example.org/baseline.wasm' });
     export const out: Float64Array = attention(new Float32Array(4), new Float32Array(4), new Float32Array(4), { seqQ: 2, headDim: 2 });`,
  );
  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    const compilerOptions = {
      strict: true,
      noEmit: true,
      lib: ['ES2022'],
      types: [],
      module,
      moduleResolution,
    };
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...compilerOptions, target: 'es2022' }, files: ['types.mts'] }),
    );
    run('npx', ['tsc', '-p', project]);
  }
  run('node', ['import.mjs'], project);
  writeFileSync(join(project, 'require.cjs'), `const { attention } = require('heed'); ${program};`);
  const [major, minor] = process.versions.node.split('.').map(Number);
  // require() of a module is there from 20.19 and 22.12 on.
  if (major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19))
    run('node', ['require.cjs'], project);

  const heed = (...words) => JSON.parse(run('npx', ['--no-install', 'heed', ...words], project));
  const { version } = manifest;
  const about = heed('info', '--json');
  if (about.version !== version || !about.builds.some(({ runs }) => runs)) throw new Error('heed info');
  const report = heed('bench', '--only', 'matmul 64³', '--json', '-');
  if (report.version !== version || report.rows.length !== 1) throw new Error('heed bench');

  const installed = join(project, 'node_modules/heed');
  const text = (file) => readFileSync(join(installed, file), 'utf8');
  const { sources } = JSON.parse(text('dist/index.js.map'));
  const foreign = sources.filter((source) => !/^\.\.\/(common|src)\/(?!generated)[\w/-]+\.ts$/.test(source));
  if (foreign.length > 0) throw new Error(`the source map has ${foreign.join(' ')}`);
  if (!/^[\x00-\x7f]*$/.test(text('dist/index.js'))) throw new Error('dist/index.js is not ASCII');
  if (!/^## assemblyscript /m.test(text('dist/THIRD-PARTY.md'))) throw new Error('a licence is missing');
  const sums = text('dist/wasm/SHA256SUMS').trim().split('\n');
  if (sums.length !== 3) throw new Error(`SHA256SUMS has ${sums.length} lines`);
  for (const [hash, name] of sums.map((line) => line.split('  '))) {
    const bytes = readFileSync(join(installed, 'dist/wasm', name));
    if (createHash('sha256').update(bytes).digest('hex') !== hash)
      throw new Error(`${name} has another hash`);
  }
  // An uncaught error is told in the words of the sources with their map, and shortly without: Node prints the line that threw.
  writeFileSync(join(project, 'wrong.mjs'), `import { attention } from 'heed'; attention();`);
  for (const [flag, file] of [
    ['--enable-source-maps', 'src/options/attention.ts'],
    ['--no-enable-source-maps', 'dist/index.js'],
  ]) {
    const { stderr } = spawnSync('node', [flag, 'wrong.mjs'], { cwd: project, encoding: 'utf8' });
    const [, where] = /at resolveAttention \((.*):\d+:\d+\)/.exec(stderr) ?? [];
    if (!where?.endsWith(`/heed/${file}`) || stderr.length > 3000)
      throw new Error(`an uncaught error: ${stderr}`);
  }

  const pages = [
    'README.md',
    ...['recipes', 'other-libraries', 'embedding'].map((page) => `docs/${page}.md`),
  ].map(text);
  const recipes = pages.flatMap(recipesOf);
  const examples = ['dist/index.d.ts', 'dist/reference.d.ts'].flatMap((file) => examplesOf(text(file)));
  if (examples.length === 0) throw new Error('no examples found');
  for (const [i, code] of [...recipes, ...examples].entries()) {
    writeFileSync(join(project, `example-${i}.mjs`), code);
    requirePrinted(code, run('node', [`example-${i}.mjs`], project));
  }
  console.log(
    `${filename}: ${files.length} files, ${size} bytes; ran ${recipes.length} recipes and ${examples.length} examples`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** The JavaScript blocks of a page: there are some. */
function recipesOf(page) {
  const recipes = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);
  if (recipes.length === 0) throw new Error('no recipes found');
  return recipes;
}

/** What stands in a comment behind console.log, or alone below it, is among what was printed, and in that order; white space aside. */
function requirePrinted(code, printed) {
  const bare = (text) => text.replace(/\s/g, '');
  const lines = printed.split('\n').map(bare);
  for (const [, behind, below] of code.matchAll(/^ *console\.log\(.*\);(?: *\/\/ (.*)|\n *\/\/ (.*))/gm)) {
    const at = lines.indexOf(bare(behind ?? below));
    if (at < 0) throw new Error(`"${behind ?? below}" is not what this prints:\n${code}\n${printed}`);
    lines.splice(0, at + 1);
  }
}

/** The code under each @example, up to the next tag or the end of the comment. */
function examplesOf(declarations) {
  return [...declarations.matchAll(/@example\n(.*?)(?=\n\s*\* @|\n\s*\*\/)/gs)].map(([, block]) =>
    block.replace(/^\s*\* ?/gm, '').replace(/^```.*$/gm, ''),
  );
}

function run(command, args, cwd = '.') {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
