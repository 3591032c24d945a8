/**
 * A worker of the embedder's own. Imports run first, in their order: so what the worker needs before heed (logging, a profiler, a policy)
 * goes into a module of its own, imported above heed's. From there on the worker is heed's.
 */
import 'heed/worker';
