/** What is being done, for people: one line on stderr that goes away in the end. Where stderr is no terminal, nothing. */
import { Presets, SingleBar } from 'cli-progress';

/** A bar of `total` steps. `next(label, steps)` says what begins and how many steps it is; what was before is done. */
export function progress(total) {
  // 50 frames a second: a label has to appear before its work begins, which may hold the thread for a second.
  const options = { format: '  {bar} {label}', barsize: 30, fps: 50, clearOnComplete: true };
  const bar = new SingleBar(options, Presets.shades_classic);
  bar.start(total, 0, { label: '' });
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
