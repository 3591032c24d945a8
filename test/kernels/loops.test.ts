/**
 * What stands in every hot loop of the shipped modules, read from their text: loads, stores, multiply-adds and every other
 * vector or float instruction as the table says, and nothing that a loop must not have. Static, so it holds on every machine.
 *
 * A loop is hot where it stands in a kernel or in select.ts, or loads vectors in a driver.
 *
 * @node it compares files, and no kernel computes anything
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BUILDS, type Build } from '../../src/wasm/inlined.ts';
import { innermostLoops, type Loop } from '../wat.ts';
import { TABLE, type Counts } from './loops.ts';

/** What no hot loop may have: each costs as much as many multiply-adds, and V8 keeps nothing in registers across a call. */
const FORBIDDEN = /^(call|global\.|memory\.)/;
/** On vectors or floats, and neither load, store nor constant. */
const COMPUTING = /^(v128|[if]\d+x\d+|f32|f64)\.(?!load|store|const)/;

function isHot({ place, instructions }: Loop): boolean {
  return /^(kernels|select)\//.test(place) || instructions.some((each) => each.startsWith('v128.load'));
}

function read(file: string): string {
  return readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
}

/** One line, as the differences of a failing test show it. */
function line(counts: Record<string, number>): string {
  return Object.entries(counts)
    .filter(([, n]) => n > 0)
    .map(([name, n]) => `${n} ${name}`)
    .join(', ');
}

/** What a row's counts are in the instructions of a build. */
function expected({ loads, stores, madds, muls, adds, others, constants }: Counts, build: Build): string {
  const apart = build === 'baseline' ? madds : 0;
  return line({
    loads,
    stores,
    relaxed_madd: madds - apart,
    mul: muls + apart,
    add: adds + apart,
    others,
    'v128.const': constants,
  });
}

function actual({ instructions }: Loop): string {
  const count = (pattern: RegExp) => instructions.filter((each) => pattern.test(each)).length;
  const counted = {
    loads: count(/\.load/),
    stores: count(/\.store/),
    relaxed_madd: count(/^f32x4\.relaxed_madd$/),
    mul: count(/^f32x4\.mul$/),
    add: count(/^f32x4\.add$/),
  };
  const others = count(COMPUTING) - counted.relaxed_madd - counted.mul - counted.add;
  return line({ ...counted, others, 'v128.const': count(/^v128\.const$/) });
}

describe.each(BUILDS)('hot loops, %s', (build) => {
  const loops = innermostLoops(read(`build/${build}.wat`)).filter(isHot);
  const rows = TABLE.filter(({ only }) => only === undefined || only === build);
  const places = [...new Set([...loops.map(({ place }) => place), ...rows.flatMap(({ at }) => at)])].sort();

  it.each(places)('%s: loads, stores and arithmetic as its formula says', (place) => {
    const found = loops.filter((loop) => loop.place === place).map(actual);
    const wanted = rows.flatMap(({ at, counts }) =>
      at.filter((each) => each === place).map(() => expected(counts, build)),
    );
    expect(found.sort()).toEqual(wanted.sort());
  });

  it('have no call in them, no global, no memory instruction', () => {
    const found = loops.flatMap(({ place, instructions }) =>
      instructions.filter((each) => FORBIDDEN.test(each)).map((each) => `${place}: ${each}`),
    );
    expect(found).toEqual([]);
  });
});

describe('what is written about them', () => {
  const files = readdirSync(new URL('../../assembly/kernels', import.meta.url)).map((file) =>
    file.replace('.ts', ''),
  );
  const page = read('docs/kernels.md');
  const products = TABLE.filter(({ product }) => product);

  it('every kernel with a loop has a row here', () => {
    const looping = files.filter((file) => /^ +(for|while|do)\b/m.test(read(`assembly/kernels/${file}.ts`)));
    const named = TABLE.map(({ kernel }) => kernel.split('/')[0]!);
    expect(looping.filter((file) => !named.includes(file))).toEqual([]);
  });

  it('headers of tiles say the FLOPs of a step', () => {
    const said = products.flatMap(({ kernel, counts, product }) => {
      const header = /FLOPs: +(\d+) · k\.$/m.exec(read(`assembly/kernels/${kernel.split('/')[0]!}.ts`));
      return header
        ? [{ kernel, flops: Number(header[1]), expected: (8 * counts.madds) / (product![2] ?? 1) }]
        : [];
    });
    expect(said.length).toBeGreaterThan(0);
    expect(said.filter(({ flops, expected }) => flops !== expected)).toEqual([]);
  });

  it('docs/kernels.md says what every kernel is for', () => {
    expect(files.filter((file) => !page.includes(`\`${file}\``))).toEqual([]);
  });

  it('docs/kernels.md has the loads and FLOPs of every product', () => {
    const written = [...page.matchAll(/^\| (`f\d\d-\S+`) +((?:\| [\d.× ]+){4})\|$/gm)];
    const wanted = products.map(({ kernel, counts: { loads, madds }, product }) =>
      [`\`${kernel}\``, product!.join(' × '), madds, loads, Math.round((80 * madds) / loads) / 10].join(
        ' | ',
      ),
    );
    expect(written.map(([, kernel, cells]) => `${kernel!} ${cells!.replace(/ +/g, ' ').trim()}`)).toEqual(
      wanted,
    );
  });
});
