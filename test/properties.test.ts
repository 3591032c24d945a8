/** What holds of attention to the bit, a thousand times on each build. */
import { bits } from './properties/bits.ts';
import { hold } from './properties/hold.ts';

hold(bits);
