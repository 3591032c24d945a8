/**
 * What must hold of threads wherever heed runs, with plain asserts, as no test runner is there: each check takes the package and
 * returns what is worth printing, or throws.
 */
import { floats } from './floats.mjs';
import { hashes } from './goldens.mjs';

export { paints } from './paints.mjs';

/** Multiply-adds enough to be shared: 4 · 256² · 128 = 33 million. */
const SHAPE = { seqQ: 256, heads: 4, headDim: 64 };
/** A call of a tenth of a second and more: what is started with it is not over before it is aborted in the same turn. */
const LONG = { seqQ: 2048, heads: 12, headDim: 64 };

/** Plain functions compute, by the bits: equal scores give the mean of whole numbers. What is wrong is heed's own error. */
export function attends(heed) {
  mean(heed.attention);
  let thrown;
  try {
    heed.attention();
  } catch (error) {
    thrown = error;
  }
  assert(thrown instanceof heed.HeedTypeError && thrown.isHeedError, `${thrown}`);
  return 'attends';
}

function mean(attention) {
  const keys = floats(4 * 2, 1);
  const values = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const out = attention(new Float32Array(2), keys, values, { seqQ: 1, seqK: 4, headDim: 2 });
  same(out, Float32Array.of(4, 5), 'the mean');
}

/** What is said where a policy lets nobody compile. */
const UNCOMPILED =
  "WebAssembly may not be compiled here — a page's Content-Security-Policy needs script-src 'wasm-unsafe-eval'; " +
  'where no policy allows it, createEngine takes a module: { wasm }';

/**
 * No engine of these options: an EnvironmentError, word for word, whose cause has this code. `{cause}` among the words stands for those
 * of the cause, which are the JavaScript engine's own. Where it was kernels of the caller's that were refused, those inside compute.
 */
export async function refuses(heed, { engine, code, words, cause }) {
  const error = await rejection(heed.createEngine(engine));
  assert(error instanceof heed.EnvironmentError && error.code === code, `${error}`);
  const said = words.replace('{cause}', error.cause?.message);
  assert(error.message === `createEngine: ${said} [${code}]`, error.message);
  if (cause !== undefined) assert(error.cause?.code === cause, `${error.cause}`);
  if ('wasm' in engine) attends(heed);
  return said;
}

/** Bytes may not be compiled, and that is said. */
export async function uncompiled(heed) {
  await refuses(heed, { engine: { threads: 1 }, code: 'ERR_CSP', words: UNCOMPILED });
}

/** Kernels by their URL: the bits of those inside, with threads. As a compiled module: the same with one, and it says why. */
export async function brought(heed) {
  const wasm = new URL('node_modules/heed/dist/wasm/baseline.wasm', import.meta.url);
  const expected = await resultsOf(heed, { threads: 1, simd: 'baseline' });
  const module = await WebAssembly.compile(await bytesOf(wasm));
  for (const [options, threads] of [
    [{ wasm, threads: 2 }, 2],
    [{ wasm: module }, 1],
  ]) {
    const engine = await heed.createEngine(options);
    const { features } = engine;
    assert(features.threads === threads && features.simd === 'baseline', JSON.stringify(features));
    await compare(heed, engine, expected, `${threads} threads of a given build`);
    engine.dispose();
  }
  const words =
    '"threads" expected 1 or \'auto\' with such a wasm, got 2 — wasm is a compiled module, whose memory cannot be shared';
  return refuses(heed, { engine: { wasm: module, threads: 2 }, code: 'ERR_NO_THREADS', words });
}

/** The same, and modules that somebody else has compiled work, in one thread. */
export async function compiledElsewhere(heed, { modules, worker }) {
  await uncompiled(heed);
  const given = modules ?? { baseline: await heard(startWorker('web', worker)) };
  const results = [];
  for (const [build, wasm] of Object.entries(given)) {
    const engine = await heed.createEngine({ wasm });
    const { features } = engine;
    assert(features.threads === 1 && features.simd === build, JSON.stringify(features));
    mean((...operands) => engine.attention(...operands));
    results.push(await resultsOf(heed, { wasm }));
    await compare(heed, engine, results.at(-1), build);
    engine.dispose();
  }
  return Object.keys(given);
}

