/** An ONNX file of one `Attention` node. */
import { model, type Attribute, type Element } from './graph.ts';

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

export interface AttentionNode {
  readonly opset: number;
  readonly attributes: Attributes;
  /** What the inputs that are there are made of. */
  readonly inputs: Readonly<Partial<Record<Input, Element>>>;
  readonly outputs: readonly Output[];
}

/** The file. Shapes are not in it: a tensor brings its own. */
export function attentionModel({ opset, attributes, inputs, outputs }: AttentionNode): Uint8Array {
  const given = INPUTS.filter((name) => inputs[name] !== undefined);
  const marked = Object.entries(attributes).map(([name, value]: [string, number]): [string, Attribute] => [
    name,
    FLOATS.includes(name) ? { float: value } : value,
  ]);
  return model({
    opset,
    nodes: [
      {
        op: 'Attention',
        inputs: upTo(INPUTS, given),
        outputs: upTo(OUTPUTS, outputs),
        attributes: Object.fromEntries(marked),
      },
    ],
    inputs: Object.fromEntries(given.map((name) => [name, { element: inputs[name]! }])),
    outputs: Object.fromEntries(outputs.map((name) => [name, { element: 'float32' }])),
  });
}

/** The names up to the last that is wanted; the others of them are empty. */
function upTo<Name extends string>(all: readonly Name[], wanted: readonly Name[]): string[] {
  const last = Math.max(...wanted.map((name) => all.indexOf(name)));
  return all.slice(0, last + 1).map((name) => (wanted.includes(name) ? name : ''));
}
