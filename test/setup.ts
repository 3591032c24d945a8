/** Before every test file: the same seed for every property test. */
import fc from 'fast-check';

fc.configureGlobal({ seed: 20240817 });