/** Threads work: synchronous and asynchronous calls give the bits of one thread, end in time, and leave others alone. */
export async function threads(heed, options) {
  attends(heed);
  const expected = await resultsOf(heed, { threads: 1 });
  const features = {};
  for (const threads of ['auto', 2, 3]) {
    const engine = await heed.createEngine({ ...options, threads });
    features[threads] = { ...engine.features };
    if (threads === 'auto') {
      const { threads, reason } = engine.features;
      assert(threads > 1 || reason.includes('one core'), `${threads} threads by 'auto': ${reason}`);
    } else assert(engine.features.threads === threads, `${engine.features.threads} threads, not ${threads}`);
    await compare(heed, engine, expected, `${threads} threads`);
    engine.dispose();
  }
  await aborts(heed, options);
  await disposes(heed, options);
  await twoEngines(heed, options, expected);
  return features;
}

/**
 * There are none: two are refused, as above, and `reason` says why, in the same words where it has none of its own; all calls work all
 * the same.
 */
export async function oneThread(heed, { code, words, reason, ...options }) {
  const said = await refuses(heed, { engine: { ...options, threads: 2 }, code, words });
  const engine = await heed.createEngine(options);
  assert(engine.features.threads === 1, `${engine.features.threads} threads`);
  const why = `one thread: ${reason ?? said}`;
  assert(engine.features.reason.includes(why), engine.features.reason);
  await compare(heed, engine, await resultsOf(heed, { threads: 1 }), 'one thread');
  return { auto: { ...engine.features } };
}

/** The goldens' hashes, by name, of an engine with each of these numbers of threads: who asked has what they shall be. */
export async function goldens(heed, { threads, ...options }) {
  const found = {};
  for (const count of threads) {
    const engine = await heed.createEngine({ simd: 'baseline', ...options, threads: count });
    assert(engine.features.threads === count, `${engine.features.threads} threads, not ${count}`);
    found[`threads: ${count}`] = await hashes(heed, engine);
    engine.dispose();
  }
  return found;
}

/** Threads work with workers of the caller's making. */
export function factory(heed, { kind, script }) {
  return threads(heed, { workerFactory: () => startWorker(kind, script) });
}

/** A check holds in a worker. */
export async function nested(_, { kind, check, options = {} }) {
  const worker = startWorker(kind, 'worker.mjs');
  const answer = heard(worker);
  worker.postMessage({ check, options });
  const { error, result } = await answer;
  worker.terminate();
  assert(error === undefined, `in a worker: ${error}`);
  return result;
}

/** What a worker says first. */
function heard(worker) {
  return new Promise((resolve, reject) => {
    if (worker.on) worker.on('message', resolve).on('error', reject);
    else {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(`in a worker: ${message}`));
    }
  });
}

async function bytesOf(url) {
  if (url.protocol !== 'file:') return (await fetch(url)).arrayBuffer();
  return process.getBuiltinModule('node:fs').readFileSync(url);
}

/** Node's kind of worker, or the web's, from a script beside this file. */
function startWorker(kind, script) {
  const url = new URL(script, import.meta.url);
  if (kind === 'web') return new Worker(url, { type: 'module' });
  const { Worker: NodeWorker } = process.getBuiltinModule('node:worker_threads');
  return new NodeWorker(url);
}

/** The same input for everyone. */
function operands() {
  const { seqQ, heads, headDim } = SHAPE;
  const x = floats(seqQ * heads * headDim, 1);
  const side = heads * headDim;
  const matrices = { M: seqQ, N: side, K: side };
  const [wq, wk, wv, wo] = [2, 3, 4, 5].map((seed) => floats(side * side, seed));
  return { x, matrices, layer: { modelDim: side, heads, weights: { wq, wk, wv, wo } } };
}

async function resultsOf({ createEngine, MultiHeadAttention }, options) {
  const engine = await createEngine(options);
  const { x, matrices, layer } = operands();
  const mha = new MultiHeadAttention({ ...layer, engine });
  const attention = engine.attention(x, x, x, SHAPE);
  const matmul = engine.matmul(x, layer.weights.wq, matrices);
  const forward = mha.forward(x, { seqQ: SHAPE.seqQ });
  engine.dispose();
  return { attention, matmul, forward };
}

