/** The bytes of a model, read back by an independent reader: protobuf's own library, with the schema of scripts/pp-ocr. */
import { expect, it } from 'vitest';
import { readModel } from '../../scripts/pp-ocr/onnx.mjs';
import { attentionModel } from './model.ts';

it('has the node that was asked for', () => {
  const model = attentionModel({
    opset: 24,
    attributes: { is_causal: 1, scale: 0.25, left_window_size: -1, q_num_heads: 300 },
    inputs: { Q: 'float32', K: 'float32', V: 'float32', nonpad_kv_seqlen: 'int64' },
    outputs: ['Y', 'qk_matmul_output'],
  });
  const { nodes, outputs } = readModel(model);
  expect(outputs).toEqual(['Y', 'qk_matmul_output']);
  expect(nodes).toHaveLength(1);
  const [node] = nodes;
  expect(node!.op_type).toBe('Attention');
  expect(node!.input).toEqual(['Q', 'K', 'V', '', '', '', 'nonpad_kv_seqlen']);
  expect(node!.output).toEqual(['Y', '', '', 'qk_matmul_output']);
  expect(node!.attribute.map(({ name, f, i }) => [name, f, Number(i)])).toEqual([
    ['is_causal', 0, 1],
    ['scale', 0.25, 0],
    ['left_window_size', 0, -1],
    ['q_num_heads', 0, 300],
  ]);
});
