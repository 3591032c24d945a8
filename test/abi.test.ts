/**
 * What host and kernels have agreed on: where each descriptor field lies, what a module exports and imports; and what
 * the shipped bytes may weigh.
 *
 * @node it compares files, and no kernel computes anything
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ABI_VERSION, BQ, MC } from '../common/abi.ts';
import {
  ATTENTION_ARGS,
  APPEND_ARGS,
  APPEND_ITEM,
  ATTENTION_ITEM,
  COMBINE_ITEM,
  GEMM_ARGS,
  GEMM_ITEM,
  writeAppendArgs,
  MERGE_ARGS,
  MERGE_ITEM,
  ROPE_ARGS,
  ROPE_ITEM,
  SEQUENCE,
  SEQUENCE_BYTES,
  writeAttentionAddresses,
  writeAttentionItems,
  writeAttentionShape,
  writeGemmArgs,
  writeMergeArgs,
  writeRopeArgs,
  writeSequence,
} from '../src/descriptor.ts';
import { TOKENS, attentionItems, gemmItems, tokenItems, type Items } from '../src/items.ts';
import type { Words } from '../src/memory/words.ts';
import type { KernelExports } from '../src/wasm/exports.ts';
import { BUILDS, bytesOf } from '../src/wasm/inlined.ts';
import { builds, testingModule, type Build } from './builds.ts';

function pathOf(file: string): URL {
  return new URL(`../${file}`, import.meta.url);
}

function exportsOf(module: WebAssembly.Module): WebAssembly.Exports {
  const env = { memory: new WebAssembly.Memory({ initial: 1 }), abort: () => undefined };
  return new WebAssembly.Instance(module, { env }).exports;
}

/** The classes of assembly/args.ts, by the fields that the host knows. */
const classes: readonly (readonly [name: string, fields: readonly string[]])[] = [
  ['AttentionArgs', ATTENTION_ARGS],
  ['AppendArgs', APPEND_ARGS],
  ['AppendItem', APPEND_ITEM],
  ['GemmArgs', GEMM_ARGS],
  ['AttentionItem', ATTENTION_ITEM],
  ['CombineItem', COMBINE_ITEM],
  ['GemmItem', GEMM_ITEM],
  ['RopeArgs', ROPE_ARGS],
  ['RopeItem', ROPE_ITEM],
  ['MergeArgs', MERGE_ARGS],
  ['MergeItem', MERGE_ITEM],
];

/** Field i holds i + 1. */
function numbered<Field extends string>(fields: readonly Field[]): Record<Field, number> {
  return Object.fromEntries(fields.map((field, i) => [field, i + 1])) as Record<Field, number>;
}

