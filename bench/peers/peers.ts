/** All that contend, heed first. */
import { heed } from './heed.ts';
import { jax } from './jax.ts';
import { onnxruntimeNode } from './onnxruntime-node.ts';
import { onnxruntimeWeb } from './onnxruntime-web.ts';
import type { Peer } from './peer.ts';
import { plain } from './plain.ts';
import { tfjs } from './tfjs.ts';

export const peers: readonly Peer[] = [heed, onnxruntimeWeb, tfjs, jax, plain, onnxruntimeNode];
