/**
 * How a golden is computed: a call of one operation, of one member or of a batch of them. Members differ in their numbers, and where
 * an option is a function in that, too. Operands of one name have the same numbers in all calls, so that two calls whose options
 * differ give the same bits only where the difference has none.
 *
 * Numbers are made of integers by what IEEE 754 rounds in one way only: no Math.sin, no Math.exp.
 */
import { floats } from './floats.mjs';

/** Less than a block of columns, of 64 rows and of 96 keys more than one. */
const ATTENTION = { seqQ: 90, seqK: 210, heads: 3, headDim: 36, valueDim: 40 };
/** More than one block of 256 steps. */
const MATMUL = { M: 90, N: 150, K: 300 };

const same = (x) => x;

/** A name's own numbers, of one member. */
function numbers(name, member, count) {
  let seed = member;
  for (const character of name) seed = Math.imul(seed, 31) + character.charCodeAt(0);
  return floats(count, seed);
}

/** The same of all members, one behind the other; `change` makes others of each member's. */
function operand(name, members, count, change = same) {
  const all = new Float32Array(members.length * count);
  for (const [i, member] of members.entries()) all.set(change(numbers(name, member, count), name), i * count);
  return all;
}

/** Options as they are for these members. */
function optionsOf(options, members) {
  const settled = Object.entries(options).map(([name, value]) => {
    return [name, typeof value === 'function' ? members.map(value) : value];
  });
  return { ...Object.fromEntries(settled), batch: members.length };
}

/** What is the same for all members. */
export const side = (name, count) => numbers(name, 0, count);
/** Bytes of a mask, of which three of four are set. */
export const maskOf = (name, count) => Uint8Array.from(side(name, count), (x) => x > -0.5);
/** All of an operand by a factor. A power of two rounds nothing but what becomes subnormal. */
export const times = (factor) => (x) => x.map((value) => value * factor);
/** Puts values where they are told to be in operands of these names. */
export const having = (values) => (x, name) => {
  for (const [at, value] of values[name] ?? []) x[at] = value;
  return x;
};

/** Attention, with the logSumExp, also asynchronously. */
export function attention(name, options = {}, change = same) {
  const shape = { ...ATTENTION, ...options };
  return {
    name: `attention, ${name}`,
    later: true,
    async run({ engine, members, how }) {
      const { seqQ, seqK, heads, kvHeads = heads, headDim, valueDim } = shape;
      const q = operand('q', members, seqQ * heads * headDim, change);
      const k = operand('k', members, seqK * kvHeads * headDim, change);
      const v = operand('v', members, seqK * kvHeads * valueDim, change);
      const logSumExp = new Float32Array(members.length * heads * seqQ);
      const out = await engine[`attention${how}`](q, k, v, { ...optionsOf(shape, members), logSumExp });
      return [out, logSumExp];
    },
  };
}

/** Packed sequences, of each member as many and as long ones. */
export function packed(name, lengths, options = {}) {
  const total = lengths.reduce((a, b) => a + b, 0);
  const { heads, headDim } = ATTENTION;
  return {
    name: `attention, packed, ${name}`,
    later: true,
    async run({ engine, members, how }) {
      const [q, k, v] = ['q', 'k', 'v'].map((each) => operand(each, members, total * heads * headDim));
      let end = 0;
      const cuSeqlensQ = Int32Array.from([0, ...members.flatMap(() => lengths.map((each) => (end += each)))]);
      return [await engine[`attention${how}`](q, k, v, { cuSeqlensQ, heads, headDim, ...options })];
    },
  };
}

/** Attention with all that can be looked at. */
export function weights(name, options = {}) {
  const shape = { ...ATTENTION, ...options };
  return {
    name: `attentionWeights, ${name}`,
    run({ engine, members }) {
      const { seqQ, seqK, heads, headDim, valueDim } = shape;
      const q = operand('q', members, seqQ * heads * headDim);
      const k = operand('k', members, seqK * heads * headDim);
      const v = operand('v', members, seqK * heads * valueDim);
      const { out, weights, logSumExp } = engine.attentionWeights(q, k, v, optionsOf(shape, members));
      return [out, weights, logSumExp];
    },
  };
}

/** matmul, also asynchronously. `b`: each product's 'own', one 'shared' by all, or that one 'packed'. */
export function matmul(name, { b = 'own', ...options } = {}, change = same) {
  const { transposeB, ...rest } = { ...MATMUL, ...options };
  const { M, N, K } = rest;
  return {
    name: `matmul, ${name}`,
    later: true,
    async run({ engine, members, how }) {
      const A = operand('a', members, M * K, change);
      const B = operand('b', b === 'own' ? members : [0], K * N, change);
      const batch = members.length;
      if (b !== 'packed') return [await engine[`matmul${how}`](A, B, { ...rest, transposeB, batch })];
      const matrix = engine.packMatrix(B, { K, N, transposeB });
      const out = await engine[`matmul${how}`](A, matrix, { ...rest, batch });
      matrix.dispose();
      return [out];
    },
  };
}

