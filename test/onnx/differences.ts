/**
 * Where onnxruntime-web 1.30.0 does otherwise than the specification of `Attention` (onnx/onnx, docs/Operators.md, with
 * onnx/reference/ops/op_attention.py where the words leave it open), or where heed does on purpose. docs/onnx.md tells
 * them in words. Keys of zeros make all scores 0, so that a result is the mean of the values that are seen.
 */
import type { Call, Mask, Tensor } from './call.ts';
import type { Output } from './model.ts';

export interface Difference {
  readonly name: string;
  readonly call: Call;
  /** What the specification says. */
  readonly specification: readonly number[];
  /** What float64 gives for keys that are masked and so not there, where the specification's own arithmetic gives NaN. */
  readonly truth?: readonly number[];
  /** What heed gives; the specification's result by default. */
  readonly heed?: readonly number[];
  /** What onnxruntime gives, or a part of its words where it refuses. */
  readonly onnxruntime: readonly number[] | string;
  /** Which output is looked at, Y by default; of the last, mode 2. */
  readonly output?: Output;
  /** Present key and value are asked for where there is a past: onnxruntime insists. Default true. */
  readonly present?: boolean;
}

/** [1, 1, values.length, 1] */
const column = (...values: number[]): Tensor => ({
  dims: [1, 1, values.length, 1],
  data: Float32Array.from(values),
});
const zeros = (length: number): Tensor => column(...new Float32Array(length));
const bool = (dims: readonly number[], ...values: number[]): Mask => ({
  dims,
  data: Uint8Array.from(values),
});
const float = (dims: readonly number[], ...values: number[]): Mask => ({
  dims,
  data: Float32Array.from(values),
});

/** Queries that like all keys equally. */
function means(queries: number, values: readonly number[], rest: Partial<Call> = {}): Call {
  return {
    opset: 24,
    attributes: {},
    Q: zeros(queries),
    K: zeros(values.length),
    V: column(...values),
    ...rest,
  };
}

/** The largest finite float, with a minus: `torch.finfo(torch.float32).min`. */
const LOWEST = -3.4028234663852886e38;
const [two, four, eight] = [
  [1, 5],
  [1, 3, 8, 20],
  [1, 3, 8, 20, 0, 64, 32, 16],
];

const mode2 = { qk_matmul_output_mode: 2 };

/** Masks of a shape that the specification lets broadcast, or fills up. */
const shapes: readonly Difference[] = [
  {
    name: 'a mask of keys alone, [seqK]',
    call: means(2, four, { attn_mask: bool([4], 1, 1, 0, 0) }),
    specification: [2, 2],
    onnxruntime: 'attn_mask must be 2D or 3D or 4D',
  },
  {
    name: 'a mask of keys for all queries, [1, seqK]',
    call: means(2, four, { attn_mask: bool([1, 4], 1, 1, 0, 0) }),
    specification: [2, 2],
    onnxruntime: 'inconsistent q_sequence_length',
  },
  {
    name: 'a mask of padding, [batch, 1, 1, seqK]',
    call: means(2, four, { attn_mask: bool([1, 1, 1, 4], 1, 1, 0, 0) }),
    specification: [2, 2],
    onnxruntime: 'inconsistent q_sequence_length',
  },
  {
    name: 'a bool mask of fewer keys than there are: the others are not seen',
    call: means(1, four, { attn_mask: bool([1, 2], 1, 1) }),
    specification: [2],
    onnxruntime: 'inconsistent total_sequence_length',
  },
  {
    name: 'a float mask of fewer keys, beside lengths',
    call: means(1, four, { attn_mask: float([1, 2], 0, 0), nonpad_kv_seqlen: [2] }),
    specification: [2],
    onnxruntime: 'inconsistent total_sequence_length',
  },
  {
    name: 'a mask of one key is filled up, not broadcast',
    call: means(2, four, { attn_mask: bool([2, 1], 1, 1) }),
    specification: [1, 1],
    onnxruntime: 'inconsistent total_sequence_length',
  },
];

