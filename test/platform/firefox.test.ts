/** Threads in Firefox. */
import { FIREFOX } from './browsers.ts';
import { testIn } from './situations.ts';

testIn(FIREFOX);
