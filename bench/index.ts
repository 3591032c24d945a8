/**
 * The benchmark of the repository: `npm run bench` prints the one-minute table, kernels included, of src/ as it is;
 * `npm run bench -- --full --json FILE --svg FILE --markdown FILE` takes its time, writes everything down, draws the chart and
 * fills the tables of a page.
 */
import { bench } from './command.ts';
import { drawChart } from './chart.ts';
import { kernelGroups } from './kernels.ts';
import { fill, markdownReport } from './markdown.ts';
import { groups } from './rows.ts';
import { loadShipped, shipped, shipScripts } from './shipped.ts';

process.exitCode = await bench(process.argv.slice(2), {
  name: 'npm run bench --',
  groups: [...kernelGroups, ...groups],
  load: async () => ({ heed: await loadShipped(), scripts: await shipScripts() }),
  url: shipped,
  pages: {
    draw: drawChart,
    fill: (file, report) => fill(file, 'bench', (names) => markdownReport(report, names)),
  },
});
