/**
 * Launches attention, and its weights. Few queries go to the decoding driver, whose items may split the keys.
 *
 *   room: | items of prefill | of decoding | of the weights | sequences | combine items | parts | scratch, for each thread |
 *
 * Each driver has items of its own, as several threads run what was written down for all of them.
 */
import { FULL, HALF, HALF_SPECIAL } from '../../common/abi.ts';
import { ATTENTION_ITEM, COMBINE_ITEM, SEQUENCE_BYTES } from '../descriptor.ts';
import {
  writeAttentionAddresses,
  writeAttentionItems,
  writeAttentionShape,
  writeSequence,
} from '../descriptor.ts';
import type { AttentionOperands } from '../descriptor.ts';
import {
  NONE,
  all,
  attentionItems,
  decodeItems,
  decodes,
  many,
  prefills,
  type Decoding,
  type Items,
} from '../items.ts';
import { align } from '../memory/allocator.ts';
import type { AttentionProblem } from '../options/attention.ts';
import type { BroadcastShape } from '../options/scores.ts';
import type { Recent } from '../recent.ts';
import type { Runtime } from '../runtime.ts';
import { TILES } from '../tile.ts';
import type { Driver } from '../wasm/exports.ts';
import type { Launch } from './launch.ts';

/** Largest float32. */
const MAX = 3.4028234663852886e38;

/** Those of operands that are not wanted, or not given, are 0. */
export interface AttentionAddresses extends AttentionOperands {
  /** ∞ or NaN came among the float16 numbers of a cache after the launch was made. */
  readonly special: boolean;
}

/** Attention; with `inspect` its weights. `again`: the launch of a call before, where that had this problem. */
export function launchAttention(
  runtime: Runtime,
  op: string,
  problem: AttentionProblem,
  threads = 1,
  inspect = false,
  again = false,
): Launch<AttentionAddresses> {
  if (!again) return new AttentionLaunch(runtime, op, problem, threads, inspect);
  const { all: kept } = runtime.attentions as Recent<AttentionLaunch>;
  for (let i = 0; i < kept.length; i++) if (kept[i]!.isOf(op, problem, threads)) return kept[i]!;
  const launch = new AttentionLaunch(runtime, op, problem, threads, inspect);
  runtime.attentions.keep(launch);
  return launch;
}

let launches = 0;

class AttentionLaunch implements Launch<AttentionAddresses> {
  readonly bytes: number;
  readonly #number = ++launches;
  readonly #runtime: Runtime;
  readonly #op: string;
  readonly #problem: AttentionProblem;
  readonly #threads: number;
  readonly #items: Items;
  readonly #decoding: Decoding;
  readonly #weights: Items;
  /** Where in the room they are. */
  readonly #decodes: number;
  readonly #weighs: number;
  readonly #sequences: number;
  readonly #combines: number;
  readonly #parts: number;
  readonly #scratch: number;
  readonly #slab: number;

  constructor(runtime: Runtime, op: string, problem: AttentionProblem, threads: number, inspect: boolean) {
    const { batch } = problem;
    const descriptor = runtime.attentionDescriptor;
    writeShape(runtime, problem);
    runtime.attentionShape = this.#number;
    const items = prefills(problem) ? attentionItems(problem, many, threads) : NONE;
    const decoding = decodes(problem) ? decodeItems(problem) : NO_DECODING;
    // Their driver sees all keys of a row at once, of either family.
    const weights = inspect ? attentionItems(problem, all, threads) : NONE;
    const count = items.count + decoding.items.count + weights.count;
    const partBytes = decoding.parts > 0 ? runtime.kernels.partBytes(descriptor) : 0;
    const decodesAt = 4 * ATTENTION_ITEM.length * items.count;
    const weighs = decodesAt + 4 * ATTENTION_ITEM.length * decoding.items.count;
    const sequences = align(weighs + 4 * ATTENTION_ITEM.length * weights.count);
    const combines = sequences + align(SEQUENCE_BYTES * batch);
    const parts = combines + align(4 * COMBINE_ITEM.length * decoding.combine.count);
    const scratch = parts + align(decoding.parts * partBytes);
    const slab = align(runtime.kernels.attentionScratch(descriptor));
    this.bytes = count > 0 ? scratch + threads * slab : 0;
    this.#runtime = runtime;
    this.#op = op;
    this.#problem = problem;
    this.#items = items;
    this.#threads = threads;
    this.#decoding = decoding;
    this.#weights = weights;
    this.#decodes = decodesAt;
    this.#weighs = weighs;
    this.#sequences = sequences;
    this.#combines = combines;
    this.#parts = parts;
    this.#scratch = scratch;
    this.#slab = slab;
  }

  /** Whether another call needs the same. */
  isOf(op: string, problem: AttentionProblem, threads: number): boolean {
    return problem === this.#problem && op === this.#op && threads === this.#threads;
  }