/** Tensors in the place of arrays, of these shapes for one member; `call` makes one of them. */
export function tensors(name, shapes, call) {
  return {
    name: `${name}, tensors`,
    run({ engine, members }) {
      const scope = engine.scope();
      const given = Object.entries(shapes).map(([each, [, ...shape]]) => {
        const count = shape.reduce((a, b) => a * b);
        return scope.tensor([members.length, ...shape], operand(each, members, count));
      });
      const out = call(scope, ...given).data.slice();
      scope.dispose();
      return [out];
    },
  };
}

export function rope(name, options = {}) {
  const shape = { seq: 130, heads: 4, headDim: 48, ...options };
  return {
    name: `rope, ${name}`,
    run({ engine, members }) {
      const { seq, heads, headDim } = shape;
      const x = operand('x', members, seq * heads * headDim);
      const { positions, ...rest } = optionsOf(shape, members);
      if (positions !== undefined) rest.positions = Int32Array.from(positions.flat());
      return [engine.rope(x, rest)];
    },
  };
}

export function merge(name, parts, options = {}, change = same) {
  const shape = { seqQ: 130, heads: 4, valueDim: 44, ...options };
  return {
    name: `mergeAttention, ${name}`,
    run({ engine, members }) {
      const rows = shape.seqQ * shape.heads;
      const given = Array.from({ length: parts }, (_, part) => ({
        out: operand(`o${part}`, members, rows * shape.valueDim),
        logSumExp: operand(`l${part}`, members, rows, (x, name) => change(times(8)(x), name)),
      }));
      const { out, logSumExp } = engine.mergeAttention(given, optionsOf(shape, members));
      return [out, logSumExp];
    },
  };
}

/** Tokens into a cache in two steps, and what the last ones see of them. */
export function cache(name, options, { heads = 4, seqQ = 40, ...attend } = {}) {
  const shape = { kvHeads: 2, headDim: 36, valueDim: 40, capacity: 288, ...options };
  return {
    name: `cache, ${name}`,
    run({ engine, members }) {
      const { kvHeads, headDim, valueDim } = shape;
      const made = engine.kvCache({ ...shape, batch: members.length });
      for (const [step, tokens] of [
        ['1', 190],
        ['2', 80],
      ]) {
        const k = operand(`k${step}`, members, tokens * kvHeads * headDim);
        made.append(k, operand(`v${step}`, members, tokens * kvHeads * valueDim));
      }
      const q = operand('q', members, seqQ * heads * headDim);
      const out = made.attend(q, { heads, seqQ, ...attend });
      made.dispose();
      return [out];
    },
  };
}

/** A pass of a layer, also asynchronously; with `inspects` all that can be looked at. */
export function layer(name, shape, { seqQ = 70, context, cached, inspects = false, ...options } = {}) {
  const { modelDim = 72, heads = 4, kvHeads = heads, contextDim = modelDim, ...rest } = shape;
  const headDim = 18;
  return {
    name: `layer, ${name}`,
    later: !inspects,
    async run({ heed, engine, members, how }) {
      const matrix = (each, rows, columns) => times(0.25)(side(each, rows * columns));
      const mha = new heed.MultiHeadAttention({
        ...{ modelDim, heads, kvHeads, contextDim, headDim, engine, ...rest },
        weights: {
          wq: matrix('wq', heads * headDim, modelDim),
          wk: matrix('wk', kvHeads * headDim, contextDim),
          wv: matrix('wv', kvHeads * headDim, contextDim),
          wo: matrix('wo', modelDim, heads * headDim),
          bq: side('bq', heads * headDim),
          bo: side('bo', modelDim),
        },
      });
      const x = operand('x', members, seqQ * modelDim);
      const pass = { ...optionsOf(options, members), seqQ };
      if (context !== undefined) {
        pass.seqK = context;
        pass.context = operand('c', members, context * contextDim);
      }
      const held =
        cached && engine.kvCache({ batch: members.length, kvHeads, headDim, capacity: 192, ...cached });
      if (held) {
        pass.cache = held;
        // Two passes: the second sees the tokens of the first.
        await mha[`forward${how}`](x, pass);
      }
      const results = inspects ? Object.values(mha.inspect(x, pass)) : [await mha[`forward${how}`](x, pass)];
      for (const each of [mha, held]) each?.dispose();
      return results;
    },
  };
}
