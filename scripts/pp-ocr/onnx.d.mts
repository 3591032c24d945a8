/** The types of what other programs than the extraction use of onnx.mjs. */

export interface Attribute {
  readonly name: string;
  readonly f: number;
  /** An int64. */
  readonly i: unknown;
}

export interface GraphNode {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly op_type: string;
  readonly attribute: readonly Attribute[];
}

export function readModel(model: Uint8Array): {
  readonly nodes: readonly GraphNode[];
  readonly outputs: readonly string[];
};
