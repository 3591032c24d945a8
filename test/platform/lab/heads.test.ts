/** The lab's second panel: heat-maps, pixel by pixel, are what heed/reference says of the recorded blocks. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as reference from '../../../src/reference.ts';
import { manifest, tensor } from '../../fixture.ts';
import { attentionLaw } from '../../laws.ts';
import { Lab } from './page.ts';

const lab = new Lab();
beforeAll(() => lab.start());
afterAll(() => lab.stop());

type More = Pick<reference.ReferenceAttentionOptions, 'causal' | 'window' | 'softcap'>;

/** What the reference makes of a recorded block: weights, [heads, steps, steps], and how far heed's may be from them at most. */
function recordedWeights(block: string, more: More): { weights: Float64Array; bound: number } {
  const { heads, headDim } = manifest;
  const [M, K] = manifest.tensors[`${block}.attention.input`]!.shape as [number, number];
  const width = heads * headDim;
  const options = { M, K, N: 3 * width, bias: tensor(`${block}.qkv.bias`) };
  const qkv = reference.matmul(tensor(`${block}.attention.input`), tensor(`${block}.qkv.weight`), options);
  const [q, k, v] = [0, 1, 2].map((third) =>
    qkv.filter((_, i) => Math.floor((i % (3 * width)) / width) === third),
  ) as [Float64Array, Float64Array, Float64Array];
  const call = { seqQ: M, heads, headDim, ...more };
  const [q32, k32, v32] = [q, k, v].map((x) => Float32Array.from(x)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const bounds = Array.from(attentionLaw(q32, k32, v32, call), (row) =>
    Math.max(...row.weights('blocks').bounds),
  );
  return { weights: reference.attentionWeights(q, k, v, call).weights, bound: Math.max(...bounds) };
}

describe("a real model's heads", () => {
  const size = 33;

  /** Of all heads, one after the other: how much of its colour each pixel has, of 255. */
  const pixels = (page: Page, canvas: string): Promise<number[]> =>
    page.locator(canvas).evaluateAll((all) =>
      (all as HTMLCanvasElement[]).flatMap((each) => {
        // Of a copy: the browser complains of a canvas that is read often.
        const copy = new OffscreenCanvas(each.width, each.height).getContext('2d')!;
        copy.drawImage(each, 0, 0);
        const { data } = copy.getImageData(0, 0, each.width, each.height);
        return [...data.filter((_, i) => i % 4 === 3)];
      }),
    );

  /** The square root of a weight is its colour's part; numbers that are nearly equal may be rounded to neighbours. */
  function expectPainted(seen: readonly number[], weights: Float64Array): void {
    expect(seen).toHaveLength(weights.length);
    const off = seen.map((alpha, i) => Math.abs(alpha - Math.round(255 * Math.sqrt(weights[i]!))));
    expect(Math.max(...off)).toBeLessThanOrEqual(1);
  }

  it('paints the weights of both layers, and what options make of them', async () => {
    const { page, complaints } = await lab.open();
    const status = page.locator('#heads-status');
    await expect.poll(() => status.textContent()).toContain('As the model has it');
    const set = async (name: string, value: number): Promise<void> => {
      await page.locator(`[name="${name}"]`).fill(String(value));
    };
    const box = (name: string) => page.getByRole('checkbox', { name });

    for (const [layer, block] of ['block0', 'block1'].entries()) {
      await page.getByRole('group', { name: 'Layer' }).getByRole('radio').nth(layer).check({ force: true });
      const expectShown = async (more: More, words: string): Promise<void> => {
        const { weights, bound } = recordedWeights(block, more);
        expectPainted(await pixels(page, '.map canvas'), weights);
        const said = (await status.textContent())!;
        expect(said).toContain(words);
        const [, apart] = /heed\/reference, in float64,.* ([\d.]+e−\d+)\.$/.exec(said)!;
        expect(Number(apart!.replace('−', '-'))).toBeLessThanOrEqual(bound);
      };
      await expectShown({}, 'As the model has it');
      await box('causal').check();
      await expectShown({ causal: true }, 'computed again by heed');
      await box('window').check();
      await set('window-size', 2);
      await expectShown({ causal: true, window: [2, 2] }, 'computed again');
      await box('causal').uncheck();
      await box('softcap').check();
      await set('softcap-size', 1);
      await expectShown({ window: [2, 2], softcap: 1 }, 'computed again');
      await box('window').uncheck();
      await set('softcap-size', 25);
      await expectShown({ softcap: 25 }, 'computed again');
      await box('softcap').uncheck();
      await expectShown({}, 'As the model has it');
      // A slider that is moved counts.
      await set('window-size', 0);
      expect(await box('window').isChecked()).toBe(true);
      await expect.poll(() => status.textContent()).toContain('they differ by nothing.');
      await box('window').uncheck();
    }
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('shows where the column looks that is pointed at, or reached by keys', async () => {
    const { page, complaints } = await lab.open();
    await expect.poll(() => page.locator('#heads-status').textContent()).toContain('As the model');
    const { weights } = recordedWeights('block1', {});
    const row = (column: number): Float64Array =>
      Float64Array.from({ length: manifest.heads * size }, (_, i) => {
        return weights[(Math.floor(i / size) * size + column) * size + (i % size)]!;
      });
    const line = page.getByRole('slider', { name: 'The column that looks' });
    const said = page.locator('#heads-said');
    const { width, height } = (await line.boundingBox())!;
    await line.hover({ position: { x: (width * 3.5) / size, y: height / 2 } });
    expect(await line.getAttribute('aria-valuetext')).toBe('column 4, read as “Y”');
    expectPainted(await pixels(page, '.strip canvas'), row(3));

    await line.focus();
    for (const [key, column, text] of [
      ['ArrowRight', 4, 'column 5, read as no letter'],
      ['ArrowRight', 5, 'column 6, read as “o”'],
      ['Home', 0, 'column 1, read as no letter'],
      ['ArrowLeft', 0, 'column 1, read as no letter'],
      ['End', 32, 'column 33, read as no letter'],
      ['ArrowDown', 31, 'column 32, read as no letter'],
    ] as const) {
      await page.keyboard.press(key);
      expect(await line.getAttribute('aria-valuetext')).toBe(text);
      expect(await line.getAttribute('aria-valuenow')).toBe(String(column + 1));
      expectPainted(await pixels(page, '.strip canvas'), row(column));
    }
    const peaks = await page.locator('.most').allTextContents();
    for (const [head, peak] of peaks.entries()) {
      const own = row(31).subarray(head * size, (head + 1) * size);
      expect(peak).toContain(Math.max(...own).toFixed(2));
    }

    // A weight: in words, in the fourth decimal or beside it.
    const expectSaid = async (head: number, from: number, to: number): Promise<void> => {
      const [, weight] = /with weight (\d\.\d{4})\./.exec((await said.textContent())!)!;
      expect(await said.textContent()).toContain(`Head ${head + 1}: column ${from + 1}, read as`);
      expect(await said.textContent()).toContain(`looks at column ${to + 1}, read as`);
      const truth = weights[(head * size + from) * size + to]!;
      expect(Math.abs(Math.round(Number(weight) * 1e4) - Math.round(truth * 1e4))).toBeLessThanOrEqual(1);
    };
    const map = page.locator('[data-map="Head 4"] .map');
    const side = (await map.boundingBox())!.width;
    await map.hover({ position: { x: (side * 20.5) / size, y: (side * 9.5) / size } });
    await expectSaid(3, 9, 20);
    await map.focus();
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowLeft']) await page.keyboard.press(key);
    await expectSaid(3, 11, 19);
    await page.keyboard.press('End');
    await expectSaid(3, 11, 32);
    for (const key of ['Home', ...Array<string>(19).fill('ArrowRight')]) await page.keyboard.press(key);
    await expectSaid(3, 11, 19);
    await page.keyboard.press('Tab');
    await expectSaid(4, 11, 19);
    expectPainted(await pixels(page, '.strip canvas'), row(11));
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('says nothing of weights that did not come', async () => {
    const { page } = await lab.open({}, { without: '**/fixture-*.bin' });
    await page.getByText('The recorded numbers did not come').waitFor();
    expect(await page.locator('.most').allTextContents()).toEqual(Array<string>(manifest.heads).fill(''));
    await page.close();
  });
});
