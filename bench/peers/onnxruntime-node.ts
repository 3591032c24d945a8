/**
 * onnxruntime-node: the same kernels compiled for this processor, with vectors as wide as it has. Not a peer in JavaScript but
 * the upper reference: what wasm leaves on the table. Its package holds the binaries for Linux, Windows and macOS; the script
 * that runs after its installation only fetches CUDA, and is not needed.
 */
import { createRequire } from 'node:module';
import { sep } from 'node:path';
import type { Runtime } from '../../test/onnx/ort.ts';
import { onnxruntimeWays } from './onnxruntime.ts';
import { versionOf, type Peer } from './peer.ts';

const name = 'onnxruntime-node';

export const onnxruntimeNode: Peer = {
  name,
  version: versionOf(name),
  order: 'chain',
  load: () => {
    const require = createRequire(import.meta.url);
    // Beside onnxruntime-web a copy of onnxruntime-common of its own: in the one they would share, 'cpu' stays whose came first.
    for (const path of Object.keys(require.cache))
      if (path.includes(`${sep}onnxruntime-common${sep}`)) Reflect.deleteProperty(require.cache, path);
    const runtime = require(name) as Runtime;
    if (runtime.env.versions.web !== undefined) throw new Error('this would be onnxruntime-web again');
    return Promise.resolve(onnxruntimeWays(runtime, 'cpu'));
  },
};
