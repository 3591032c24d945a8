/** The mutants of a build's testing module: which there are, in which order they are tried, and their bytes. */
import { readFileSync } from 'node:fs';
import binaryen from 'binaryen';
import { uniform } from '../../data.ts';
import { changesOf, type Change } from './operators.ts';
import { field, setField, sitesOf, textOf, type Ref } from './ir.ts';

export interface Mutant {
  /** Function, place among its expressions, and change: the same in every run over the same module. */
  readonly id: string;
  /** Where in the source its function is: `kernels/f32-dot/f32Dot`. */
  readonly place: string;
  readonly func: number;
  readonly change: Change;
  /** What is changed is an operand of it; where a condition is negated, what it decides. */
  readonly around: Ref;
  /** The statement that it is in. */
  readonly statement: Ref;
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
    countLoops(this.#module);
  }

  /** The module with one change. */
  bytesOf({ change }: Mutant): Uint8Array<ArrayBuffer> {
    const undo = change.make(this.#module);
    const bytes = this.#module.emitBinary();
    undo();
    return new Uint8Array(bytes);
  }

  /** The expression that a change is in, or the statement, as it was. */
  textOf({ func, ...where }: Mutant, part: 'around' | 'statement'): string {
    const { body } = binaryen.getFunctionInfo(this.#module.getFunctionByIndex(func));
    return textOf(where[part] || body);
  }

  /** The module, right as it is, that calls env.touch with a function's number when it enters it. */
  telling(): Uint8Array<ArrayBuffer> {
    const module = read(this.#file);
    countLoops(module);
    for (const func of functionsOf(module)) {
      const { body } = binaryen.getFunctionInfo(module.getFunctionByIndex(func));
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
          const around = change.what.endsWith(' negated') ? site.ref : site.around;
          const { statement } = site;
          yield { id: `${place} #${at}: ${change.what}`, place, func, change, around, statement };
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

/** As asc has made it, without code that is never reached. */
function read(file: string): binaryen.Module {
  const module = binaryen.readBinary(readFileSync(file));
  module.setFeatures(binaryen.Features.All);
  // asc leaves what a literal epilogue rules out, and locals that nothing reads: nothing gets there, so no test could tell.
  module.runPasses(['precompute-propagate', 'simplify-locals-nostructure', 'vacuum']);
  return module;
}

/** Lets each loop count down env.rounds as it goes round, and trap below 0: a mutant that would never end does. */
function countLoops(module: binaryen.Module): void {
  const { i32, global } = module;
  for (const func of functionsOf(module)) {
    for (const site of [...sitesOf(module.getFunctionByIndex(func))].filter(({ kind }) => kind === 'Loop')) {
      const body = field(site, 'Body');
      const count = global.set('rounds', i32.sub(global.get('rounds', binaryen.i32), i32.const(1)));
      const isOver = i32.lt_s(global.get('rounds', binaryen.i32), i32.const(0));
      const counted = [count, module.if(isOver, module.unreachable()), body];
      setField(site, 'Body', module.block(null, counted, binaryen.getExpressionType(body)));
    }
  }
  module.addGlobalImport('rounds', 'env', 'rounds', binaryen.i32, true);
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
