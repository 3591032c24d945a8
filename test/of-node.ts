/**
 * Which fast tests are of Node alone, and why: the first comment of such a file has a line `@node` with the reason. Every other one
 * runs in pages, too.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Suites that are not the fast one, by their folders. */
export const APART: readonly string[] = ['slow', 'onnx', 'platform', 'browser'];

/** Files, from the repository's root, with their reasons. */
export function ofNode(): ReadonlyMap<string, string> {
  const marked = new Map<string, string>();
  for (const name of readdirSync(new URL('.', import.meta.url), {
    recursive: true,
    encoding: 'utf8',
  }).sort()) {
    const path = name.replaceAll('\\', '/');
    if (!path.endsWith('.test.ts') || APART.includes(path.split('/')[0]!)) continue;
    const [header = ''] = readFileSync(new URL(path, import.meta.url), 'utf8').split('*/');
    const reason = /^ \* @node (.+)$/m.exec(header)?.[1];
    if (reason !== undefined) marked.set(`test/${path}`, reason);
  }
  return marked;
}
