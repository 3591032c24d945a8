/**
 * After any fault an engine computes as a fresh one.
 *
 * @node it makes hundreds of realms, which in a page are frames
 */
import { faults } from './properties/faults.ts';
import { hold } from './properties/hold.ts';

hold(faults);
