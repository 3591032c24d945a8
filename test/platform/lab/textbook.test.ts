/** The lab's first panel: what is shown is what heed/reference says, follows what is typed, and is reached by keys. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as reference from '../../../src/reference.ts';
import { attentionLaw, matmulLaw, use, type Law } from '../../laws.ts';
import { Lab } from './page.ts';

const lab = new Lab();
beforeAll(() => lab.start());
afterAll(() => lab.stop());

/** A matrix as the page has it: its numbers, and what is read in its cells. */
interface Seen {
  readonly values: Float32Array;
  readonly texts: readonly string[];
  readonly rows: number;
  readonly columns: number;
}

async function matrix(page: Page, name: string): Promise<Seen> {
  const seen = await page.locator(`[data-grid="${name}"] tbody`).evaluate((body) => {
    const cells = [...body.querySelectorAll('td')];
    return {
      values: cells.map((cell) => Number(cell.dataset['value'])),
      texts: cells.map((cell) => cell.querySelector('input')?.value ?? cell.textContent),
      rows: body.children.length,
    };
  });
  return { ...seen, values: Float32Array.from(seen.values), columns: seen.values.length / seen.rows };
}

const cell = (page: Page, name: string, row: number, column: number) =>
  page.locator(`[data-grid="${name}"] tbody tr:nth-child(${row + 1}) td:nth-of-type(${column + 1})`);

/** What the reference says, off by no more than the law allows; and read with four decimals. */
function expectLawful(
  { values, texts }: Seen,
  truth: Float64Array,
  laws: readonly (readonly [number, Law])[],
): void {
  expect(values).toHaveLength(truth.length);
  expect(texts).toEqual(Array.from(values, (x) => x.toFixed(4).replace(/^-(0\.0+)$/, '$1')));
  for (const [at, { bounds }] of laws) {
    const law = { values: truth.subarray(at, at + bounds.length), bounds };
    expect(use(values, law, at)).toBeLessThanOrEqual(1);
  }
}

/** A product of matrices of the page. */
function expectProduct(product: Seen, a: Seen, b: Seen, transposeB = false): void {
  const options = { M: a.rows, K: a.columns, N: transposeB ? b.rows : b.columns, transposeB };
  const laws = [...matmulLaw(a.values, b.values, options)].map(({ at, out }) => [at, out('blocks')] as const);
  expectLawful(product, reference.matmul(a.values, b.values, options), laws);
}

/** Some columns of a matrix. */
function part({ values, rows, columns }: Seen, from: number, count: number): Seen {
  const kept = values.filter((_, i) => i % columns >= from && i % columns < from + count);
  return { values: kept, texts: [], rows, columns: count };
}

/** Every step of the first panel, each from the numbers that the page shows of the step before. */
async function expectSteps(page: Page, heads: number): Promise<void> {
  const X = await matrix(page, 'X');
  const headDim = 2;
  const qkv: Seen[] = [];
  for (const name of ['Q', 'K', 'V']) {
    const product = await matrix(page, name);
    expectProduct(product, X, await matrix(page, `W${name}`));
    qkv.push(product);
  }
  const [Q, K, V] = qkv as [Seen, Seen, Seen];
  const options = { seqQ: X.rows, heads, headDim };
  const truth = reference.attentionWeights(Q.values, K.values, V.values, options);
  const laws = [...attentionLaw(Q.values, K.values, V.values, options)];
  for (let h = 0; h < heads; h++) {
    const products = await matrix(page, `products:${h}`);
    expectProduct(products, part(Q, h * headDim, headDim), part(K, h * headDim, headDim), true);
    const scores = await matrix(page, `scores:${h}`);
    expect(scores.values).toEqual(products.values.map((product) => product / Math.SQRT2));
    const size = X.rows ** 2;
    const own = laws.slice(h * X.rows, (h + 1) * X.rows);
    expectLawful(
      await matrix(page, `weights:${h}`),
      truth.weights.subarray(h * size, (h + 1) * size),
      own.map(({ weights }, i) => [i * X.rows, weights('blocks')]),
    );
  }
  const joined = await matrix(page, 'joined');
  expectLawful(
    joined,
    truth.out,
    laws.map(({ at, out }) => [at, out('blocks')]),
  );
  if (heads > 1) expectProduct(await matrix(page, 'result'), joined, await matrix(page, 'WO'));
}

