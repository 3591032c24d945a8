/** Before the run: one line for each build that this engine cannot run. */
import { missing } from './builds.ts';

export default function announce(): void {
  for (const line of missing) console.log(line);
}
