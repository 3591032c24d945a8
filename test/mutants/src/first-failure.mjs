/** A mutant is killed by the first example that fails: the smallest is of no interest, nor are the many that the tests take by themselves. */
import fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), endOnFailure: true, numRuns: 300 });
