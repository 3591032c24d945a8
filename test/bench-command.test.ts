/**
 * The command: its arguments, and how it ends.
 *
 * @node the benchmark is a program of Node
 */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parseArguments } from '../bench/arguments.ts';

describe('arguments', () => {
  it('are understood', () => {
    const none = {
      ...{ json: undefined, svg: undefined, markdown: undefined, from: undefined, only: undefined },
      help: false,
    };
    expect(parseArguments([])).toEqual({ ...none, mode: 'quick' });
    expect(parseArguments(['--full', '--json', 'a.json', '--only', '512'])).toEqual({
      ...{ ...none, mode: 'full', json: 'a.json', only: '512' },
    });
    expect(parseArguments(['--from', 'a.json', '--svg', 'a.svg', '--markdown', 'a.md'], true)).toEqual({
      ...{ ...none, mode: 'quick', from: ['a.json'], svg: 'a.svg', markdown: 'a.md' },
    });
  });

  it.each([['--ful'], ['--json'], ['stray'], ['--full=yes']])('%s is refused', (word) => {
    const given = parseArguments([word]);
    expect('problem' in given && given.problem).toContain(word.replace(/=.*/, ''));
  });

  it.each(['--svg', '--markdown'])('%s is refused in the package', (word) => {
    expect(parseArguments([word, 'a.svg'])).toEqual({
      problem: 'charts are drawn, and pages filled, in the repository only',
    });
  });

  const start = (file: string, ...words: string[]) =>
    spawnSync(
      process.execPath,
      ['--import', 'tsx', fileURLToPath(new URL(file, import.meta.url)), ...words],
      {
        encoding: 'utf8',
      },
    );

  it('end the command with a clear message and exit code 2', () => {
    const { status, stderr, stdout } = start('../bench/index.ts', '--ful');
    expect(stderr).toMatch(/^bench: Unknown option '--ful'\n\nnpm run bench/);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });

  const rowless = `${tmpdir()}/heed-rowless-${process.pid}.json`;
  writeFileSync(rowless, '{ "rows": [] }');
  afterAll(() => {
    rmSync(rowless);
  });

  it.each([
    [[], 0, /^npx heed bench/, /^$/],
    [['bench', '--help'], 0, /^npx heed bench \[options\](?![^]*--svg)/, /^$/],
    [
      ['bench', '--only', 'no such row'],
      2,
      /^$/,
      /^bench: no row has "no such row" in its name; there are: matmul/,
    ],
    [['infos'], 2, /^$/, /^heed: unknown command "infos"\n\nnpx heed bench/],
    [['info', '--jsn'], 2, /^$/, /^heed: unknown option "info --jsn"/],
    [['-h'], 0, /^npx heed bench/, /^$/],
    [['info', '--help'], 0, /^npx heed bench/, /^$/],
    [['--version'], 0, /^\d+\.\d+\.\d+\n$/, /^$/],
    [['bench', '--from', 'no-such-file.json'], 2, /^$/, /^bench: ENOENT.*no-such-file\.json/],
    [['bench', '--from', 'README.md'], 2, /^$/, /^bench: README\.md is none that --json has written/],
    [['bench', '--from', 'package.json'], 2, /^$/, /^bench: package\.json is none that --json has written/],
    [['bench', '--from', rowless], 2, /^$/, /^bench: .*is none that --json has written/],
    [['bench', '--json', 'package.json/x.json'], 2, /^$/, /^bench: .*package\.json/],
  ])('heed %j ends with %i', (words, code, out, problem) => {
    const { status, stderr, stdout } = start('../bench/bin.ts', ...words);
    expect(stdout).toMatch(out);
    expect(stderr).toMatch(problem);
    expect(status).toBe(code);
  });
});
