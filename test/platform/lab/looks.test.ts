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
