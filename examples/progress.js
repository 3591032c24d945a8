/** What is being done, for people: one line on stderr that goes away in the end. Where stderr is no terminal, nothing. */
import { Presets, SingleBar } from 'cli-progress';

/**
 * A bar of `total` steps, with what comes before the first. `next(label, steps)` says what begins and how many steps it is;
 * what was before is done.
 */
export function progress(total, label) {
  // At the default of 10 frames a second a label would be skipped 200 ms after the last, and its work may hold the thread
  // for a second: 500 let every label through.
  const options = { format: '  {bar} {label}', barsize: 30, fps: 500, clearOnComplete: true };
  const bar = new SingleBar(options, Presets.shades_classic);
  bar.start(total, 0, { label });
  let begun = 0;
  return {
    next(label, steps = 1) {
      bar.update(begun, { label });
      begun += steps;
    },
    stop() {
      bar.stop();
    },
  };
}
