/**
 * Whether memory is flat over a long run, read at equal times. A run of workers that end and start again moves the resident set by
 * megabytes, so no two readings are compared, and no limit in megabytes would be small enough for a short run and large enough for a long
 * one. What leaks, leaks with the calls: a line is laid through the readings, and where it rises by more than a byte a call, beyond
 * what their scatter explains (three standard errors), memory is not flat. A byte a call is less than any object that could be kept; an
 * hour of calls has millions.
 *
 * The resident set stays for minutes where it is (of an hour's readings, ten seconds apart, neighbours correlate by 0.85), so readings are no
 * independent witnesses: the line is laid through the means of stretches that are longer than that.
 */

/** Of the line through the values at 0, 1, 2 …, by least squares. */
export function slope(values: readonly number[]): number {
  return line(values).slope;
}

/** The line, and the standard error of its slope. */
function line(values: readonly number[]): { readonly slope: number; readonly error: number } {
  const average = mean(values);
  const middle = (values.length - 1) / 2;
  let [up, across] = [0, 0];
  for (const [i, value] of values.entries()) {
    up += (i - middle) * (value - average);
    across += (i - middle) ** 2;
  }
  const slope = up / across;
  const off = values.map((value, i) => value - average - slope * (i - middle));
  const scatter = off.reduce((sum, each) => sum + each ** 2, 0) / (values.length - 2);
  return { slope, error: Math.sqrt(scatter / across) };
}

/** Means that a line is laid through, and the readings, at least, of each. The first third counts for none: code is compiled in it. */
const [STRETCHES, LEAST] = [8, 2];

export interface Flatness {
  /** Undefined: the run was too short. */
  readonly flat: boolean | undefined;
  /** Bytes a call, and three standard errors of that. */
  readonly growth: number;
  readonly uncertainty: number;
}

/** Of the readings of a figure, in bytes, and how many calls there had been at each. */
export function flatness(readings: readonly number[], calls: readonly number[]): Flatness {
  const each = Math.floor((readings.length * 2) / 3 / STRETCHES);
  if (each < LEAST) return { flat: undefined, growth: NaN, uncertainty: NaN };
  const start = readings.length - each * STRETCHES;
  const means = Array.from({ length: STRETCHES }, (_, i) => {
    const from = start + i * each;
    return mean(readings.slice(from, from + each));
  });
  const interval = ((calls.at(-1)! - calls[start]!) / (each * STRETCHES - 1)) * each;
  const { slope, error } = line(means);
  const [growth, uncertainty] = [slope / interval, (3 * error) / interval];
  return { flat: growth - uncertainty <= 1, growth, uncertainty };
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b) / values.length;
}
