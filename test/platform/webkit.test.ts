/** Threads in WebKitGTK, which has shared memory behind a switch only. */
import { describe, it } from 'vitest';
import { WEBKIT, WEBKIT_SHARED } from './browsers.ts';
import { ISOLATED, checkIn, testIn } from './situations.ts';

testIn(WEBKIT_SHARED);

describe('a page in WebKitGTK as it is', () => {
  it('has one thread, and says why', async () => {
    const options = { code: 'ERR_NO_THREADS', says: ['this JavaScript engine has no shared memory'] };
    await checkIn(WEBKIT, { headers: ISOLATED, check: 'oneThread', options });
  });
});
