/** The package in workerd, which compiles no bytes. A test that throws fails. */
import * as heed from 'heed';
import baseline from 'heed/wasm/baseline.wasm';
import relaxed from 'heed/wasm/relaxed.wasm';
import { compiledElsewhere, goldens } from './checks.mjs';

export default {
  async test() {
    await compiledElsewhere(heed, { modules: { baseline, relaxed } });
    console.log(JSON.stringify(await goldens(heed, { wasm: baseline, threads: [1] })));
  },
};
