/** The lab (web/) built into a folder of a folder, served as its own settings say, and open in Chromium. */
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { build, preview, type PreviewServer } from 'vite';
import { CHROMIUM, requireBrowser } from '../browsers.ts';

const configFile = fileURLToPath(new URL('../../../web/vite.config.ts', import.meta.url));

/** Where pictures are left for who wants to look at them. */
const pictures = fileURLToPath(new URL('../../../build/lab-pictures/', import.meta.url));

export class Lab {
  readonly #folder = mkdtempSync(join(tmpdir(), 'heed-lab-'));
  #server!: PreviewServer;
  #bare!: PreviewServer;
  #browser!: Browser;

  async start(): Promise<void> {
    requireBrowser(CHROMIUM);
    const outDir = join(this.#folder, 'some/where');
    await build({ configFile, logLevel: 'error', build: { outDir } });
    const common = { root: this.#folder, build: { outDir: '.' }, logLevel: 'error' } as const;
    const address = { port: 0, host: '127.0.0.1' };
    this.#server = await preview({ ...common, configFile, preview: address });
    this.#bare = await preview({ ...common, configFile: false, preview: address });
    this.#browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    await Promise.all([this.#server, this.#bare].map((server) => server.close()));
    rmSync(this.#folder, { recursive: true });
  }

  /**
   * The page, in a window of its own. `complaints` is what the browser says of it: errors, warnings, files that are not there.
   *
   * @param isolated whether it comes with its two headers
   * @param before what runs in it before its own scripts
   * @param without what files do not come
   */
  async open(
    options: BrowserContextOptions = {},
    {
      isolated = true,
      before,
      without,
    }: { readonly isolated?: boolean; readonly before?: () => void; readonly without?: string } = {},
  ): Promise<{ page: Page; complaints: string[] }> {
    const page = await this.#browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
    if (before) await page.addInitScript(before);
    if (without !== undefined) await page.route(without, (route) => route.abort());
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('requestfailed', (request) => complaints.push(request.url()));
    const { port } = (isolated ? this.#server : this.#bare).httpServer.address() as AddressInfo;
    await page.goto(`http://127.0.0.1:${port}/some/where/`);
    return { page, complaints };
  }
}

/** What is seen of a part of the page, kept as a file: its size, and how many colours it has. */
export async function picture(
  page: Page,
  selector: string,
  name: string,
): Promise<{ width: number; height: number; colours: number }> {
  const png = await page.locator(selector).screenshot({ animations: 'disabled' });
  mkdirSync(pictures, { recursive: true });
  writeFileSync(join(pictures, `${name}.png`), png);
  return page.evaluate(async (base64) => {
    const blob = new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))]);
    const { width, height } = await createImageBitmap(blob);
    const context = new OffscreenCanvas(width, height).getContext('2d')!;
    context.drawImage(await createImageBitmap(blob), 0, 0);
    const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
    return { width, height, colours: new Set(pixels).size };
  }, png.toString('base64'));
}

/** What has moved on the page although nobody had touched it. */
export function shifts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    interface Shift extends PerformanceEntry {
      readonly hadRecentInput: boolean;
      readonly sources: readonly { readonly node: Element | null }[];
    }
    const observer = new PerformanceObserver(() => undefined);
    observer.observe({ type: 'layout-shift', buffered: true });
    return new Promise((resolve) => {
      requestAnimationFrame(() => {
        const all = observer.takeRecords() as Shift[];
        resolve(
          all
            .filter(({ hadRecentInput }) => !hadRecentInput)
            .flatMap(({ sources }) => sources.map(({ node }) => node?.outerHTML ?? 'gone')),
        );
      });
    });
  });
}