async function compare({ MultiHeadAttention }, engine, expected, who) {
  const { x, matrices, layer } = operands();
  const { seqQ } = SHAPE;
  const { wq } = layer.weights;
  const mha = new MultiHeadAttention({ ...layer, engine });
  same(engine.attention(x, x, x, SHAPE), expected.attention, `${who}: attention`);
  same(engine.matmul(x, wq, matrices), expected.matmul, `${who}: matmul`);
  same(mha.forward(x, { seqQ }), expected.forward, `${who}: forward`);
  // Three wait at once, and a synchronous call comes between; arrays are copied before the call returns.
  const y = x.slice();
  const later = [
    engine.attentionAsync(y, y, y, SHAPE),
    engine.matmulAsync(y, wq, matrices),
    mha.forwardAsync(y, { seqQ }),
  ];
  y.fill(NaN);
  same(engine.matmul(x, wq, matrices), expected.matmul, `${who}: matmul while another runs`);
  const [attention, matmul, forward] = await Promise.all(later);
  same(attention, expected.attention, `${who}: attentionAsync`);
  same(matmul, expected.matmul, `${who}: matmulAsync`);
  same(forward, expected.forward, `${who}: forwardAsync`);
  const tensor = engine.tensor([1, seqQ, SHAPE.heads, SHAPE.headDim], x);
  const result = await engine.attentionAsync(tensor, tensor, tensor);
  same(result.data, expected.attention, `${who}: attentionAsync of tensors`);
  for (const each of [tensor, result, mha]) each.dispose();
}

/** A running call and a waiting one are aborted; the next one is right. */
async function aborts({ createEngine }, options) {
  const engine = await createEngine({ ...options, threads: 2 });
  const x = floats(LONG.seqQ * LONG.heads * LONG.headDim, 6);
  const controller = new AbortController();
  const { signal } = controller;
  const calls = [1, 2].map(() => rejection(engine.attentionAsync(x, x, x, { ...LONG, signal })));
  const reason = new Error('enough');
  controller.abort(reason);
  for (const error of await Promise.all(calls))
    assert(error === reason, "not rejected with the signal's reason");
  const { x: y } = operands();
  same(await engine.attentionAsync(y, y, y, SHAPE), engine.attention(y, y, y, SHAPE), 'after an abort');
  engine.dispose();
}

/** Calls that are not done reject when their engine is disposed of. */
async function disposes({ createEngine, StateError }, options) {
  const engine = await createEngine({ ...options, threads: 3 });
  const x = floats(LONG.seqQ * LONG.heads * LONG.headDim, 7);
  const calls = [1, 2].map(() => rejection(engine.attentionAsync(x, x, x, LONG)));
  engine.dispose();
  for (const error of await Promise.all(calls)) {
    assert(error.code === 'ERR_POOL_TERMINATED' && error instanceof StateError, error.message);
  }
}

async function twoEngines({ createEngine }, options, expected) {
  const engines = await Promise.all([2, 3].map((threads) => createEngine({ ...options, threads })));
  const { x } = operands();
  const later = engines.map((engine) => engine.attentionAsync(x, x, x, SHAPE));
  for (const engine of engines)
    same(engine.attention(x, x, x, SHAPE), expected.attention, 'one of two engines');
  for (const each of await Promise.all(later)) same(each, expected.attention, 'one of two engines, later');
  for (const engine of engines) engine.dispose();
}

function same(a, b, what) {
  const [x, y] = [a, b].map((array) => new Uint32Array(array.buffer, array.byteOffset, array.length));
  assert(x.length === y.length, `${what}: ${x.length} numbers, not ${y.length}`);
  const at = x.findIndex((bits, i) => bits !== y[i]);
  assert(at < 0, `${what}: ${a[at]} at ${at}, not ${b[at]}`);
}

function rejection(promise) {
  return promise.then(
    () => new Error('it was not rejected'),
    (error) => error,
  );
}

function assert(holds, words) {
  if (!holds) throw new Error(words);
}
