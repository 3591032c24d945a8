/** Writes what the kernels and their host agree on into docs/embedding.md: constants and descriptors, between markers. */
import { fileURLToPath } from 'node:url';
import { fill } from '../bench/markdown.ts';
import { readAbi } from './abi.mjs';

function table(...rows: readonly (readonly string[])[]): string {
  const [heads = [], ...rest] = rows;
  return [heads, heads.map(() => '---'), ...rest].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** What is wrong with the page, in words. */
export async function documentAbi(page: string): Promise<string | undefined> {
  const { constants, structs } = readAbi();
  // Those that share a comment share a row.
  const numbers = [...new Set(constants.map(({ meaning }) => meaning))].map((meaning) => {
    const all = constants.filter((each) => each.meaning === meaning);
    const names = all.map(({ name }) => `\`${name}\``).join(', ');
    return [names, all.map(({ value }) => value).join(', '), meaning];
  });
  const tableOf = (struct: string): string => {
    const { bytes, meaning, fields } = structs.find(({ name }) => name === struct)!;
    const rows = fields.map(({ name, type, offset, meaning }) => {
      return [String(offset), type, `\`${name}\``, meaning.replaceAll('|', '\\|')];
    });
    return `**${struct}**, ${bytes} bytes. ${meaning}\n\n${table(['offset', 'type', 'field', 'meaning'], ...rows)}`;
  };
  return fill(page, 'abi', (name) =>
    name === 'constants' ? table(['constant', 'value', 'meaning'], ...numbers) : tableOf(name),
  );
}

const [, script] = process.argv;
if (script === fileURLToPath(import.meta.url)) {
  const wrong = await documentAbi('docs/embedding.md');
  if (wrong !== undefined) throw new Error(wrong);
}
