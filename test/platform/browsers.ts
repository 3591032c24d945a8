/** The browsers, from Debian's packages, and how each is started. */
import { accessSync, constants, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Browser {
  readonly name: string;
  /** Debian's. */
  readonly packages: string;
  /** What must be there to start it. */
  readonly needs: readonly string[];
  /** Starts it at an address. `profile`: a folder of its own, empty. */
  readonly command: (url: string, profile: string) => readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
}

export const CHROMIUM: Browser = {
  name: 'Chromium',
  packages: 'chromium',
  needs: ['chromium'],
  command: (url, profile) => [
    'chromium',
    '--headless=new',
    // Its sandbox wants a user who is not root.
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    `--user-data-dir=${profile}`,
    url,
  ],
};

export const FIREFOX: Browser = {
  name: 'Firefox',
  packages: 'firefox-esr',
  needs: ['firefox-esr'],
  command: (url, profile) => {
    // No page of welcome, which would be in front of ours.
    const off = ['browser.aboutwelcome.enabled', 'datareporting.policy.dataSubmissionEnabled'];
    writeFileSync(join(profile, 'user.js'), off.map((name) => `user_pref('${name}', false);\n`).join(''));
    return ['firefox-esr', '--headless', '--no-remote', '--profile', profile, url];
  },
};

/** Has no mode without a screen, so it is given one. */
export const WEBKIT: Browser = {
  name: 'WebKitGTK',
  packages: 'libwebkit2gtk-4.1-0 xvfb xauth',
  needs: ['xvfb-run', 'xauth', miniBrowser()],
  command: (url) => ['xvfb-run', '--auto-servernum', miniBrowser(), url],
};

/** The same with shared memory, which it has behind a switch. */
export const WEBKIT_SHARED: Browser = { ...WEBKIT, env: { JSC_useSharedArrayBuffer: '1' } };

/** Throws where a browser is missing. */
export function requireBrowser({ name, packages, needs }: Browser): void {
  const lacks = needs.filter((need) => pathOf(need) === undefined);
  if (lacks.length === 0) return;
  const install = `apt-get update && apt-get install -y --no-install-recommends ${packages}`;
  throw new Error(`${name} is missing (${lacks.join(', ')}): as root, ${install}`);
}

/** Where a command is. */
export function pathOf(name: string): string | undefined {
  const folders = name.startsWith('/') ? ['/'] : (process.env['PATH'] ?? '').split(':');
  const paths = folders.map((folder) => join(folder, name));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Its folder has the name of the processor's architecture. */
function miniBrowser(): string {
  const within = '/usr/lib';
  const paths = existsSync(within)
    ? readdirSync(within).map((each) => `${within}/${each}/webkit2gtk-4.1/MiniBrowser`)
    : [];
  return paths.find((path) => existsSync(path)) ?? `${within}/…/webkit2gtk-4.1/MiniBrowser`;
}
