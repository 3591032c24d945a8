/** What holds of attention inside its law, a thousand times on each build. */
import { hold } from './properties/hold.ts';
import { laws } from './properties/laws.ts';

hold(laws);
