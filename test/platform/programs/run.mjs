/** What main.mjs and main.cjs do with the package. */
import * as checks from './checks.mjs';

export async function run(heed) {
  const [name, options = '{}'] = process.argv.slice(2);
  console.log(JSON.stringify(await checks[name](heed, JSON.parse(options))));
}
