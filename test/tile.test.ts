/** The choice of a register tile by timing, with a clock that is told the time. */
import { describe, expect, it } from 'vitest';
import { tilesFor, TileChoice, type Tile } from '../src/tile.ts';

/** A choice among tiles that take so long, and what it ran. `compiled`: how often a tile runs ten times as long before. */
function choice(times: Partial<Record<Tile, number>>, compiled = 0, grain = 0) {
  let now = 0;
  const runs = new Map<Tile, number>();
  const run = (tile: Tile) => {
    const before = runs.get(tile) ?? 0;
    runs.set(tile, before + 1);
    now += times[tile]! * (before < compiled ? 10 : 1);
  };
  const clock = () => (grain ? Math.floor(now / grain) * grain : now);
  const found: Tile[] = [];
  const made = new TileChoice(Object.keys(times) as Tile[], run, clock, (tile) => found.push(tile));
  /** Asks so often, this long apart. */
  const ask = (often: number, apart: number): Tile => {
    let best = made.best;
    for (let i = 0; i < often; i++) {
      now += apart;
      best = made.best;
    }
    return best;
  };
  return { made, ask, runs, found };
}

const ms = 0.01;

describe('a tile is chosen by timing', () => {
  it('the fastest, whichever it is', () => {
    expect(choice({ '6x8': ms, '4x8': 1.1 * ms, '6x16': 0.6 * ms }).ask(100, 20)).toBe('6x16');
    expect(choice({ '6x8': ms, '4x8': 0.8 * ms, '6x16': 1.6 * ms }).ask(100, 20)).toBe('4x8');
    expect(choice({ '6x8': ms, '4x8': 1.1 * ms, '6x16': 1.6 * ms }).ask(100, 20)).toBe('6x8');
  });
  it('the first, where others are hardly faster', () => {
    expect(choice({ '4x8': ms, '3x12': 0.995 * ms }).ask(100, 20)).toBe('4x8');
    // A hundredth, exactly.
    expect(choice({ '4x8': 100, '3x12': 99 }).ask(100, 20)).toBe('4x8');
    expect(choice({ '4x8': 100, '3x12': 98 }).ask(100, 20)).toBe('3x12');
  });
  it('the first, where the clock is too coarse to tell', () => {
    expect(choice({ '4x8': ms, '3x12': 0.5 * ms }, 0, 1).ask(100, 20)).toBe('4x8');
  });
  it('by what they take once they are compiled', () => {
    const { ask } = choice({ '4x8': ms, '3x12': 0.9 * ms }, 40);
    expect(ask(100, 20)).toBe('3x12');
  });
  it('by the eight slices behind those that only warm up, all of them and no other', () => {
    /** What is chosen where the second tile takes no time in one slice. */
    const chosenBy = (slice: number): Tile => {
      let [now, runs] = [0, 0];
      const run = (tile: Tile): void => {
        if (tile === '3x12') runs++;
        now += tile === '3x12' && Math.ceil(runs / 2) === slice ? 0 : ms;
      };
      const found: Tile[] = [];
      const made = new TileChoice(
        ['4x8', '3x12'],
        run,
        () => now,
        (tile) => found.push(tile),
      );
      for (let asked = 0; asked < 40; asked++) {
        now += 20;
        expect(['4x8', '3x12']).toContain(made.best);
      }
      return found[0]!;
    };
    expect([24, 25, 32, 33].map(chosenBy)).toEqual(['4x8', '3x12', '3x12', '4x8']);
  });
  it('ten milliseconds after the last slice, and not before', () => {
    let [now, runs] = [0, 0];
    const made = new TileChoice(
      ['4x8'],
      () => runs++,
      () => now,
      () => undefined,
    );
    for (let slice = 1; slice < 5; slice++) {
      now += 9.99;
      expect([made.best, runs]).toEqual(['4x8', 2 * slice - 2]);
      now = 10 * slice;
      expect([made.best, runs]).toEqual(['4x8', 2 * slice]);
    }
  });
  it('at a fiftieth of the time or less, and not before there has been any', () => {
    const { made, ask, runs } = choice({ '4x8': ms, '3x12': 0.9 * ms });
    ask(9, 1);
    expect(runs.size).toBe(0);
    ask(1000, 0.1);
    // 100 ms, a slice every ten of them, each tile twice.
    expect(runs.get('4x8')).toBeLessThanOrEqual(2 * 11);
    expect(runs.get('4x8')).toBeGreaterThanOrEqual(2 * 8);
    expect(made.decided).toBe(false);
  });
  it('once and for all', () => {
    const { made, ask, runs, found } = choice({ '4x8': ms, '3x12': 0.9 * ms });
    ask(100, 20);
    expect(made.decided).toBe(true);
    expect(found).toEqual(['3x12']);
    const before = runs.get('4x8');
    ask(100, 20);
    expect(runs.get('4x8')).toBe(before);
    expect(made.known).toBe('3x12');
  });
});

describe('what is tried', () => {
  it('begins with six rows only where multiply and add are one instruction', () => {
    expect(tilesFor('relaxed', true)[0]).toBe('6x8');
    expect(tilesFor('relaxed', false)[0]).toBe('4x8');
    expect(tilesFor('baseline', false)[0]).toBe('4x8');
    for (const fma of [true, false])
      expect([...tilesFor('relaxed', fma)].sort()).toEqual(['4x8', '6x16', '6x8']);
  });
});
