/** What `npm start` shows: the example, then the one-minute benchmark. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

run('npm', ['run', '--silent', 'build'], 'ignore');
run(process.execPath, ['examples/hello']);
console.log('\n3  How fast: one minute of benchmark\n');
run(process.execPath, ['--import', 'tsx', 'bench/index.ts']);
console.log('\nMore to see: npm run lab               all of this in a browser, every number alive');
console.log('             node examples/heat-map    every head of the model, as a picture');
console.log('             node examples/decode      a small transformer, token by token');
console.log('             node examples/retrieval   real texts found by attention');
console.log('             node examples/sharded     one long context, its keys over several workers');
console.log('             npx vite examples/react-worker   a page that keeps painting while attention runs');

// npm is a shell script on Windows; a path with a space in it must not go through a shell.
function run(command, args, stdout = 'inherit') {
  const options = {
    stdio: ['inherit', stdout, 'inherit'],
    shell: command === 'npm' && process.platform === 'win32',
  };
  const { status, error } = spawnSync(command, args, options);
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
