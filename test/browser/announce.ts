/** Before the run in pages: the tests that do not run there, by reason. */
import type { Reporter } from 'vitest/node';
import { ofNode } from '../of-node.ts';

export default class Announce implements Reporter {
  onInit(): void {
    const files = new Map<string, string[]>();
    for (const [file, reason] of ofNode()) files.set(reason, [...(files.get(reason) ?? []), file]);
    console.log('Of Node alone:');
    for (const [reason, names] of files) console.log(`  ${names.join(', ')}: ${reason}`);
  }
}
