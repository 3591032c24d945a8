/**
 * heed: attention for JavaScript on the CPU. This file re-exports, nothing else.
 *
 * @module heed
 */
export { attention, attentionWeights } from './attention.ts';
export { matmul } from './matmul.ts';
export { mergeAttention } from './merge-attention.ts';
export { rope } from './rope.ts';
export { MultiHeadAttention } from './multi-head-attention.ts';
export { Engine } from './engine.ts';
export { createEngine, releaseMemory } from './make-engine.ts';
export { KVCache } from './kv-cache.ts';
export { Scope } from './scope.ts';
export { PackedMatrix, Tensor } from './tensor.ts';
export {
  EnvironmentError,
  HeedRangeError,
  HeedTypeError,
  KernelTrapError,
  MemoryLimitError,
  StateError,
  WorkerError,
} from './errors.ts';
export type {
  EnvironmentCode,
  ErrorDetails,
  HeedError,
  HeedErrorClass,
  HeedErrorCode,
  HeedRangeCode,
  HeedTypeCode,
  KernelTrapCode,
  MemoryLimitCode,
  MemoryLimitDetails,
  StateCode,
  WorkerCode,
} from './errors.ts';
export type { Features } from './engine.ts';
export type { Inspection } from './operations/attention.ts';
export type { MemoryUse } from './runtime.ts';
export type {
  ArrayAttentionOptions,
  ArrayMatmulOptions,
  SideInputs,
  TensorAttentionOptions,
  TensorMatmulOptions,
  TensorOut,
  TensorRopeOptions,
  Values,
} from './tensor.ts';
export type { MultiHeadAttentionOptions, PassOptions } from './multi-head-attention.ts';
export type {
  CachedForwardOptions,
  ForwardOptions,
  JoinedWeights,
  LayerOptions,
  SeparateWeights,
  WeightLayout,
} from './options/layer.ts';
export type {
  AttentionCall,
  AttentionShape,
  Layout,
  PackedOptions,
  VarlenShape,
} from './options/attention.ts';
export type { AttentionOptions, BroadcastShape, Shaped } from './options/scores.ts';
export type { AppendOptions, AttendOptions, KVCacheOptions } from './options/cache.ts';
export type { EngineOptions, WasmModule, WasmUrl } from './options/engine.ts';
export type { MatmulOptions, PackOptions } from './options/matmul.ts';
export type { Abortable, Signal } from './options/signal.ts';
export type { WorkerFactory, WorkerLike } from './threads/spawn.ts';
export type { AttentionPart, MergeShape } from './options/merge.ts';
export type { RopeOptions, TurnOptions } from './options/rope.ts';
export type { Tile } from './tile.ts';
