/** The snippets of docs/onnx.md run, and give what stands behind them: `call; // [numbers]`. */
import { readFileSync } from 'node:fs';
import { runInThisContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import * as heed from '../../src/index.ts';

const page = readFileSync(new URL('../../docs/onnx.md', import.meta.url), 'utf8');
const snippets = [...page.matchAll(/^ *```js\n(.*?)^ *```/gms)].map(([, code]) =>
  code!.replace(/^ *import .*$/m, ''),
);

describe('docs/onnx.md', () => {
  it('has snippets', () => {
    expect(snippets).toHaveLength(4);
  });

  it.each(snippets.map((code, i) => [i + 1, code] as const))('snippet %i', (_, code) => {
    const expected: number[][] = [];
    const body = code.replace(
      /^ *(\w+\(.*\)); \/\/ (\[.*?\]).*$/gm,
      (_line, call: string, numbers: string) => {
        expected.push(JSON.parse(numbers) as number[]);
        return `results.push([...${call}]);`;
      },
    );
    const program = `({ attention }) => { const results = []; ${body}; return results; }`;
    const run = runInThisContext(program) as (library: typeof heed) => number[][];
    expect(expected.length).toBeGreaterThan(0);
    expect(run(heed)).toEqual(expected);
  });
});
