/** Keys that go from place to place in something of rows and columns. */

const STEPS: Readonly<Record<string, readonly [down: number, right: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  Home: [0, -Infinity],
  End: [0, Infinity],
};

/** Where a key goes; undefined if it is another one, or means something else together with those that are held. */
export function stepOf(event: KeyboardEvent): readonly [down: number, right: number] | undefined {
  const { altKey, ctrlKey, metaKey, shiftKey } = event;
  return altKey || ctrlKey || metaKey || shiftKey ? undefined : STEPS[event.key];
}

/** The place of `length` that is nearest to `at`. */
export function within(at: number, length: number): number {
  return Math.max(0, Math.min(length - 1, at));
}
