/** A worker of the embedder's own: what it needs first (logging, a profiler, a policy) stands here. From there on it is heed's. */
import 'heed/worker';
