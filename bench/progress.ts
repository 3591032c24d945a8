/** One line that is written over while a benchmark runs, for people only. */

export function progress(done: number, count: number, text: string): void {
  if (!process.stderr.isTTY) return;
  const bar = '█'.repeat(done) + '░'.repeat(count - done);
  process.stderr.write(`\r\x1b[K${bar} ${text} …`);
}

export function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
