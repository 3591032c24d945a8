/**
 * In place of vitest: tests are collected as files register them, and run one by one, in this thread, as often as there are
 * mutants. Only what the files of the battery use.
 */
import { expect, vi } from 'vitest';

export { expect, vi };

type Body = (...row: never[]) => unknown;

export interface Registered {
  readonly name: string;
  readonly isTest: boolean;
  readonly run: () => unknown;
}

export interface Test {
  readonly name: string;
  readonly run: () => unknown;
}

/** Where `describe` and `it` register. */
let registered: Registered[] = [];

type Register = ((name: string, body: Body) => void) & {
  each(table: readonly unknown[]): (name: string, body: Body) => void;
};

function register(isTest: boolean): Register {
  const one = (name: string, body: Body): void => {
    registered.push({ name, isTest, run: body });
  };
  const each = (table: readonly unknown[]) => (name: string, body: Body) => {
    for (const [i, row] of table.entries()) {
      const values = (Array.isArray(row) ? row : [row]) as never[];
      registered.push({ name: `${name} [${i}]`, isTest, run: () => body(...values) });
    }
  };
  return Object.assign(one, { each });
}

export const describe: Register = register(false);
export const it: Register = register(true);

/** Files of the battery clean up behind tests that fail; here nothing comes after one. */
export const afterEach = (): void => undefined;

/** What a file registers when it is loaded. */
export async function load(file: URL): Promise<readonly Registered[]> {
  registered = [];
  await import(file.href);
  return registered;
}

/** The tests in it, anew: whatever is set up around them is set up for the module of the moment. */
export async function collect(list: readonly Registered[], around = ''): Promise<Test[]> {
  const tests: Test[] = [];
  for (const { name, isTest, run } of list) {
    const full = around === '' ? name : `${around} > ${name}`;
    if (isTest) {
      tests.push({ name: full, run });
      continue;
    }
    registered = [];
    await run();
    tests.push(...(await collect(registered, full)));
  }
  return tests;
}
