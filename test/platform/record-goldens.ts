/**
 * Records what the goldens' hashes are: `npm run goldens` writes programs/goldens.json, by this Node and one thread. Only where the bits
 * are meant to be others, as the order of addition is part of the contract (docs/architecture.md); CHANGELOG says so then.
 */
import { writeFileSync } from 'node:fs';
import * as heed from '../../src/index.ts';
import { hashes } from './programs/goldens.mjs';

const engine = await heed.createEngine({ simd: 'baseline', threads: 1 });
const found = await hashes(heed, engine);
for (const [name, hash] of Object.entries(found)) {
  if (!/^[0-9a-f]{64}$/.test(hash)) throw new Error(`${name} has no hash of its own: ${hash}`);
}
writeFileSync(new URL('programs/goldens.json', import.meta.url), `${JSON.stringify(found, null, 2)}\n`);
console.log(`${Object.keys(found).length} hashes`);
