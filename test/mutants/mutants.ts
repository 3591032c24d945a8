/** The mutants of a build's testing module: which there are, in which order they are tried, and their bytes. */
import { readFileSync } from 'node:fs';
import binaryen from 'binaryen';
import { uniform } from '../data.ts';
import { changesOf, type Change } from './operators.ts';
import { sitesOf } from './ir.ts';

export interface Mutant {
  /** Function, place among its expressions, and change: the same in every run over the same module. */
  readonly id: string;
  /** Where in the source its function is: `kernels/f32-dot/f32Dot`. */
  readonly place: string;
  readonly func: number;
  readonly change: Change;
}

/** A module in binaryen's hands. Its functions are told by their number there. */
export class Original {
  readonly mutants: readonly Mutant[];
  readonly #module: binaryen.Module;
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
    this.#module = read(file);
    this.mutants = [...this.#all()];
  }

  /** The module with one change. */
  bytesOf({ change }: Mutant): Uint8Array<ArrayBuffer> {
    const undo = change.make(this.#module);
    const bytes = this.#module.emitBinary();
    undo();
    return new Uint8Array(bytes);
  }

  /** The line of the function's body that a change is in, as it was and as it is; binaryen's text, not asc's. */
  lineOf({ change, func }: Mutant): string {
    const { body } = binaryen.getFunctionInfo(this.#module.getFunctionByIndex(func));
    const text = () => binaryen.emitText(body).split('\n');
    const before = text();
    const undo = change.make(this.#module);
    const after = text();
    undo();
    const at = before.findIndex((line, i) => line !== after[i]);
    return `line ${at + 1}: ${before[at]?.trim() ?? ''} → ${after[at]?.trim() ?? ''}`;
  }

  /** The module, right as it is, that calls env.touch with a function's number when it enters it. */
  telling(): Uint8Array<ArrayBuffer> {
    const module = read(this.#file);
    for (const func of functionsOf(module)) {
      const { body, name } = binaryen.getFunctionInfo(module.getFunctionByIndex(func));
      if (name.endsWith('heapBase')) continue;
      const tell = module.call('touch', [module.i32.const(func)], binaryen.none);
      const type = binaryen.getExpressionType(body);
      setBody(module.getFunctionByIndex(func), module.block(null, [tell, body], type));
    }
    module.addFunctionImport('touch', 'env', 'touch', binaryen.createType([binaryen.i32]), binaryen.none);
    return new Uint8Array(module.emitBinary());
  }

  *#all(): Generator<Mutant> {
    for (const func of functionsOf(this.#module)) {
      const { name } = binaryen.getFunctionInfo(this.#module.getFunctionByIndex(func));
      const place = name.replace(/^assembly\//, '');
      let at = 0;
      for (const site of sitesOf(this.#module.getFunctionByIndex(func))) {
        for (const change of changesOf(site)) {
          yield { id: `${place} #${at}: ${change.what}`, place, func, change };
        }
        at++;
      }
    }
  }
}

/** In an order that begins with as many functions as there are, and within a function anywhere. */
export function inTurns(mutants: readonly Mutant[], seed: number): Mutant[] {
  const next = uniform(seed);
  const shuffled = mutants.map((mutant) => ({ mutant, key: next() })).sort((a, b) => a.key - b.key);
  const turns = new Map<number, number>();
  const placed = shuffled.map(({ mutant }) => {
    const turn = turns.get(mutant.func) ?? 0;
    turns.set(mutant.func, turn + 1);
    return { mutant, turn };
  });
  return placed.sort((a, b) => a.turn - b.turn).map(({ mutant }) => mutant);
}

function read(file: string): binaryen.Module {
  const module = binaryen.readBinary(readFileSync(file));
  module.setFeatures(binaryen.Features.All);
  return module;
}

/** Those that have a body. */
function functionsOf(module: binaryen.Module): number[] {
  return Array.from({ length: module.getNumFunctions() }, (_, i) => i).filter((i) => {
    return binaryen.getFunctionInfo(module.getFunctionByIndex(i)).module === '';
  });
}

function setBody(func: number, body: number): void {
  const { Function } = binaryen as unknown as { Function: { setBody(func: number, body: number): void } };
  Function.setBody(func, body);
}
