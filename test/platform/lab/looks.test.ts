/** The lab as it is seen: at a desk and on a phone, light and dark, with nothing that moves by itself. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Lab, picture, shifts } from './page.ts';

const lab = new Lab();
beforeAll(() => lab.start());
afterAll(() => lab.stop());

describe.each([
  [1280, 'light'],
  [1280, 'dark'],
  [360, 'light'],
  [390, 'dark'],
] as const)('at %i pixels, %s', (width, colorScheme) => {
  it('is a picture, stays in its place and as wide as the window', async () => {
    const { page, complaints } = await lab.open({ viewport: { width, height: 800 }, colorScheme });
    await page.locator('[data-grid="weights:0"] td').first().hover();
    expect(await shifts(page)).toEqual([]);
    for (const panel of ['textbook', 'heads', 'bench']) {
      const seen = await picture(page, `#${panel}`, `${panel}-${width}-${colorScheme}`);
      expect(seen.width).toBeGreaterThan(width * 0.85);
      expect(seen.width).toBeLessThanOrEqual(width);
      expect(seen.height).toBeGreaterThan(400);
      expect(seen.colours).toBeGreaterThan(16);
    }
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    expect(complaints).toEqual([]);
    await page.close();
  });
});

it('is reached by the Tab key, all of it, and shows where it is', async () => {
  const { page } = await lab.open();
  const visited: { what: string; seen: boolean }[] = [];
  for (;;) {
    await page.keyboard.press('Tab');
    const found = await page.evaluate(() => {
      const element = document.activeElement!;
      if (element === document.body) return undefined;
      const grid = element.closest<HTMLElement>('[data-grid]')?.dataset['grid'];
      // A radio button lies unseen on what stands for it.
      const frame = element.matches('[type=radio]') ? element.nextElementSibling! : element;
      const { outlineStyle, outlineWidth } = getComputedStyle(frame);
      return {
        what:
          grid ?? element.getAttribute('aria-label') ?? element.getAttribute('name') ?? element.textContent,
        seen: outlineStyle !== 'none' && outlineWidth !== '0px',
      };
    });
    if (!found) break;
    visited.push(found);
  }
  expect(visited.filter(({ seen }) => !seen)).toEqual([]);
  const maps = Array.from({ length: 8 }, (_, h) => `Head ${h + 1}: which column looks at which`);
  expect(visited.map(({ what }) => what.split(';')[0]!.trim())).toEqual([
    ...['The textbook example', 'A real model’s heads', 'Bench'],
    ...['heads', 'Remove “You”', 'Remove “found”', 'Remove “me”', 'Another word', 'Add', 'Reset'],
    ...['X', 'WQ', 'Q', 'WK', 'K', 'WV', 'V', 'products:0', 'scores:0', 'weights:0', 'joined'],
    ...['block', 'causal', 'window', 'Columns on each side', 'softcap', 'Softcap', 'The column that looks'],
    ...maps,
    ...['largest', 'Start', 'work', 'its terms'],
  ]);
  await page.close();
});

it('says what made a number where it is seen, in a window that is low, too', async () => {
  const { page } = await lab.open({ viewport: { width: 844, height: 390 } });
  await page.locator('[data-grid="Q"] td[data-value]').first().hover();
  const { y, height } = (await page.locator('#inspector .title').boundingBox())!;
  expect(y + height).toBeLessThanOrEqual(390);
  expect(await page.locator('#inspector').textContent()).toContain('Number 1 of what “You” asks');
  await page.close();
});

it('shows frames, marks and what is chosen in colours that a system has forced', async () => {
  const { page } = await lab.open({ forcedColors: 'active' });
  const style = (selector: string, name: 'borderTopStyle' | 'outlineStyle' | 'backgroundColor') =>
    page
      .locator(selector)
      .first()
      .evaluate((found, key) => getComputedStyle(found)[key], name);
  expect(await style('[data-grid="X"] td:has(input)', 'borderTopStyle')).toBe('solid');
  await page.locator('[data-grid="weights:0"] td[data-value]').first().hover();
  expect(await style('[data-grid="Q"] td[data-mark="left"]', 'outlineStyle')).toBe('solid');
  expect(await style('[data-grid="K"] td[data-mark="right"]', 'outlineStyle')).toBe('dashed');
  const chosen = await style('[name="heads"][value="1"] + span', 'backgroundColor');
  expect(chosen).not.toBe(await style('[name="heads"][value="2"] + span', 'backgroundColor'));
  expect(await style('[name="work"]:checked + span', 'backgroundColor')).toBe(chosen);
  await page.locator('#bench-progress').evaluate((bar: HTMLProgressElement) => (bar.value = 0.5));
  expect((await picture(page, '#bench-progress', 'progress-forced')).colours).toBeGreaterThan(2);
  await page.close();
});

it('says why, where heed cannot run', async () => {
  const before = (): void => {
    WebAssembly.validate = () => false;
    WebAssembly.Module = function () {
      throw new WebAssembly.CompileError();
    } as unknown as typeof WebAssembly.Module;
  };
  const { page } = await lab.open({}, { before });
  expect(await page.getByRole('alert').textContent()).toContain('[ERR_NO_SIMD]');
  expect(await page.locator('main').isVisible()).toBe(false);
  await page.close();
});

it('carries the terms of what it passes on', async () => {
  const { page } = await lab.open();
  const model = await page.request.get(
    await page.getByRole('link', { name: 'its terms' }).evaluate((link: HTMLAnchorElement) => link.href),
  );
  expect(await model.text()).toContain('PaddlePaddle Authors');
  const libraries = await page.request.get(new URL('licenses.md', page.url()).href);
  expect((await libraries.text()).match(/^## \S+/gm)).toEqual(['## uplot']);
  await page.close();
});
