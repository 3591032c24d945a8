/**
 * Makes the fixture in test/fixtures/pp-ocr: the two transformer blocks of PP-OCRv4's text recogniser, with every value
 * that goes into and comes out of them while the recogniser reads a drawn line of text.
 *
 *   npm ci --ignore-scripts --prefix bench/peers && node scripts/pp-ocr/extract.mjs
 *
 * Nothing about the blocks is assumed. Weights, the LayerNorm epsilon, the activation, the attention scale and the
 * layout of the heads are read off the graph, operator by operator, and the command stops at the first operator it does
 * not expect. The blocks are then computed again from the extracted numbers, in float64, and nothing is written unless
 * that agrees with what the recogniser itself computed.
 */
import { findBlocks } from './blocks.mjs';
import { drawText } from './draw.mjs';
import { expect, same } from './expect.mjs';
import { blockShapes, writeFixture } from './fixture.mjs';
import { recompute } from './float64.mjs';
import { Graph } from './graph.mjs';
import { decode, loadRecogniser, runModel } from './recogniser.mjs';

const TOLERANCE = 1e-5;

const { model, characters, nodes, output } = loadRecogniser();
const graph = new Graph(nodes);
const blocks = findBlocks(graph);
const [{ settings, layers: firstLayers }] = blocks;
console.log(`graph   ${nodes.length} nodes, 2 transformer blocks, ${JSON.stringify(settings)}`);

const image = await drawText();
console.log(`image   "${image.text}", ${image.width} x ${image.height}`);

const wanted = [...new Set(blocks.flatMap(({ activations }) => Object.values(activations)))];
const result = await runModel(model, image, wanted);
const reading = decode(result(output), characters);
console.log(`reads   "${reading.text}", confidence ${reading.confidence.toFixed(4)}`);
console.log(`columns ${reading.columns}`);
expect(reading.text === image.text, `the recogniser reads "${reading.text}", not "${image.text}"`);

const sizes = {
  ...settings,
  steps: reading.columns.length,
  width: settings.heads * settings.headDim,
  hidden: graph.constant(firstLayers['mlp.fc1'].weight).shape[1],
};
/** @type {Map<string, import('./recogniser.mjs').Tensor>} */
const tensors = new Map();
/** @type {Map<string, number>} */
const differences = new Map();
for (const [b, { layers, activations }] of blocks.entries()) {
  const get = (/** @type {string} */ name) => {
    if (name in activations) return result(activations[name]);
    const dot = name.lastIndexOf('.');
    return graph.constant(layers[name.slice(0, dot)][name.slice(dot + 1)]);
  };
  for (const [name, shape] of Object.entries(blockShapes(sizes))) {
    const tensor = get(name);
    expect(same(tensor.shape, shape), `block${b}.${name} is [${tensor.shape}], not [${shape}]`);
    expect(tensor.data.every(Number.isFinite), `block${b}.${name} is not finite throughout`);
    tensors.set(`block${b}.${name}`, tensor);
  }
  for (const [name, difference] of Object.entries(recompute(get, settings))) {
    console.log(
      `check   block${b}.${name.padEnd(17)} max |float64 - recogniser| ${difference.toExponential(2)}`,
    );
    expect(difference <= TOLERANCE, `block${b}.${name} is off by ${difference}`);
    differences.set(`block${b}.${name}`, difference);
  }
}

const { floats, bytes } = writeFixture({ model, image, reading, sizes, tensors, differences });
console.log(`wrote   ${floats} floats, ${bytes} bytes; T = ${sizes.steps}`);
