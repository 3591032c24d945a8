/** Finds the two transformer blocks in the recogniser's graph, and reads off it everything that they compute. */
import { expect, same } from './expect.mjs';

/**
 * @typedef {import('./onnx.mjs').GraphNode} GraphNode
 * @typedef {import('./graph.mjs').Graph} Graph
 * @typedef {{ heads: number, headDim: number, scale: number, epsilon: number }} Settings
 * @typedef {ReturnType<typeof findBlock>} Block
 */

/** @param {Graph} graph @returns {[Block, Block]} */
export function findBlocks(graph) {
  // The other softmaxes are the recogniser's last layer and have no axis for heads.
  const softmaxes = graph.nodes.filter(
    (node) => node.op_type === 'Softmax' && Number(graph.attribute(node, 'axis').i) === 3,
  );
  const blocks = softmaxes.map((softmax) => findBlock(graph, softmax));
  expect(blocks.length === 2, `${blocks.length} transformer blocks, not 2`);
  const [first, second] = blocks;
  expect(second.activations.input === first.activations.output, 'the blocks do not follow each other');
  const [a, b] = [first, second].map(({ settings }) => Object.values(settings));
  expect(same(a, b), 'the blocks differ in settings');
  return [first, second];
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
