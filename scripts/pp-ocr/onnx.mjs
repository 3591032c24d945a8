/**
 * The ONNX file as bytes and messages: its nodes, the values of its constants, and a copy of it with more outputs.
 * What the nodes mean is not known here (graph.mjs).
 */
import { expect } from './expect.mjs';
import { require } from './packages.mjs';

/**
 * @typedef {{ name: string, f: number, i: number, t: object | null, ints: number[] }} Attribute
 * @typedef {{ input: string[], output: string[], op_type: string, attribute: Attribute[] }} GraphNode
 * @typedef {{ shape: number[], data: Float32Array | number[] }} Values
 */

// The part of onnx.proto that the extraction reads and writes; the field numbers are ONNX's own.
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

/** @param {Uint8Array} model @returns {{ nodes: GraphNode[], outputs: string[] }} */
export function readModel(model) {
  const { graph } = ModelProto.decode(model);
  return { nodes: graph.node, outputs: graph.output.map(({ name }) => name) };
}

/**
 * A copy of the model that also returns the named tensors.
 *
 * Two serialised messages put end to end parse as their merger (that is protobuf's rule), so the extra outputs
 * are appended, and the model's own bytes, most of which this schema does not know, stay as they are.
 *
 * @param {Uint8Array} model
 * @param {string[]} names
 */
export function withOutputs(model, names) {
  const output = names.map((name) => ({ name, type: { tensor_type: { elem_type: ONNX_FLOAT } } }));
  return Buffer.concat([model, ModelProto.encode({ graph: { output } }).finish()]);
}

/** A constant's shape and values. @returns {Values} */
export function tensorValues(proto) {
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
