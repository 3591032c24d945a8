/** How many calls of the fuzz there were of each function, and how they ended. */
import type { Outcome } from './fuzz.ts';

export class Tally {
  calls = 0;
  readonly names: Map<string, number> = new Map();
  readonly ends: Map<string, number> = new Map();

  count({ name, end }: Outcome): void {
    this.calls++;
    for (const [map, key] of [
      [this.names, name],
      [this.ends, end],
    ] as const) {
      map.set(key, (map.get(key) ?? 0) + 1);
    }
  }

  /** Two lines, the most first. */
  words(): string {
    const line = (map: ReadonlyMap<string, number>): string =>
      [...map]
        .sort(([, a], [, b]) => b - a)
        .map(([key, n]) => `${key} ${n}`)
        .join(', ');
    return `calls: ${line(this.names)}\nends: ${line(this.ends)}`;
  }
}
