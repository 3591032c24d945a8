/** The error classes: what each is, carries and says. That they are thrown where they should be is in the door tests. */
import { describe, expect, it } from 'vitest';
import * as errors from '../src/errors.ts';
import { EnvironmentError, HeedRangeError, HeedTypeError, KernelTrapError } from '../src/errors.ts';
import { MemoryLimitError, StateError, WorkerError, type HeedError } from '../src/errors.ts';

const bytes = { needed: 1, limit: 2, inUse: 3 };
const instances: readonly [string, HeedError, new (message?: string) => Error][] = [
  ['HeedTypeError', new HeedTypeError('ERR_ARG_TYPE', {}), TypeError],
  ['HeedRangeError', new HeedRangeError('ERR_SHAPE', {}), RangeError],
  ['MemoryLimitError', new MemoryLimitError('ERR_MEMORY_LIMIT', bytes), RangeError],
  ['StateError', new StateError('ERR_DISPOSED', {}), Error],
  ['EnvironmentError', new EnvironmentError('ERR_NO_SIMD', {}), Error],
  ['WorkerError', new WorkerError('ERR_WORKER', {}), Error],
  ['KernelTrapError', new KernelTrapError('ERR_TRAP', {}), Error],
];

describe('every class', () => {
  for (const [name, error, Base] of instances) {
    it(name, () => {
      const Class = (errors as unknown as Record<string, new () => unknown>)[name]!;
      expect(error).toBeInstanceOf(Class);
      expect(error).toBeInstanceOf(Base);
      expect(error.name).toBe(name);
      expect(Class.name).toBe(name);
      // As a built-in error's.
      const own = Object.getOwnPropertyDescriptor(Class.prototype, 'name');
      expect(own).toEqual({ ...Object.getOwnPropertyDescriptor(TypeError.prototype, 'name'), value: name });
      expect(error.isHeedError).toBe(true);
      expect(error.stack).toContain(`${name}: `);
      expect(String(error)).toBe(`${name}: ${error.message}`);
      for (const [other, , OtherBase] of instances) {
        const Other = (errors as unknown as Record<string, new () => unknown>)[other]!;
        if (other !== name) expect(error).not.toBeInstanceOf(Other);
        if (OtherBase !== Base && OtherBase !== Error) expect(error).not.toBeInstanceOf(OtherBase);
      }
    });
  }
});

it('an argument at fault', () => {
  const details = { op: 'attention', arg: 'k', expected: 'Float32Array of length 8', received: 'length 7' };
  const error = new HeedRangeError('ERR_SHAPE', details);
  expect(error.message).toBe('attention: "k" expected Float32Array of length 8, got length 7 [ERR_SHAPE]');
  expect(Object.fromEntries(Object.entries(error))).toEqual({ code: 'ERR_SHAPE', ...details });
  expect('hint' in error).toBe(false);
  expect(Object.keys(new HeedTypeError('ERR_ARG_TYPE', { op: 'rope', hint: undefined }))).toEqual([
    'code',
    'op',
  ]);
  expect('cause' in error).toBe(false);
  const hinted = new HeedRangeError('ERR_SHAPE', { ...details, hint: 'add one' });
  expect(hinted.message).toBe(
    'attention: "k" expected Float32Array of length 8, got length 7 — add one [ERR_SHAPE]',
  );
  expect(hinted.hint).toBe('add one');
});

it('a whole sentence', () => {
  const state = new StateError('ERR_DISPOSED', {
    op: 'attention',
    arg: 'q',
    problem: 'tensor "q" was disposed',
  });
  expect(state.message).toBe('attention: tensor "q" was disposed [ERR_DISPOSED]');
  expect(Object.fromEntries(Object.entries(state))).toEqual({
    code: 'ERR_DISPOSED',
    op: 'attention',
    arg: 'q',
  });
  const cause = new Error('underneath');
  const environment = new EnvironmentError('ERR_CSP', {
    problem: 'refused',
    hint: "'wasm-unsafe-eval'",
    cause,
  });
  expect(environment.message).toBe("refused — 'wasm-unsafe-eval' [ERR_CSP]");
  expect(environment.cause).toBe(cause);
  expect(Object.keys(environment)).not.toContain('cause');
});

it('bytes', () => {
  const error = new MemoryLimitError('ERR_MEMORY_LIMIT', { op: 'matmul', problem: 'too much', ...bytes });
  expect(error.message).toBe('matmul: too much [ERR_MEMORY_LIMIT]');
  expect(error).toMatchObject(bytes);
});

it('the types know which codes a class has', () => {
  const error: unknown = new StateError('ERR_BUSY', { problem: 'busy' });
  if (error instanceof StateError) {
    const code: errors.StateCode = error.code;
    expect(code).toBe('ERR_BUSY');
    // @ts-expect-error: a StateError has no such code
    expect(error.code === 'ERR_SHAPE').toBe(false);
  }
  // @ts-expect-error: nor can it be made with one
  expect(new StateError('ERR_SHAPE', {})).toBeInstanceOf(StateError);
});