  run(addresses: AttentionAddresses, room: number): void {
    if (this.bytes === 0) return;
    const { words, kernels, attentionDescriptor } = this.#runtime;
    const { batch, sequence, before, after, cache } = this.#problem;
    if (this.#runtime.attentionShape !== this.#number) {
      writeShape(this.#runtime, this.#problem);
      this.#runtime.attentionShape = this.#number;
    }
    const decoding = this.#decoding;
    const sequences = room + this.#sequences;
    const combines = room + this.#combines;
    const half = cache?.half ? (cache.special || addresses.special ? HALF_SPECIAL : HALF) : FULL;
    const parts = room + this.#parts;
    const tile = TILES[this.#runtime.tile];
    writeAttentionAddresses(words, attentionDescriptor, addresses, sequences, parts, combines, half, tile);
    for (let b = 0; b < batch; b++) {
      writeSequence(words, sequences + SEQUENCE_BYTES * b, sequence(b), before, after);
    }
    this.#drive(kernels.attention, this.#items, room, room);
    this.#drive(kernels.decode, decoding.items, room + this.#decodes, room);
    this.#drive(kernels.combine, decoding.combine, combines, room);
    this.#drive(kernels.weights, this.#weights, room + this.#weighs, room);
  }

  /** Writes a table of items at `at`, and runs them. */
  #drive(driver: Driver, items: Items, at: number, room: number): void {
    if (items.count === 0) return;
    const runtime = this.#runtime;
    const { words, attentionDescriptor } = runtime;
    items.write(words.u32, at >>> 2);
    writeAttentionItems(words, attentionDescriptor, at);
    runtime.run(this.#op, driver, attentionDescriptor, items.count, room + this.#scratch, this.#slab);
  }
}

/** What of the descriptor is known before there are addresses. */
function writeShape(runtime: Runtime, problem: AttentionProblem): void {
  const { heads, kvHeads, seqQ, seqK, headDim, valueDim, packed, totalQ } = problem;
  const { softcap, cache, mask, bias } = problem;
  const bytes = cache?.half ? 2 : 4;
  const bshd = problem.layout === 'bshd';
  const maskSteps = mask === undefined ? NO_STEPS : mask.steps;
  const biasSteps = bias === undefined ? NO_STEPS : bias.steps;
  const scoreScale = scoreFactor(problem.scale);
  const descriptor = runtime.attentionDescriptor;
  writeAttentionShape(runtime.words, descriptor, {
    group: heads / kvHeads,
    seqQ,
    seqK,
    headDim,
    valueDim,
    scale: queryFactor(problem.scale, scoreScale),
    scoreScale,
    // A cap beyond 2.36e38 is the largest in base 2, which only scores near the end of float32's range can tell; one below
    // float32 is its smallest number, as 0 is none.
    capHalf: Math.min(Math.LN2 / softcap, MAX),
    capTwice: Math.min(2 / softcap, MAX),
    cap: softcap > 0 ? Math.max(2 ** -149, Math.min(softcap * Math.LOG2E, MAX)) : 0,
    ring: cache?.ring ? cache.capacity : 0,
    half: cache?.half ? HALF : FULL,
    qFirst: 4 * heads * headDim,
    qHead: headStep(bshd, seqQ, headDim),
    qToken: tokenStep(bshd, heads, headDim),
    kFirst: bytes * kvHeads * headDim,
    kHead: cache ? bytes * cache.capacity * headDim : headStep(bshd, seqK, headDim),
    kToken: cache ? bytes * headDim : tokenStep(bshd, kvHeads, headDim),
    vFirst: bytes * kvHeads * valueDim,
    vHead: cache ? bytes * cache.capacity * valueDim : headStep(bshd, seqK, valueDim),
    vToken: cache ? bytes * valueDim : tokenStep(bshd, kvHeads, valueDim),
    outFirst: 4 * heads * valueDim,
    outHead: headStep(bshd, seqQ, valueDim),
    outToken: tokenStep(bshd, heads, valueDim),
    logSumExpFirst: packed ? 4 : 4 * heads,
    logSumExpHead: 4 * (packed ? totalQ : seqQ),
    weightsFirst: 4 * heads * seqK,
    weightsHead: 4 * seqQ * seqK,
    maskBatch: maskSteps[0],
    maskHead: maskSteps[1],
    maskQuery: maskSteps[2],
    maskKey: maskSteps[3],
    biasBatch: 4 * biasSteps[0],
    biasHead: 4 * biasSteps[1],
    biasQuery: 4 * biasSteps[2],
    biasKey: 4 * biasSteps[3],
  });
}

const NO_DECODING: Decoding = { items: NONE, parts: 0, combine: NONE };

/** Bytes from one head to the next, and from one token to the next. */
function headStep(bshd: boolean, seq: number, dim: number): number {
  return 4 * (bshd ? dim : seq * dim);
}

function tokenStep(bshd: boolean, heads: number, dim: number): number {
  return 4 * (bshd ? heads * dim : dim);
}

/** Steps of a mask or bias that is not there. */
const NO_STEPS: BroadcastShape = [0, 0, 0, 0];

/**
 * What of scale · log₂e goes to the scores and not to the packed queries: a power of two that is 1 unless the queries' factor
 * would leave 2⁻⁶⁴ … 2⁶⁴.
 */
function scoreFactor(scale: number): number {
  const size = Math.abs(scale);
  if (size === 0 || (size >= 2 ** -64 && size < 2 ** 64)) return 1;
  const exponent = Math.floor(Math.log2(size));
  const excess = exponent - Math.max(-64, Math.min(64, exponent));
  return 2 ** Math.max(-126, Math.min(126, excess));
}

/** The rest: in base 2 the exponential is 2^x. Beyond 2⁶⁶ it stays what it is there: a score that is not 0 is infinite anyway. */
function queryFactor(scale: number, scoreScale: number): number {
  return Math.sign(scale) * Math.min((Math.abs(scale) / scoreScale) * Math.LOG2E, 2 ** 66);
}
