/** Before the run: the package as a user has it, built, packed and installed into a folder of its own, with the programs beside it. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Its folder. */
    readonly stranger: string;
  }
}

const root = fileURLToPath(new URL('../..', import.meta.url));

export default function setUp(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'heed-stranger-'));
  npm(root, 'run', '--silent', 'build');
  const [packed] = JSON.parse(
    npm(root, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder),
  ) as readonly [{ readonly filename: string }];
  writeFileSync(join(folder, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }');
  npm(folder, 'install', '--no-audit', '--no-fund', packed.filename);
  cpSync(new URL('programs', import.meta.url), folder, { recursive: true });
  // A worker of the page's own: in a bundle, or else a copy.
  copyFileSync(join(folder, 'node_modules/heed/dist/worker.js'), join(folder, 'own-worker.js'));
  project.provide('stranger', folder);
  return () => {
    rmSync(folder, { recursive: true });
  };
}

function npm(cwd: string, ...words: readonly string[]): string {
  return execFileSync('npm', words, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
