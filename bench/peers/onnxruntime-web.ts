/** onnxruntime-web: its wasm execution provider, one thread. */
import { onnxruntimeWays } from './onnxruntime.ts';
import { versionOf, type Peer } from './peer.ts';

const name = 'onnxruntime-web';

export const onnxruntimeWeb: Peer = {
  name,
  version: versionOf(name),
  order: 'chain',
  load: async () => {
    const { runtime } = await import('../../test/onnx/ort.ts');
    return onnxruntimeWays(runtime, 'wasm');
  },
};
