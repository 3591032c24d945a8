/** What holds of threads, whoever computes what and whoever dies. */
import { hold } from './properties/hold.ts';
import { pool } from './properties/pool.ts';
import { threads } from './properties/threads.ts';

hold([...threads, ...pool]);
