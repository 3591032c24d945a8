/** What holds of caches, whatever is done with them. */
import { caches } from './properties/caches.ts';
import { hold } from './properties/hold.ts';

hold(caches);
