/**
 * The benchmark of the repository: `npm run bench` prints the one-minute table, kernels included, of src/ as it is;
 * `npm run bench -- --full --json FILE --svg FILE` takes its time, writes everything down and draws the chart.
 */
import { bench } from './command.ts';
import { drawChart } from './chart.ts';
import { kernelGroups } from './kernels.ts';
import { groups } from './rows.ts';
import { loadShipped, shipped } from './shipped.ts';

process.exitCode = await bench(process.argv.slice(2), {
  name: 'npm run bench --',
  groups: [...kernelGroups, ...groups],
  load: loadShipped,
  url: shipped,
  draw: drawChart,
});
