/** Questions about an ONNX graph, from a node's attribute to a whole LayerNorm. Which blocks there are: blocks.mjs. */
import { expect, same } from './expect.mjs';
import { tensorValues } from './onnx.mjs';

/**
 * @typedef {import('./onnx.mjs').GraphNode} GraphNode
 * @typedef {{ input: string, weight: string, bias: string }} Linear
 * @typedef {Linear & { epsilon: number }} LayerNorm
 */

/** Each question throws when the graph is not of the shape that it supposes. */
export class Graph {
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
