/** A worker of a page's own, for bundlers: what `workerFactory` may start. */
import 'heed/worker';
