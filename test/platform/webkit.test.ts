/** Threads in WebKitGTK, which has shared memory behind a switch only. */
import { describe, it } from 'vitest';
import { WEBKIT, WEBKIT_SHARED } from './browsers.ts';
import { ISOLATED, checkIn, noThreads, testIn } from './situations.ts';

testIn(WEBKIT_SHARED);

describe('a page in WebKitGTK as it is', () => {
  it('has one thread, and says why', async () => {
    const options = noThreads('this JavaScript engine has no shared memory for WebAssembly');
    await checkIn(WEBKIT, { headers: ISOLATED, check: 'oneThread', options });
  });
});
