/** Before every test file: the same seed for every property test. */
import fc from 'fast-check';
import { tries } from './runs.ts';

fc.configureGlobal({ seed: tries().seed! });
