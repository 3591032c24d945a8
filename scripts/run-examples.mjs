/**
 * Runs the examples, all or those named, as a stranger would: in a copy of examples/, and of the recorded model that some of them
 * read, beside the package as it is packed and installed. They import it by its name; the other packages that they use are this
 * repository's, found further up. Ends with 1 where one of them does.
 *
 *   node scripts/run-examples.mjs [NAME …]
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const stranger = 'build/stranger';

const all = readdirSync('examples', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const names = process.argv.length > 2 ? process.argv.slice(2) : all;
const unknown = names.filter((name) => !all.includes(name));
if (unknown.length > 0)
  throw new Error(`there is no example ${unknown.join(', ')}; there are ${all.join(', ')}`);

rmSync(stranger, { recursive: true, force: true });
mkdirSync(stranger, { recursive: true });
npm('.', 'run', '--silent', 'build');
const [{ filename }] = JSON.parse(
  npm('.', 'pack', '--json', '--ignore-scripts', '--pack-destination', stranger),
);
writeFileSync(join(stranger, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }');
npm(stranger, 'install', '--no-audit', '--no-fund', `./${filename}`);
// With their times, by which an example knows whether what it has installed is older than its lockfile.
for (const folder of ['examples', 'test/fixtures/pp-ocr'])
  cpSync(folder, join(stranger, folder), { recursive: true, preserveTimestamps: true });

const failed = names.filter((name) => {
  console.log(`\n═══ examples/${name}`);
  const { status, error } = spawnSync(process.execPath, [`examples/${name}`], {
    cwd: stranger,
    stdio: 'inherit',
  });
  if (error) throw error;
  return status !== 0;
});
console.log(`\n${names.length - failed.length} of ${names.length} examples ended well`);
if (failed.length > 0) {
  console.error(`failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}

// npm is a shell script on Windows.
function npm(cwd, ...words) {
  const options = {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  };
  return execFileSync('npm', words, options);
}
