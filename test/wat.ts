/**
 * Reads the text that asc writes beside a module (build/*.wat): one instruction a line, and what opens a block is closed by
 * an `end` of its own. Enough to say what stands in a loop; text of another form is an error, never no loops.
 */

/** A loop with no loop inside. */
export interface Loop {
  /** Where it stands: `kernels/f32-dot/f32Dot`. */
  readonly place: string;
  /** Names of its instructions, those of both branches of an `if` too. */
  readonly instructions: readonly string[];
}

interface Open {
  readonly instructions: string[] | undefined;
  innermost: boolean;
}

/** The innermost loops of a module, in order. */
export function innermostLoops(text: string): Loop[] {
  const loops: Loop[] = [];
  let place = '';
  let open: Open[] = [];
  for (const line of text.split('\n')) {
    const opened = /^ \(func \$(?:assembly\/)?(\S+)/.exec(line);
    if (opened) [place, open] = [opened[1]!, []];
    if (line === ' )' && open.length > 0) throw new Error(`${place}: ${open.length} blocks are never closed`);
    const instruction = /^ {2,}([a-z]\S*)/.exec(line)?.[1];
    if (instruction === undefined) continue;
    if (instruction === 'end') {
      const closed = open.pop();
      if (closed === undefined) throw new Error(`${place}: "end" closes no block`);
      if (closed.instructions && closed.innermost) loops.push({ place, instructions: closed.instructions });
      continue;
    }
    for (const block of open) block.instructions?.push(instruction);
    if (instruction === 'loop') for (const block of open) block.innermost = false;
    if (instruction === 'loop') open.push({ instructions: [], innermost: true });
    if (instruction === 'block' || instruction === 'if')
      open.push({ instructions: undefined, innermost: false });
  }
  if (loops.length === 0) throw new Error('no function with a loop');
  return loops;
}
