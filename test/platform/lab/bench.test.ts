/** The lab's third panel: runs to its end while the page lives on, says what it measured, and threads where they can be had. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '../../../src/index.ts';
import { prepare } from '../../../web/bench/contenders.ts';
import { WORKS, type Report } from '../../../web/bench/report.ts';
import { Lab } from './page.ts';

const lab = new Lab();
beforeAll(() => lab.start());
afterAll(() => lab.stop());

const SMALL = [32, 64, 128];

async function start(page: Page): Promise<void> {
  await page.getByLabel('Largest size').selectOption('128');
  await page.getByRole('button', { name: 'Start' }).click();
}

async function end(page: Page): Promise<Report> {
  await page.getByRole('button', { name: 'Start' }).waitFor({ timeout: 55_000 });
  return JSON.parse(await page.getByLabel('The result as JSON').inputValue()) as Report;
}

describe('the benchmark', () => {
  it('runs beside a page that stays alive, and shows what it tells as JSON', async () => {
    const { page, complaints } = await lab.open({ permissions: ['clipboard-read', 'clipboard-write'] });
    await start(page);
    const progress = page.getByRole('progressbar');
    await expect.poll(() => progress.evaluate((bar: HTMLProgressElement) => bar.value)).toBeGreaterThan(0);
    // What is typed meanwhile is followed, and painted, before the benchmark has come to its end.
    const alive = await page.evaluate(async () => {
      const of = (name: string) => document.querySelector<HTMLElement>(`[data-grid="${name}"] tbody td`)!;
      const before = of('joined').dataset['value'];
      const input = of('WV').querySelector('input')!;
      input.value = '5';
      input.dispatchEvent(new Event('input'));
      await new Promise(requestAnimationFrame);
      const running = document.getElementById('bench-start')!.textContent === 'Stop';
      return { running, followed: of('joined').dataset['value'] !== before };
    });
    expect(alive).toEqual({ running: true, followed: true });

    const report = await end(page);
    expect(await progress.evaluate((bar: HTMLProgressElement) => bar.value)).toBe(1);
    expect(report.problems).toEqual([]);
    expect(report.isolated).toBe(true);
    expect(report.rows.map(({ work, size }) => `${work} ${size}`)).toEqual(
      WORKS.flatMap((work) => SMALL.map((size) => `${work} ${size}`)),
    );
    const { features, cores } = report;
    expect(features.threads).toBe(Math.min(cores, 8));
    const builds = features.simd === 'relaxed' ? ['baseline', 'relaxed'] : ['baseline'];
    const names = ['plain', ...builds, ...(features.threads > 1 ? ['threads'] : [])];
    for (const { flops, peaks, results } of report.rows) {
      expect(Object.keys(peaks)).toEqual(builds);
      expect(Object.keys(results)).toEqual(names);
      for (const [name, result] of Object.entries(results)) {
        const peak = (peaks as Record<string, number | undefined>)[name];
        expect(result.errorOfBound).toBeGreaterThan(0);
        expect(result.errorOfBound).toBeLessThanOrEqual(1);
        expect(result.gflops).toBe(flops / result.milliseconds / 1e6);
        expect(result.percent).toBe(peak && (100 * result.gflops) / peak);
      }
    }

    for (const work of WORKS) {
      await page.locator(`[name=work][value=${work}]`).check({ force: true });
      const rows = report.rows.filter((row) => row.work === work);
      for (const [i, { results }] of rows.entries()) {
        const cells = page.locator(`#bench-table tbody tr:nth-child(${i + 1}) td`);
        const shown = (await cells.allTextContents()).filter((text) => text !== '–');
        const told = Object.values(results).map(({ gflops, percent }) => {
          return gflops.toPrecision(3) + (percent === undefined ? '' : `${percent.toFixed(0)} %`);
        });
        expect(shown).toEqual(told);
      }
      expect(await page.locator('#bench-summary').textContent()).toContain('At size 128, heed (');
    }
    await page.getByRole('button', { name: 'Copy as JSON' }).click();
    await page.getByText('Copied.').waitFor();
    expect(JSON.parse(await page.evaluate(() => navigator.clipboard.readText()))).toEqual(report);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('stops when it is told to, and begins anew', async () => {
    const { page, complaints } = await lab.open();
    await start(page);
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('Stopped.').waitFor();
    await start(page);
    expect((await end(page)).rows).toHaveLength(WORKS.length * SMALL.length);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('has one thread without the two headers, and says why', async () => {
    const { page, complaints } = await lab.open({}, { isolated: false });
    await start(page);
    const { features, isolated, rows, problems } = await end(page);
    expect({ isolated, threads: features.threads, problems }).toEqual({
      isolated: false,
      threads: 1,
      problems: [],
    });
    expect(rows.every(({ results }) => results.threads === undefined && results.baseline)).toBe(true);
    expect(await page.locator('#bench-step').textContent()).toBe(`Done, with ${features.reason}.`);
    expect(features.reason).toMatch(/^one thread: .*Cross-Origin-Opener-Policy/);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('says so where its worker does not come', async () => {
    const { page } = await lab.open();
    await page.route('**/worker-*.js', (route) => route.abort());
    await start(page);
    await page.getByText('It failed: its script did not come.').waitFor();
    expect(await page.getByRole('button', { name: 'Start' }).isVisible()).toBe(true);
    await page.close();
  });

  it.each(WORKS)('times no %s that is wrong', async (work) => {
    const engine = await createEngine({ threads: 1 });
    const parts = (with_: typeof engine): number[] => {
      return prepare(work, 32, new Map([['baseline', with_]])).contenders.map(({ check }) => check());
    };
    expect(Math.max(...parts(engine))).toBeLessThanOrEqual(1);
    const spoilt = (spoil: (out: Float32Array) => void): number => {
      const wrong = Object.create(engine) as typeof engine;
      wrong[work] = (...given: unknown[]): never => {
        const call = engine[work].bind(engine) as (...given: unknown[]) => Float32Array;
        const out = call(...given);
        spoil(out);
        return out as never;
      };
      return parts(wrong)[1]!;
    };
    expect(spoilt((out) => out.fill(NaN, 5, 6))).toBe(Infinity);
    expect(spoilt((out) => (out[7]! *= 1.01))).toBeGreaterThan(1);
    engine.dispose();
  });
});
