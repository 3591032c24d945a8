/**
 * An ONNX file of one `Attention` node, written by hand: protobuf is tags, varints and lengths, and a model of one node
 * needs a dozen fields of onnx.proto. (The recogniser's reader in scripts/pp-ocr keeps bytes it does not know; this one
 * makes all of them, so that nothing but a `number` is between a test and what onnxruntime reads.)
 */

/** What a tensor is made of, by ONNX's own numbers (onnx.proto, TensorProto.DataType). */
export const ELEMENTS = { float32: 1, uint8: 2, int64: 7, bool: 9 } as const;

export type Element = keyof typeof ELEMENTS;

/** Attributes of `Attention`: integers, but for those that {@link FLOATS} names. */
export interface Attributes {
  readonly is_causal?: number;
  readonly kv_num_heads?: number;
  readonly left_window_size?: number;
  readonly q_num_heads?: number;
  readonly qk_matmul_output_mode?: number;
  readonly right_window_size?: number;
  readonly scale?: number;
  readonly softcap?: number;
  readonly softmax_precision?: number;
}

const FLOATS: readonly string[] = ['scale', 'softcap'] satisfies (keyof Attributes)[];

/** The operator's inputs and outputs in their order; an optional one that is left out is an empty name. */
export const INPUTS = ['Q', 'K', 'V', 'attn_mask', 'past_key', 'past_value', 'nonpad_kv_seqlen'] as const;
export const OUTPUTS = ['Y', 'present_key', 'present_value', 'qk_matmul_output'] as const;

export type Input = (typeof INPUTS)[number];
export type Output = (typeof OUTPUTS)[number];

export interface Node {
  readonly opset: number;
  readonly attributes: Attributes;
  /** What the inputs that are there are made of. */
  readonly inputs: Readonly<Partial<Record<Input, Element>>>;
  readonly outputs: readonly Output[];
}

/** The file. Shapes are not in it: a tensor brings its own. */
export function attentionModel({ opset, attributes, inputs, outputs }: Node): Uint8Array {
  const given = INPUTS.filter((name) => inputs[name] !== undefined);
  const node = [
    ...upTo(INPUTS, given).flatMap((name) => text(1, name)),
    ...upTo(OUTPUTS, outputs).flatMap((name) => text(2, name)),
    ...text(4, 'Attention'),
    ...Object.entries(attributes).flatMap(([name, value]) => message(5, attribute(name, value as number))),
  ];
  const graph = [
    ...message(1, node),
    ...text(2, 'attention'),
    ...given.flatMap((name) => message(11, valueInfo(name, inputs[name]!))),
    ...outputs.flatMap((name) => message(12, valueInfo(name, 'float32'))),
  ];
  const domain = integer(2, opset); // of the default domain, whose name is empty
  return Uint8Array.from([...integer(1, IR_VERSION), ...message(7, graph), ...message(8, domain)]);
}

/** Of onnx 1.18, the release of opset 23. */
const IR_VERSION = 11;

/** The names up to the last that is wanted; the others of them are empty. */
function upTo<Name extends string>(all: readonly Name[], wanted: readonly Name[]): string[] {
  const last = Math.max(...wanted.map((name) => all.indexOf(name)));
  return all.slice(0, last + 1).map((name) => (wanted.includes(name) ? name : ''));
}

/** AttributeProto: name 1, f 2 or i 3, type 20 (FLOAT 1, INT 2). */
function attribute(name: string, value: number): number[] {
  const float = FLOATS.includes(name);
  return [
    ...text(1, name),
    ...(float ? fixed32(2, value) : integer(3, value)),
    ...integer(20, float ? 1 : 2),
  ];
}

/** ValueInfoProto: name 1, type 2; TypeProto: tensor_type 1; its elem_type 1. */
function valueInfo(name: string, element: Element): number[] {
  return [...text(1, name), ...message(2, message(1, integer(1, ELEMENTS[element])))];
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
function integer(field: number, value: number): number[] {
  return [...tag(field, 0), ...varint(BigInt(value))];
}

function message(field: number, bytes: readonly number[]): number[] {
  return [...tag(field, 2), ...varint(BigInt(bytes.length)), ...bytes];
}

function text(field: number, value: string): number[] {
  return message(field, [...new TextEncoder().encode(value)]);
}

function fixed32(field: number, value: number): number[] {
  return [...tag(field, 5), ...new Uint8Array(Float32Array.of(value).buffer)];
}