const numbers: readonly Difference[] = [
  {
    name: 'causal, one query, a past and several keys: the later ones are seen',
    call: means(1, eight.slice(3), {
      attributes: { is_causal: 1 },
      ...{ past_key: zeros(3), past_value: column(...eight.slice(0, 3)) },
    }),
    specification: [8], // the past and the first key: 1, 3, 8, 20
    onnxruntime: [18], // all eight
  },
  {
    name: 'a masked key whose score is far above the visible one’s wins',
    call: {
      ...means(1, two, { attributes: { scale: 1 }, attn_mask: bool([1, 2], 1, 0) }),
      ...{ Q: column(1e19), K: column(-2e19, 2e19) },
    },
    specification: [1],
    onnxruntime: [5],
  },
  {
    name: 'a masked key in qk_matmul_output, mode 2',
    call: means(1, two, { attributes: mode2, attn_mask: bool([1, 2], 1, 0) }),
    output: 'qk_matmul_output',
    specification: [0, -Infinity],
    onnxruntime: [0, LOWEST],
  },
  {
    name: 'a key that causal hides in qk_matmul_output, mode 2',
    call: means(1, two, { attributes: { ...mode2, is_causal: 1 } }),
    output: 'qk_matmul_output',
    specification: [0, -Infinity],
    onnxruntime: [0, LOWEST],
  },
  {
    name: 'a key beyond the length in qk_matmul_output, mode 2',
    call: means(1, two, { attributes: mode2, nonpad_kv_seqlen: [1] }),
    output: 'qk_matmul_output',
    specification: [0, -Infinity],
    onnxruntime: [0, LOWEST],
  },
  {
    name: 'a product beyond float32, brought back by the scale',
    call: { ...means(1, two, { attributes: { scale: 2 ** -40 } }), Q: column(1e25), K: column(1e15, 0) },
    specification: [1],
    onnxruntime: [NaN],
  },
  {
    name: 'keys of −∞ alone',
    call: { ...means(1, two), Q: column(1), K: column(-Infinity, -Infinity) },
    specification: [0], // the function body: NaN
    onnxruntime: [NaN],
  },
  {
    name: 'a row whose mask is the lowest float throughout',
    call: means(2, four, { attn_mask: float([2, 4], LOWEST, LOWEST, LOWEST, LOWEST, 0, 0, 0, 0) }),
    specification: [8, 8],
    heed: [0, 8],
    onnxruntime: [0, 8],
  },
  {
    name: 'a row whose mask is −3e38 throughout',
    call: means(2, four, { attn_mask: float([2, 4], -3e38, -3e38, -3e38, -3e38, 0, 0, 0, 0) }),
    specification: [8, 8],
    heed: [0, 8],
    onnxruntime: [8, 8],
  },
];

const nans: readonly Difference[] = [
  {
    name: 'NaN in a masked key',
    call: { ...means(1, two, { attn_mask: bool([1, 2], 1, 0) }), K: column(0, NaN) },
    specification: [NaN],
    truth: [1],
    heed: [1],
    onnxruntime: [NaN],
  },
  {
    name: 'NaN in the value of a masked key',
    call: means(1, [1, NaN], { attn_mask: bool([1, 2], 1, 0) }),
    specification: [NaN],
    truth: [1],
    heed: [1],
    onnxruntime: [NaN],
  },
  {
    name: 'NaN in a key that causal hides',
    call: { ...means(1, two, { attributes: { is_causal: 1 } }), K: column(0, NaN) },
    specification: [NaN],
    truth: [1],
    heed: [1],
    onnxruntime: [NaN],
  },
  {
    name: 'NaN in a key beyond the length',
    call: { ...means(1, two, { nonpad_kv_seqlen: [1] }), K: column(0, NaN) },
    specification: [NaN],
    truth: [1],
    heed: [1],
    onnxruntime: [1],
  },
  {
    name: 'NaN in a value beyond the length',
    call: means(1, [1, NaN], { nonpad_kv_seqlen: [1] }),
    specification: [NaN],
    truth: [1],
    heed: [1],
    onnxruntime: [NaN],
  },
  {
    name: 'a row that sees nothing, values of NaN',
    call: means(1, [NaN, NaN], { attn_mask: bool([1, 2], 0, 0) }),
    specification: [NaN],
    truth: [0],
    heed: [0],
    onnxruntime: [NaN],
  },
];

const refusals: readonly Difference[] = [
  {
    name: 'scale 0',
    call: { ...means(1, four, { attributes: { scale: 0 } }), Q: column(1), K: column(1, 2, 3, 4) },
    specification: [8],
    onnxruntime: 'scale must be greater than 0',
  },
  {
    name: 'a negative scale',
    call: { ...means(1, two, { attributes: { scale: -1 } }), Q: column(1), K: column(200, 0) },
    specification: [NaN], // its square root
    truth: [5],
    heed: [5],
    onnxruntime: 'scale must be greater than 0',
  },
  {
    name: 'a past without the present as an output',
    call: means(1, four.slice(2), {
      opset: 23, // opset 24 says that all four belong together
      ...{ past_key: zeros(2), past_value: column(...four.slice(0, 2)) },
    }),
    present: false,
    specification: [8],
    onnxruntime: 'does not support past_key provided and present_key being null',
  },
  {
    name: 'no queries',
    call: means(0, two),
    specification: [],
    onnxruntime: 'Q sequence length must be greater than 0',
  },
  {
    name: 'no keys', // the specification does not say; its reference cannot take the maximum of nothing
    call: means(1, []),
    specification: [0],
    onnxruntime: 'KV sequence length must be greater than 0',
  },
  {
    name: 'left_window_size of opset 25',
    call: means(4, eight, { opset: 25, attributes: { left_window_size: 0, right_window_size: 0 } }),
    specification: [1, 3, 8, 20],
    onnxruntime: 'Unrecognized attribute: left_window_size',
  },
  {
    name: 'opset 27',
    call: means(1, two, { opset: 27 }),
    specification: [3],
    onnxruntime:
      'ONNX Runtime only *guarantees* support for models stamped with official released onnx opset versions',
  },
];

export const differences: readonly Difference[] = [...shapes, ...numbers, ...nans, ...refusals];
