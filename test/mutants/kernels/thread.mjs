/** Begins the thread that judges: TypeScript, and stand-ins for what tests import. */
import { register } from 'node:module';
import { register as registerTypeScript } from 'tsx/esm/api';

registerTypeScript();
register('./hooks.mjs', import.meta.url);
await import('./worker.ts');
