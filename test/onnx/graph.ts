/**
 * An ONNX file, written by hand: protobuf is tags, varints and lengths, and a graph of a few nodes needs two dozen fields of
 * onnx.proto. (The recogniser's reader in scripts/pp-ocr keeps bytes it does not know; this one makes all of them, so that
 * nothing but a `number` is between a program and what onnxruntime reads.)
 */

/** What a tensor is made of, by ONNX's own numbers (onnx.proto, TensorProto.DataType). */
export const ELEMENTS = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9 } as const;

export type Element = keyof typeof ELEMENTS;

/** An integer, integers, or a float: a number alone does not say which of the two it is. */
export type Attribute = number | readonly number[] | { readonly float: number };

export interface Node {
  readonly op: string;
  /** Default: ONNX's own. */
  readonly domain?: string;
  /** An optional one that is left out is an empty name. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

export interface ValueInfo {
  readonly element: Element;
  /** Without them, a tensor brings its own. */
  readonly dims?: readonly number[];
}

/** A tensor that the file holds. */
export interface Constant {
  readonly dims: readonly number[];
  readonly data: Float32Array | Int32Array | BigInt64Array;
}

export interface Graph {
  readonly opset: number;
  readonly nodes: readonly Node[];
  readonly inputs: Readonly<Record<string, ValueInfo>>;
  readonly outputs: Readonly<Record<string, ValueInfo>>;
  readonly constants?: Readonly<Record<string, Constant>>;
}

/** Operators that are onnxruntime's own. */
export const CONTRIB = 'com.microsoft';

/** Of onnx 1.18, the release of opset 23. */
const IR_VERSION = 11;

/** The file. */
export function model({ opset, nodes, inputs, outputs, constants = {} }: Graph): Uint8Array {
  const graph = [
    ...nodes.map((node) => message(1, nodeProto(node))),
    text(2, 'graph'),
    ...Object.entries(constants).map(([name, constant]) => message(5, tensorProto(name, constant))),
    ...Object.entries(inputs).map(([name, info]) => message(11, valueInfo(name, info))),
    ...Object.entries(outputs).map(([name, info]) => message(12, valueInfo(name, info))),
  ];
  return joined([
    integer(1, IR_VERSION),
    message(7, graph),
    message(8, [integer(2, opset)]), // of the default domain, whose name is empty
    ...(nodes.some(({ domain }) => domain === CONTRIB)
      ? [message(8, [text(1, CONTRIB), integer(2, 1)])]
      : []),
  ]);
}

/** NodeProto: input 1, output 2, op_type 4, attribute 5, domain 7. */
function nodeProto({ op, domain = '', inputs, outputs, attributes = {} }: Node): Uint8Array[] {
  return [
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => message(5, attributeProto(name, value))),
    text(7, domain),
  ];
}

/** AttributeProto: name 1, f 2 or i 3 or ints 8, type 20 (FLOAT 1, INT 2, INTS 7). */
function attributeProto(name: string, value: Attribute): Uint8Array[] {
  if (typeof value === 'number') return [text(1, name), integer(3, value), integer(20, 2)];
  if ('float' in value) return [text(1, name), fixed32(2, value.float), integer(20, 1)];
  return [text(1, name), ...value.map((each) => integer(8, each)), integer(20, 7)];
}

/** TensorProto: dims 1, data_type 2, name 8, raw_data 9, little-endian as everything that runs JavaScript. */
function tensorProto(name: string, { dims, data }: Constant): Uint8Array[] {
  return [
    ...dims.map((size) => integer(1, size)),
    integer(2, ELEMENTS[elementOf(data)]),
    text(8, name),
    message(9, [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]),
  ];
}

export function elementOf(data: Constant['data']): Element {
  if (data instanceof Float32Array) return 'float32';
  return data instanceof Int32Array ? 'int32' : 'int64';
}

/** ValueInfoProto: name 1, type 2; TypeProto: tensor_type 1; its elem_type 1, shape 2; of that dim 1, its dim_value 1. */
function valueInfo(name: string, { element, dims }: ValueInfo): Uint8Array[] {
  const shape = dims && [
    message(
      2,
      dims.map((size) => message(1, [integer(1, size)])),
    ),
  ];
  return [text(1, name), message(2, [message(1, [integer(1, ELEMENTS[element]), ...(shape ?? [])])])];
}

// The wire format: a field is its number and wire type in one varint, then its value.

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest = BigInt.asUintN(64, value); ; rest >>= 7n) {
    if (rest < 128n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 127n) | 128);
  }
}

function tag(field: number, wire: 0 | 2 | 5): number[] {
  return varint(BigInt(field * 8 + wire));
}

/** Negative numbers take ten bytes, as int64 does. */
function integer(field: number, value: number): Uint8Array {
  return Uint8Array.from([...tag(field, 0), ...varint(BigInt(value))]);
}

function message(field: number, parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return joined([Uint8Array.from([...tag(field, 2), ...varint(BigInt(length))]), ...parts]);
}

function text(field: number, value: string): Uint8Array {
  return message(field, [new TextEncoder().encode(value)]);
}

function fixed32(field: number, value: number): Uint8Array {
  return Uint8Array.from([...tag(field, 5), ...new Uint8Array(Float32Array.of(value).buffer)]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
