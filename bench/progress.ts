/** A bar while a benchmark runs, for people only: nothing is drawn where the output is no terminal. */
import { SingleBar } from 'cli-progress';

let bar: SingleBar | undefined;

/** So many steps of `count` are done, and `text` is next. */
export function progress(done: number, count: number, text: string): void {
  if (!process.stderr.isTTY) return;
  if (bar === undefined) {
    bar = new SingleBar({
      ...{ format: '{bar} {text} …', barCompleteChar: '█', barIncompleteChar: '░', barsize: 30 },
      ...{ stream: process.stderr, clearOnComplete: true, hideCursor: true },
    });
    bar.start(count, 0, { text });
  }
  bar.update(done, { text });
  // By itself it draws from a timer, which does not run while a row does.
  bar.render();
}

/** Takes the bar away. */
export function clearProgress(): void {
  bar?.stop();
  bar = undefined;
}
