/** A mutant is killed by the first example that fails: the smallest is of no interest. */
import fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), endOnFailure: true });