describe.each(builds)('descriptors, %s', (build) => {
  const globals = exportsOf(testingModule(build));
  const valueOf = (name: string) => Number((globals[name] as WebAssembly.Global | undefined)?.value);
  /** Fields as the kernels were compiled with them, by offset. */
  const compiled = (name: string) =>
    Object.keys(globals)
      .filter((key) => key.startsWith(`${name}_`) && key !== `${name}_size`)
      .sort((a, b) => valueOf(a) - valueOf(b))
      .map((key) => key.slice(name.length + 1));

  it.each(classes)('%s: the same fields in the same order, four bytes each', (name, fields) => {
    expect(compiled(name)).toEqual(fields);
    expect(fields.map((field) => valueOf(`${name}_${field}`))).toEqual(fields.map((_, i) => 4 * i));
    expect(valueOf(`${name}_size`)).toBe(4 * fields.length);
  });

  /** Writes a descriptor, reads what the kernels read, and looks whether anything beside it has changed. */
  const expectNothingElse = (
    name: string,
    write: (words: Words, at: number) => void,
    read: (view: DataView, addressOf: (field: string) => number) => void,
  ) => {
    const address = 512;
    const bytes = new Uint8Array(1024).fill(0xee);
    const words = {
      u8: bytes,
      u32: new Uint32Array(bytes.buffer),
      f32: new Float32Array(bytes.buffer),
      f64: new Float64Array(bytes.buffer),
    };
    write(words, address);
    read(new DataView(bytes.buffer), (field) => address + valueOf(`${name}_${field}`));
    bytes.fill(0xee, address, address + valueOf(`${name}_size`));
    expect(bytes.every((byte) => byte === 0xee)).toBe(true);
  };

  /** Writes a descriptor whose fields are numbered, and reads each where the kernels do; nothing else may change. */
  const expectWritten = (
    name: string,
    fields: readonly string[],
    write: (words: Words, at: number) => void,
  ) => {
    expectNothingElse(name, write, (view, addressOf) => {
      for (const [i, field] of fields.entries()) {
        const at = addressOf(field);
        // The fields that are not integers.
        const value = /scale$|^cap/i.test(field) ? view.getFloat32(at, true) : view.getUint32(at, true);
        expect(value, field).toBe(i + 1);
      }
    });
  };

  it('AttentionArgs: written where it is read', () => {
    expectWritten('AttentionArgs', ATTENTION_ARGS, (words, at) => {
      const args = numbered(ATTENTION_ARGS);
      const { sequences, items, parts, combines, half, tile } = args;
      writeAttentionShape(words, at, args);
      writeAttentionAddresses(words, at, args, sequences, parts, combines, half, tile);
      writeAttentionItems(words, at, items);
    });
  });

  it.each([
    // offset, before, after → the first key that query 0 sees, the first that it does not; the nearest int32
    [100, 30, 7, 70, 108],
    [-5, 0, 0, -5, -4],
    [0, Infinity, Infinity, -(2 ** 31), 2 ** 31 - 1],
    [3e9, 1, 2, 2 ** 31 - 1, 2 ** 31 - 1],
    [-3e9, 1, 2, -(2 ** 31), -(2 ** 31)],
  ])('Sequence: offset %d, window %d, %d', (offset, before, after, start, stop) => {
    const given = { offset, firstQuery: 11, firstKey: 12, keys: 13 };
    expect(valueOf('Sequence_size')).toBe(SEQUENCE_BYTES);
    expectNothingElse(
      'Sequence',
      (words, at) => {
        writeSequence(words, at, given, before, after);
      },
      (view, addressOf) => {
        expect(view.getFloat64(addressOf('offset'), true)).toBe(offset);
        const fields = SEQUENCE.slice(1).map((field) => [field, view.getInt32(addressOf(field), true)]);
        const expected = { start, stop, firstQuery: 11, firstKey: 12, keys: 13, unused: 0 };
        expect(Object.fromEntries(fields)).toEqual(expected);
      },
    );
  });

  it('AppendArgs: written where it is read', () => {
    expectWritten('AppendArgs', APPEND_ARGS, (words, at) => {
      writeAppendArgs(words, at, numbered(APPEND_ARGS));
    });
  });

  it('GemmArgs: written where it is read', () => {
    expectWritten('GemmArgs', GEMM_ARGS, (words, at) => {
      writeGemmArgs(words, at, numbered(GEMM_ARGS));
    });
  });

  it('RopeArgs: written where it is read', () => {
    expectWritten('RopeArgs', ROPE_ARGS, (words, at) => {
      writeRopeArgs(words, at, numbered(ROPE_ARGS));
    });
  });

  it('MergeArgs: written where it is read', () => {
    expectWritten('MergeArgs', MERGE_ARGS, (words, at) => {
      writeMergeArgs(words, at, numbered(MERGE_ARGS));
    });
  });

  /** A table of items as it goes into memory. */
  const written = (items: Items, fields: number): number[] => {
    const u32 = new Uint32Array(items.count * fields);
    items.write(u32, 0);
    return [...u32];
  };

  /** The values that a field takes over a table of items, where the kernels read it. */
  const valuesOf = (name: string, field: string, items: readonly number[]) => {
    const [at, size] = [`${name}_${field}`, `${name}_size`].map((key) => valueOf(key) / 4);
    return [...new Set(items.filter((_, i) => i % size! === at))].sort((a, b) => a - b);
  };

  it('AttentionItem: a table as it is read', () => {
    // Groups of two heads, eight queries more than fill a block: the last query of the first block is BQ / 2 − 1.
    const seqQ = BQ / 2 + 8;
    const sequence = (b: number) => ({
      ...{ queries: seqQ, keys: seqQ + 10, firstQuery: 0, firstKey: 0 },
      offset: b === 0 ? 10 : 1,
    });
    const shape = {
      batch: 2,
      heads: 6,
      kvHeads: 3,
      seqQ,
      seqK: seqQ + 10,
      packed: false,
      totalQ: 2 * seqQ,
      sinks: undefined,
      before: Infinity,
      after: 0,
      sequence,
    };
    const items = written(attentionItems(shape), ATTENTION_ITEM.length);
    const expected = {
      batch: [0, 1],
      head: [0, 1, 2],
      q0: [0, BQ],
      rows: [16, BQ],
      k0: [0],
      k1: [seqQ - 7, seqQ + 1, seqQ + 2, seqQ + 10],
      part: [0xffffffff],
    };
    const actual = ATTENTION_ITEM.map((field) => [field, valuesOf('AttentionItem', field, items)]);
    expect(Object.fromEntries(actual)).toEqual(expected);
  });

  it('GemmItem: a table as it is read', () => {
    const items = written(gemmItems(2, MC + 4, 8), GEMM_ITEM.length);
    const expected = { batch: [0, 1], m0: [0, MC], rows: [4, MC], n0: [0], cols: [8] };
    const actual = GEMM_ITEM.map((field) => [field, valuesOf('GemmItem', field, items)]);
    expect(Object.fromEntries(actual)).toEqual(expected);
  });

  it('RopeItem: a table as it is read', () => {
    const items = written(tokenItems(2, TOKENS + 3), ROPE_ITEM.length);
    const expected = { batch: [0, 1], token0: [0, TOKENS], tokens: [3, TOKENS] };
    const actual = ROPE_ITEM.map((field) => [field, valuesOf('RopeItem', field, items)]);
    expect(Object.fromEntries(actual)).toEqual(expected);
  });

  it('MergeItem: a table as it is read', () => {
    const items = written(tokenItems(2, TOKENS + 5), MERGE_ITEM.length);
    const expected = { batch: [0, 1], q0: [0, TOKENS], rows: [5, TOKENS] };
    const actual = MERGE_ITEM.map((field) => [field, valuesOf('MergeItem', field, items)]);
    expect(Object.fromEntries(actual)).toEqual(expected);
  });
});

