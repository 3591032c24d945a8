/**
 * What the kernels and their host agree on, as data: constants and descriptors, read from the text of common/abi.ts and
 * assembly/args.ts. The package has it as `heed/wasm/abi.json`, docs/embedding.md as tables; test/abi.test.ts holds it against
 * what was compiled.
 */
import { readFileSync } from 'node:fs';

/** AssemblyScript's types of fields, by the names that a DataView has for them. */
const TYPES = { usize: 'u32', i32: 'i32', f32: 'f32', f64: 'f64' };

const textOf = (file) => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');

/** { constants: [{ name, value, meaning }], structs: [{ name, bytes, meaning, fields: [{ name, type, offset, meaning }] }] } */
export function readAbi() {
  return { constants: constantsOf(textOf('common/abi.ts')), structs: structsOf(textOf('assembly/args.ts')) };
}

/** heed/wasm/abi.json: without the words. */
export function abiJson() {
  const { constants, structs } = readAbi();
  const byName = (list, value) => Object.fromEntries(list.map((each) => [each.name, value(each)]));
  const abi = {
    constants: byName(constants, ({ value }) => value),
    structs: byName(structs, ({ bytes, fields }) => ({
      bytes,
      fields: byName(fields, ({ type, offset }) => ({ type, offset })),
    })),
  };
  return `${JSON.stringify(abi, null, 1)}\n`;
}

/** A comment may be that of several constants, one below the other. */
function constantsOf(text) {
  let meaning = '';
  return [...text.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/|^export const (\w+) = (\d+);$/gm)].flatMap(
    ([, comment, name, value]) => {
      if (comment === undefined) return { name, value: Number(value), meaning };
      // The first sentence: the rest says why it has this value.
      [meaning] = /^.*?\.(?= |$)/.exec(words(comment));
      return [];
    },
  );
}

function structsOf(text) {
  const classes = text.matchAll(
    /\/\*\*((?:(?!\*\/)[^])*)\*\/\n@unmanaged\nexport class (\w+) \{\n([^]*?)\n\}/g,
  );
  return [...classes].map(([, comment, name, body]) => {
    let end = 0;
    const fields = [...body.matchAll(/(?:\/\*\* (.*) \*\/\n)? *(\w+): (\w+);/g)].map((match) => {
      const [, meaning, field, given] = match;
      const type = TYPES[given];
      if (!meaning || !type) throw new Error(`${name}.${field} has no meaning, or a type that is not known`);
      const size = type === 'f64' ? 8 : 4;
      const offset = Math.ceil(end / size) * size;
      end = offset + size;
      return { name: field, type, offset, meaning };
    });
    return { name, bytes: end, meaning: words(comment), fields };
  });
}

/** A comment's words on one line. */
function words(comment) {
  return comment.replace(/\s*\n \*\s*/g, ' ').trim();
}
