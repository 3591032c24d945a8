/**
 * A page in a browser, without a driver: the page is served here, a browser is started at its address, and the page sends what it
 * has found to its server.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Browser } from './browsers.ts';

export interface Visit {
  /** What the page has found. */
  readonly result: unknown;
  /** Paths of the files that were asked for. */
  readonly asked: readonly string[];
}

/** Milliseconds for a browser to start and a page to come to its end. */
const PATIENCE = 50_000;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** Answers what files of a folder cannot: a development server. */
export type Server = (request: IncomingMessage, response: ServerResponse) => void;

/** What files come with, by their path too. */
export type Headers = OutgoingHttpHeaders | ((path: string) => OutgoingHttpHeaders);

/** Opens a page of those in a folder, all of which come with `headers`. Rejects with what it says is wrong, or where it says nothing. */
export async function visit(
  browser: Browser,
  site: string | Server,
  headers: Headers,
  page: string,
): Promise<Visit> {
  const asked: string[] = [];
  let hear: (said: string) => void;
  const said = new Promise<string>((resolve) => (hear = resolve));
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname } = new URL(request.url!, 'http://localhost');
    if (request.method === 'POST') {
      hear(await text(request));
      response.end();
      return;
    }
    asked.push(pathname);
    const given = typeof headers === 'function' ? headers(pathname) : headers;
    for (const [name, value] of Object.entries(given)) response.setHeader(name, value!);
    if (typeof site === 'function') {
      site(request, response);
      return;
    }
    const file = join(site, pathname);
    if (existsSync(file)) {
      response.writeHead(200, { 'Content-Type': TYPES[extname(file)] });
      response.end(readFileSync(file));
    } else response.writeHead(404).end();
  };
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const profile = mkdtempSync(join(tmpdir(), 'heed-profile-'));
  const [command, ...words] = browser.command(`http://127.0.0.1:${port}/${page}`, profile);
  const child = spawn(command, words, {
    env: { ...process.env, HOME: profile, ...browser.env },
    // A group of its own, which ends as one: a browser is many processes.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (log += String(chunk)));
  const exit = once(child, 'exit');
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`nothing from ${page}, which asked for ${asked.join(' ') || 'nothing'}\n${log}`));
    }, PATIENCE);
  });
  try {
    const { result, error } = JSON.parse(await Promise.race([said, silence])) as {
      readonly result?: unknown;
      readonly error?: string;
    };
    if (error !== undefined) throw new Error(error);
    return { result, asked };
  } finally {
    clearTimeout(timer);
    process.kill(-child.pid!, 'SIGKILL');
    await exit;
    server.closeAllConnections();
    server.close();
    // Processes of the group may still write.
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
