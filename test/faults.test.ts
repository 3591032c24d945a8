/**
 * The list of faults (docs/reliability.md) beside the tests: each number is in the title of one, as "(fault 37)", "(faults 13, 15)" or
 * "(faults 7–9)", and no title has a number that the list has not. And the codes of errors beside them: each is expected somewhere.
 *
 * @node it reads the tests and the page
 */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const here = new URL('.', import.meta.url);
const page = readFileSync(new URL('../docs/reliability.md', here), 'utf8');

/** "2–5", "6, 7": each number. */
function numbersOf(list: string): number[] {
  return list.split(', ').flatMap((range) => {
    const [first, last = first] = range.split('–').map(Number) as [number, number?];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** Of the table: rows that begin with a number. */
const faults = [...page.matchAll(/^\| (\d[\d, –]*?) +\|/gm)].flatMap(([, list]) => numbersOf(list!));

/** A test's file without its comments, which name faults and codes, too. */
function codeOf(file: string): string {
  return readFileSync(new URL(file, here), 'utf8').replace(/^\s*(\*|\/\*|\/\/).*$/gm, '');
}

/** What its titles name. */
function namedIn(file: string): number[] {
  return [...codeOf(file).matchAll(/\(faults? (\d[\d, –]*)\)/g)].flatMap(([, list]) => numbersOf(list!));
}

const sources = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts') && !file.includes('node_modules/'));
const files = sources.filter((file) => file.endsWith('.test.ts'));
const named = new Set(files.flatMap(namedIn));

it('each number is there once, from 1 on, but for three that are not used again', () => {
  const gone = /^Three numbers are missing.*?$\n.*?$/ms.exec(page)![0];
  const retired = [...gone.matchAll(/(?:\. |, )(\d+) was/g)].map(([, number]) => Number(number));
  expect(retired).toHaveLength(3);
  expect([...faults, ...retired].sort((x, y) => x - y)).toEqual(
    Array.from({ length: faults.length + 3 }, (_, i) => i + 1),
  );
});

it('each fault is in the title of a test', () => {
  expect(faults.filter((number) => !named.has(number))).toEqual([]);
});

it('no title has a number that is no fault', () => {
  expect([...named].filter((number) => !faults.includes(number))).toEqual([]);
});

it('each code is one that the helper of fault tests is told to expect', () => {
  const codesIn = (source: string): string[] =>
    // Not one that something is compared with.
    [...source.matchAll(/(?<!== )'(ERR_[A-Z_]+)'/g)].map(([, code]) => code!);
  const expected = new Set(
    sources
      .map(codeOf)
      .filter((source) => source.includes("from './nothing-lost.ts'"))
      .flatMap(codesIn),
  );
  const codes = new Set(codesIn(codeOf('../src/errors.ts')));
  expect(codes.size).toBeGreaterThan(0);
  expect([...codes].filter((code) => !expected.has(code))).toEqual([]);
});
