/** Blocks whose owner was collected, with a registry that is played: when memory is collected is nobody's to say. */
import { afterEach, expect, it, vi } from 'vitest';
import { Orphans } from '../src/memory/orphans.ts';

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

it('are freed, and the first of them is told of; those that were freed before are not (fault 35)', () => {
  let collect!: (address: number) => void;
  const [register, unregister] = [vi.fn(), vi.fn()];
  vi.stubGlobal(
    'FinalizationRegistry',
    class {
      register = register;
      unregister = unregister;
      constructor(callback: (address: number) => void) {
        collect = callback;
      }
    },
  );
  const warn = vi.spyOn(console, 'warn').mockReturnValue(undefined);
  const free = vi.fn<(address: number) => boolean>();
  const orphans = new Orphans(free);
  const owner = {};
  orphans.watch(owner, 640);
  expect(register.mock.calls).toEqual([[owner, 640, owner]]);
  free.mockReturnValueOnce(false).mockReturnValue(true);
  for (const [address, warnings] of [
    [640, 0],
    [1280, 1],
    [1920, 1],
  ] as const) {
    collect(address);
    expect(free).toHaveBeenLastCalledWith(address);
    expect(warn).toHaveBeenCalledTimes(warnings);
  }
  expect(warn.mock.calls[0]).toEqual([
    'heed: a tensor, packed matrix or cache was collected without dispose(); its memory was freed late',
  ]);
  orphans.unwatch(owner);
  expect(unregister.mock.calls).toEqual([[owner]]);
});