describe('the textbook example', () => {
  it('has the numbers of docs/math.md', async () => {
    const { page, complaints } = await lab.open();
    await expectSteps(page, 1);
    const { texts } = await matrix(page, 'weights:0');
    expect(texts.join(' ')).toBe('0.3299 0.3333 0.3367 0.3240 0.3332 0.3428 0.3180 0.3331 0.3489');
    expect((await matrix(page, 'joined')).texts.join(' ')).toBe('0.1105 0.1105 0.1115 0.1115 0.1125 0.1125');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('follows what is typed, and what is no number changes nothing', async () => {
    const { page } = await lab.open();
    const before = await matrix(page, 'joined');
    for (const [name, row, column, text] of [
      ['X', 1, 2, '-2,5'],
      ['WQ', 0, 0, '3'],
      ['WK', 3, 1, '1e1'],
      ['WV', 2, 0, '.25'],
    ] as const) {
      await cell(page, name, row, column).locator('input').fill(text);
      await expectSteps(page, 1);
    }
    const after = await matrix(page, 'joined');
    expect(after.values).not.toEqual(before.values);

    const input = cell(page, 'X', 0, 0).locator('input');
    await input.fill('much');
    expect(await input.getAttribute('aria-invalid')).toBe('true');
    expect(await matrix(page, 'joined')).toEqual(after);
    expect(await page.locator('#inspector').textContent()).toContain(
      '“much” is no number that a float32 can hold: 0.1 stays.',
    );
    await input.blur();
    expect(await input.inputValue()).toBe('0.1');
    // It is told of the number that is typed, wherever the mouse was last.
    await input.focus();
    await cell(page, 'weights:0', 0, 2).hover();
    await page.keyboard.type('q');
    expect(await page.locator('#inspector').textContent()).toMatch(/^Feature 1 of “You”“q” is no number/);
    await input.blur();
    expect(await page.locator('#inspector').textContent()).toMatch(/^Feature 1 of “You”Type another/);
    // Enter takes what was typed, Escape goes back to what was there before.
    await input.focus();
    await page.keyboard.type('−7');
    await page.keyboard.press('Enter');
    expect((await matrix(page, 'X')).values[0]).toBe(-7);
    await page.keyboard.press('Escape');
    expect(await matrix(page, 'joined')).toEqual(after);
    expect(await input.inputValue()).toBe('0.1');

    await page.getByRole('button', { name: 'Reset' }).click();
    expect(await matrix(page, 'joined')).toEqual(before);
    await page.close();
  });

  it('shows a number in full, in few letters', async () => {
    const { page } = await lab.open();
    const inputs = page.locator('[data-grid="X"] input');
    for (const [i, [typed, shown]] of [
      ['0.125', '0.125'],
      ['-0.75', '-0.75'],
      ['1e7', '1e7'],
      ['10000000000000000000', '1e19'],
      ['0.001', '0.001'],
      ['0.1234567', '0.1234567'],
      ['-3e38', '-3e38'],
      ['1000', '1000'],
    ].entries()) {
      await inputs.nth(i).fill(typed!);
      await inputs.nth(i).blur();
      expect(await inputs.nth(i).inputValue()).toBe(shown);
    }
    const cut = await inputs.evaluateAll((all) => all.filter((each) => each.scrollWidth > each.clientWidth));
    expect(cut).toEqual([]);
    await page.close();
  });

  it('shows the heads that are chosen, also of who comes back to it', async () => {
    const { page } = await lab.open();
    await page.locator('[name=heads][value="3"]').check({ force: true });
    // To a page of the same server: the browser keeps what was chosen.
    await page.goto(new URL('licenses.md', page.url()).href);
    await page.goBack();
    await page.locator('main').waitFor();
    const chosen = await page.locator('[name=heads]:checked').inputValue();
    expect(await page.locator('[data-grid^="weights:"]').count()).toBe(Number(chosen));
    await page.close();
  });

  it('takes words and heads, with the split, the concatenation and the last product', async () => {
    const { page, complaints } = await lab.open();
    await page.getByLabel('Another word').fill('again');
    await page.getByRole('button', { name: 'Add' }).click();
    await expectSteps(page, 1);
    for (const heads of [2, 3]) {
      await page.locator(`[name=heads][value="${heads}"]`).check({ force: true });
      await expectSteps(page, heads);
    }
    await cell(page, 'WO', 5, 3).locator('input').fill('-1.5');
    await expectSteps(page, 3);
    for (const word of ['You', 'again', 'me']) {
      await page.getByRole('button', { name: `Remove “${word}”` }).click();
      await expectSteps(page, 3);
    }
    expect(await page.getByRole('button', { name: 'Remove “found”' }).isDisabled()).toBe(true);
    const focused = () => page.evaluate(() => document.activeElement!.id);
    expect(await focused()).toBe('word');
    for (let i = 0; i < 7; i++) {
      await page.getByLabel('Another word').fill(`word${i}`);
      await page.keyboard.press('Enter');
    }
    await expectSteps(page, 3);
    expect(await page.getByRole('button', { name: 'Add' }).isDisabled()).toBe(true);
    expect(await focused()).toBe('word');
    expect(await page.getByLabel('Another word').getAttribute('placeholder')).toBe('8 words at most');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('says of a weight which two rows made it', async () => {
    const { page } = await lab.open();
    const marked = (name: string, tone: string) =>
      page.locator(`[data-grid="${name}"] td[data-mark="${tone}"]`).allTextContents();
    await cell(page, 'weights:0', 2, 0).hover();
    expect(await marked('Q', 'left')).toEqual(['0.2200', '0.4000']);
    expect(await marked('K', 'right')).toEqual(['0.0400', '0.0800']);
    expect(await marked('weights:0', 'self')).toEqual(['0.3180']);
    const said = page.locator('#inspector');
    expect(await said.getAttribute('aria-live')).toBe('polite');
    expect(await said.textContent()).toContain('How much “me” looks at “You”: 0.3180');
    expect(await said.textContent()).toContain('0.22·0.04 + 0.4·0.08 = 0.0408');
    await cell(page, 'joined', 0, 1).hover();
    expect(await marked('weights:0', 'left')).toEqual(['0.3299', '0.3333', '0.3367']);
    expect(await marked('V', 'right')).toEqual(['0.0300', '0.1100', '0.1900']);
    expect(await marked('Q', 'left')).toEqual([]);
    await page.close();
  });

  it('is one stop of the Tab key a matrix, with arrows inside', async () => {
    const { page } = await lab.open();
    await page.getByRole('button', { name: 'Reset' }).focus();
    const where = () =>
      page.evaluate(() => {
        const cell = document.activeElement!.closest('td')!;
        const row = cell.parentElement as HTMLTableRowElement;
        return `${cell.closest<HTMLElement>('[data-grid]')!.dataset['grid']!} ${row.rowIndex} ${cell.cellIndex}`;
      });
    const walk = async (...keys: readonly string[]): Promise<string> => {
      for (const key of keys) await page.keyboard.press(key);
      return where();
    };
    expect(await walk('Tab')).toBe('X 1 1');
    expect(await walk('ArrowRight', 'ArrowDown', 'ArrowDown', 'ArrowDown')).toBe('X 3 2');
    // In a text the arrows are the text's, up to its end.
    await page.keyboard.type('0.5');
    expect(await walk('ArrowLeft')).toBe('X 3 2');
    expect(await walk('ArrowRight', 'ArrowRight')).toBe('X 3 3');
    await expectSteps(page, 1);
    expect(await walk('Tab', 'Tab')).toBe('Q 1 1');
    expect(await walk('End', 'ArrowUp')).toBe('Q 1 2');
    expect(await page.locator('#inspector').textContent()).toContain('Number 2 of what “You” asks');
    expect(await walk('Shift+Tab', 'Tab')).toBe('Q 1 2');
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle);
    expect(outline).toBe('solid');
    await page.close();
  });
});
