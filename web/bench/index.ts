/** The third panel: starts the benchmark in a worker, and shows what it tells. */
import { byId, element } from '../dom.ts';
import { Chart } from './chart.ts';
import {
  CONTENDERS,
  SIZES,
  type Order,
  type Report,
  type RowReport,
  type Told,
  type Work,
} from './report.ts';

export function startBench(): void {
  const form = byId('bench-controls', HTMLFormElement);
  const start = byId('bench-start', HTMLButtonElement);
  const progress = byId('bench-progress', HTMLProgressElement);
  const step = byId('bench-step', HTMLParagraphElement);
  const summary = byId('bench-summary', HTMLParagraphElement);
  const json = byId('bench-json', HTMLTextAreaElement);
  const result = byId('bench-result', HTMLDivElement);
  const copy = byId('bench-copy', HTMLButtonElement);
  const copied = byId('bench-copied', HTMLSpanElement);
  const chart = new Chart(byId('bench-chart', HTMLDivElement));
  let rows: RowReport[] = [];
  let worker: Worker | undefined;

  const show = (): void => {
    const work = new FormData(form).get('work') as Work;
    const shown = rows.filter((row) => row.work === work);
    chart.show(shown);
    fill(byId('bench-table', HTMLTableElement), shown);
    summary.textContent = shown.length > 0 ? summaryOf(shown) : '';
  };

  const stop = (text: string): void => {
    worker?.terminate();
    worker = undefined;
    step.textContent = text;
    start.textContent = 'Start';
    byId('bench-largest', HTMLSelectElement).disabled = false;
  };

  const finish = (report: Report): void => {
    const { features, problems } = report;
    json.value = JSON.stringify(report, undefined, 2);
    progress.value = 1;
    // Without threads the reason begins with them.
    const one = features.reason.startsWith('one thread') ? features.reason : 'one thread';
    const threads = features.threads > 1 ? `${features.threads} threads` : one;
    stop([`Done, with ${threads}.`, ...problems].join(' '));
    result.hidden = false;
  };

  start.addEventListener('click', () => {
    if (worker) {
      progress.value = 0;
      stop('Stopped.');
      return;
    }
    rows = [];
    json.value = '';
    result.hidden = true;
    copied.textContent = '';
    progress.value = 0;
    start.textContent = 'Stop';
    byId('bench-largest', HTMLSelectElement).disabled = true;
    show();
    worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    worker.addEventListener('message', ({ data }: MessageEvent<Told>) => {
      if (data.kind === 'end') finish(data.report);
      else if (data.kind === 'row') {
        rows.push(data.row);
        show();
      } else {
        progress.value = data.done;
        step.textContent = `Measuring: ${data.text}`;
      }
    });
    worker.addEventListener('error', (event) => {
      // A script that does not come says nothing.
      stop(`It failed: ${event.message || 'its script did not come'}.`);
    });
    const order: Order = { largest: Number(byId('bench-largest', HTMLSelectElement).value) };
    worker.postMessage(order);
  });
  form.addEventListener('change', show);
  copy.addEventListener('click', () => {
    void copyText(json).then((done) => {
      copied.textContent = done ? 'Copied.' : 'It may not be copied from here: the text is selected.';
    });
  });
  show();
}

/** A row a size, also of those that are not measured yet, so that the page keeps its height. */
function fill(table: HTMLTableElement, rows: readonly RowReport[]): void {
  const lines = SIZES.map((size) => {
    const row = rows.find((each) => each.size === size);
    const cells = CONTENDERS.map((name) => {
      const result = row?.results[name];
      if (!result) return element('td', { 'data-contender': name }, '–');
      const { gflops, percent } = result;
      const note = percent === undefined ? '' : `${percent.toFixed(0)} %`;
      return element('td', { 'data-contender': name }, gflops.toPrecision(3), element('small', {}, note));
    });
    return element('tr', {}, element('th', { scope: 'row' }, String(size)), ...cells);
  });
  table.tBodies[0]!.replaceChildren(...lines);
}

/** The fastest on one core at the largest size that plain loops have been timed at too. */
function summaryOf(rows: readonly RowReport[]): string {
  const { size, results } = rows.findLast(({ results }) => results.plain) ?? rows[0]!;
  const name = results.relaxed ? 'relaxed' : 'baseline';
  const [heed, plain] = [results[name], results.plain];
  if (!heed || !plain) return '';
  const times = (plain.milliseconds / heed.milliseconds).toFixed(0);
  return `At size ${size}, heed (${name}) is ${times} times as fast as plain loops, at ${heed.percent!.toFixed(0)} % of what one core can do with that build.`;
}

/** Into the clipboard, or at least selected where the page may not write there. */
async function copyText(area: HTMLTextAreaElement): Promise<boolean> {
  area.select();
  try {
    await navigator.clipboard.writeText(area.value);
    return true;
  } catch {
    return false;
  }
}