/** The whole of KernelExports, each with the number of its arguments: the type lets none be left out or added. */
type Arities = {
  [K in keyof KernelExports]: KernelExports[K] extends (...args: infer A) => unknown ? A['length'] : 'global';
};
const surface: Arities = {
  abi: 'global',
  relaxed: 'global',
  attention: 4,
  decode: 4,
  combine: 4,
  append: 4,
  weights: 4,
  gemm: 4,
  pack: 4,
  attentionScratch: 1,
  gemmScratch: 1,
  partBytes: 1,
  rope: 4,
  ropeFrequencies: 4,
  ropeScratch: 1,
  merge: 4,
  mergeScratch: 1,
  rowsAdd: 13,
  multiplyAdd: 3,
  heapBase: 0,
};

describe.each(builds)('the shipped module, %s', (build) => {
  const module = new WebAssembly.Module(readFileSync(pathOf(`build/${build}.wasm`)));

  it('exports what src/wasm/exports.ts says, and its memory', () => {
    const kernels = exportsOf(module);
    const actual = Object.entries(kernels).map(([name, value]) => {
      const kind = value instanceof WebAssembly.Global ? 'global' : 'memory';
      return [name, typeof value === 'function' ? value.length : kind] as const;
    });
    expect(Object.fromEntries(actual)).toEqual({ ...surface, memory: 'memory' });
  });

  it('speaks the ABI of the host, in its testing form too', () => {
    for (const one of [module, testingModule(build)]) {
      expect((exportsOf(one) as KernelExports).abi.value).toBe(ABI_VERSION);
    }
  });

  it('says which build it is', () => {
    expect((exportsOf(module) as KernelExports).relaxed.value).toBe(build === 'relaxed' ? 1 : 0);
  });

  it('imports its memory and nothing else', () => {
    // No `abort` either: without assertions nothing in it can fail.
    const imports = WebAssembly.Module.imports(module).map(({ module: from, name }) => `${from}.${name}`);
    expect(imports).toEqual(['env.memory']);
  });

  it('exports every kernel by its name in its testing form', () => {
    const names = WebAssembly.Module.exports(testingModule(build)).map(({ name }) => name);
    const kernels = readdirSync(pathOf('assembly/kernels')).flatMap((file) => {
      const source = readFileSync(pathOf(`assembly/kernels/${file}`), 'utf8');
      return [...source.matchAll(/^export function (f(?:16|32)\w+)/gm)].map((match) => match[1]);
    });
    expect(kernels.length).toBeGreaterThan(0);
    expect(names).toEqual(expect.arrayContaining(kernels));
  });
});

describe.each(BUILDS)('the shipped bytes, %s', (build: Build) => {
  it('are those that are inlined, at most 40 KB', () => {
    const bytes = readFileSync(pathOf(`build/${build}.wasm`));
    expect(bytes.length).toBeLessThanOrEqual(40 * 1024);
    expect(Buffer.compare(bytesOf(build), bytes)).toBe(0);
  });
});
