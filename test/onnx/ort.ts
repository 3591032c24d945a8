/** onnxruntime-web, its wasm execution provider, one thread: the operator `Attention` of one model after the other. */
import { createRequire } from 'node:module';
import type { Call, Tensor } from './call.ts';
import type { Element } from './graph.ts';
import { attentionModel, INPUTS, type Input, type Output } from './model.ts';

/** The part of onnxruntime that is used. It is no dependency: bench/peers has it, `npm run test:onnx` installs it. */
export interface Runtime {
  readonly env: { readonly wasm: { numThreads: number }; readonly versions: { readonly web?: string } };
  readonly Tensor: new (type: Element, data: object, dims: readonly number[]) => object;
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> };
}

interface Session {
  run(feeds: Readonly<Record<string, object>>): Promise<Readonly<Record<string, Tensor>>>;
  release(): Promise<void>;
}

const require = createRequire(new URL('../../bench/peers/package.json', import.meta.url));
export const runtime: Runtime = require('onnxruntime-web') as Runtime;
runtime.env.wasm.numThreads = 1;

const OPTIONS = { executionProviders: ['wasm'], graphOptimizationLevel: 'disabled', logSeverityLevel: 3 };

export const version: string | undefined = runtime.env.versions.web;

/** What the operator gives. Rejects with onnxruntime's words where it refuses the model or the inputs. */
export async function onnxruntime<Wanted extends Output>(
  call: Call,
  outputs: readonly Wanted[],
): Promise<Readonly<Record<Wanted, Tensor>>> {
  const inputs: Partial<Record<Input, Element>> = {};
  const feeds: Partial<Record<Input, object>> = {};
  for (const name of INPUTS) {
    const value = call[name];
    if (value === undefined) continue;
    const { dims, data } = 'dims' in value ? value : int64(value);
    const element = elementOf(data);
    inputs[name] = element;
    feeds[name] = new runtime.Tensor(element, data, dims);
  }
  const { opset, attributes } = call;
  const model = attentionModel({ opset, attributes, inputs, outputs });
  const session = await runtime.InferenceSession.create(model, OPTIONS);
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

function int64(values: readonly number[]): Tensor<BigInt64Array> {
  return { dims: [values.length], data: BigInt64Array.from(values, BigInt) };
}

/** Uint8Clamped stands for numbers of one byte, Uint8Array for bool. */
function elementOf(data: object): Element {
  if (data instanceof Uint8ClampedArray) return 'uint8';
  if (data instanceof Uint8Array) return 'bool';
  return data instanceof BigInt64Array ? 'int64' : 'float32';
}
