/**
 * One contender from nothing: import it, start it, and get one small attention from it. `node cold.mjs NAME JSON` prints
 * { milliseconds, out }. Plain JavaScript, so that no compiler is in the time; heed comes from dist/ as a user gets it.
 */
const [, , name, json] = process.argv;
const { seqQ, heads, headDim, model, ...data } = JSON.parse(json);
const [q, k, v] = [data.q, data.k, data.v].map((each) => Float32Array.from(each));
const bytes = Uint8Array.from(Buffer.from(model, 'base64'));
const options = { logSeverityLevel: 3, intraOpNumThreads: 1, interOpNumThreads: 1 };

async function onnxruntime({ InferenceSession, Tensor }, provider) {
  const session = await InferenceSession.create(bytes, { ...options, executionProviders: [provider] });
  const dims = [1, seqQ, heads * headDim];
  const [Q, K, V] = [q, k, v].map((each) => new Tensor('float32', each, dims));
  return (await session.run({ Q, K, V })).out.data;
}

const contenders = {
  heed: async () => {
    const { attention } = await import('../../dist/index.js');
    return attention(q, k, v, { seqQ, heads, headDim });
  },
  'onnxruntime-web': async () => {
    const { default: ort } = await import('onnxruntime-web');
    ort.env.wasm.numThreads = 1;
    return onnxruntime(ort, 'wasm');
  },
  'onnxruntime-node': async () => onnxruntime((await import('onnxruntime-node')).default, 'cpu'),
  'jax-js': async () => {
    const { init, defaultDevice, nn, numpy } = await import('@jax-js/jax');
    await init('wasm');
    defaultDevice('wasm');
    const arrays = [q, k, v].map((each) => numpy.array(each).reshape([seqQ, heads, headDim]));
    return nn.dotProductAttention(...arrays).data();
  },
};

const start = performance.now();
const out = await contenders[name]();
const milliseconds = performance.now() - start;
console.log(JSON.stringify({ milliseconds, out: [...out] }));
process.exit();
