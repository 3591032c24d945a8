/** A bar held against a run. */

export interface Held {
  readonly what: string;
  readonly run: string;
  readonly reached: string;
  readonly bar: string;
  /** Undefined where the run has nothing to say. */
  readonly met: boolean | undefined;
}

export function hold(
  what: string,
  run: string,
  reached: number | undefined,
  { least, most, unit }: { readonly least?: number; readonly most?: number; readonly unit: string },
): Held {
  const digits = unit.startsWith(' %') ? 0 : 2;
  return {
    ...{ what, run },
    reached: reached === undefined ? 'not measured' : reached.toFixed(digits),
    bar: (least === undefined ? `≤ ${String(most)}` : `≥ ${least.toFixed(digits)}`) + unit,
    met: reached === undefined ? undefined : reached >= (least ?? -Infinity) && reached <= (most ?? Infinity),
  };
}
