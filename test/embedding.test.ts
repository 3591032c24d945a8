/**
 * What docs/embedding.md and heed/wasm/abi.json tell an embedder is what was compiled.
 *
 * @node it compares files, and no kernel computes anything
 */
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as constants from '../common/abi.ts';
import { abiJson, readAbi } from '../scripts/abi.mjs';
import { documentAbi } from '../scripts/document-abi.ts';
import { builds, testingModule } from './builds.ts';

const pathOf = (file: string): string => fileURLToPath(new URL(`../${file}`, import.meta.url));
const page = pathOf('docs/embedding.md');

it('abi.json: every constant with its value', () => {
  expect((JSON.parse(abiJson()) as { constants: object }).constants).toEqual({ ...constants });
});

describe.each(builds)('%s', (build) => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const instance = new WebAssembly.Instance(testingModule(build), {
    env: { memory, abort: () => undefined },
  });
  /** By struct: offsets by field, and the size, as the kernels have them. */
  const compiled: Record<string, Record<string, number>> = {};
  for (const [name, value] of Object.entries(instance.exports)) {
    const [, struct, field] = /^([A-Z]\w*(?:Args|Item)|Sequence)_(\w+)$/.exec(name) ?? [];
    if (struct && field) (compiled[struct] ??= {})[field] = (value as WebAssembly.Global<'i32'>).value;
  }

  it('every struct, with all of its fields where the kernels read them', () => {
    const told = readAbi().structs.map(({ name, bytes, fields }) => {
      return [name, { ...Object.fromEntries(fields.map(({ name, offset }) => [name, offset])), size: bytes }];
    });
    expect(Object.fromEntries(told)).toEqual(compiled);
  });

  it('every export is on the page', () => {
    const text = readFileSync(page, 'utf8');
    const shipped = new WebAssembly.Module(readFileSync(pathOf(`build/${build}.wasm`)));
    const names = WebAssembly.Module.exports(shipped).map(({ name }) => name);
    expect(names.filter((name) => !new RegExp(`^\\|.*\`${name}\\b.*\\|`, 'm').test(text))).toEqual([]);
  });
});

it("the page's tables are those of the sources: npm run docs:abi", async () => {
  // Beside the sources, where prettier finds how this repository is formatted.
  const copy = pathOf('build/embedding.md');
  copyFileSync(page, copy);
  try {
    expect(await documentAbi(copy)).toBeUndefined();
    expect(readFileSync(copy, 'utf8')).toBe(readFileSync(page, 'utf8'));
  } finally {
    rmSync(copy);
  }
});

it('the page has every struct, and its constants', () => {
  const names = [...readFileSync(page, 'utf8').matchAll(/^<!-- abi: (.*) -->$/gm)].map(([, name]) => name);
  expect(names.sort()).toEqual(['constants', ...readAbi().structs.map(({ name }) => name)].sort());
});
