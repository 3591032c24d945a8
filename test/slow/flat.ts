/**
 * Whether memory is flat over a long run, read at equal times. A run of workers that end and start again moves the resident set by
 * megabytes, so no two readings are compared, and no limit in megabytes would be small enough for a short run and large enough for a long
 * one. What leaks, leaks with the calls: a line is laid through the readings, and where it rises by more than a byte a call, beyond
 * what the scatter of the readings about it explains (three standard errors), memory is not flat. A byte a call is less than any object
 * that could be kept; an hour of calls has millions.
 */

/** Of the line through the values at 0, 1, 2 …, by least squares. */
export function slope(values: readonly number[]): number {
  return line(values).slope;
}

/** The line, and the standard error of its slope. */
function line(values: readonly number[]): { readonly slope: number; readonly error: number } {
  const mean = values.reduce((a, b) => a + b) / values.length;
  const middle = (values.length - 1) / 2;
  let [up, across] = [0, 0];
  for (const [i, value] of values.entries()) {
    up += (i - middle) * (value - mean);
    across += (i - middle) ** 2;
  }
  const slope = up / across;
  const off = values.map((value, i) => value - mean - slope * (i - middle));
  const scatter = off.reduce((sum, each) => sum + each ** 2, 0) / (values.length - 2);
  return { slope, error: Math.sqrt(scatter / across) };
}

/** Fewer readings than this, without the first third, in which code is compiled and tables get their sizes, say nothing. */
const LEAST = 12;

export interface Flatness {
  /** Undefined: the run was too short. */
  readonly flat: boolean | undefined;
  /** Bytes a call, and three standard errors of that. */
  readonly growth: number;
  readonly uncertainty: number;
}

/** Of the readings of a figure, in bytes, and how many calls there had been at each. */
export function flatness(readings: readonly number[], calls: readonly number[]): Flatness {
  const start = Math.floor(readings.length / 3);
  const [after, counts] = [readings.slice(start), calls.slice(start)];
  if (after.length < LEAST) return { flat: undefined, growth: NaN, uncertainty: NaN };
  const interval = (counts.at(-1)! - counts[0]!) / (counts.length - 1);
  const { slope, error } = line(after);
  const [growth, uncertainty] = [slope / interval, (3 * error) / interval];
  return { flat: growth - uncertainty <= 1, growth, uncertainty };
}
