/** The types of goldens.mjs. `heed` is the package, or what stands for it: a layer is made by its class. */
import type { Engine, MultiHeadAttention } from '../../../src/index.ts';

interface Heed {
  readonly MultiHeadAttention: typeof MultiHeadAttention;
}

export interface Golden {
  readonly name: string;
  /** Whether it can be asked for asynchronously. */
  readonly later?: boolean;
}

export const GOLDENS: readonly Golden[];

/** SHA-256 of the bits of one member's results; by default of member 0, alone. `how`: by the asynchronous function. */
export function hashOf(
  heed: Heed,
  engine: Engine,
  golden: Golden,
  options?: { readonly members?: readonly number[]; readonly place?: number; readonly how?: '' | 'Async' },
): Promise<string>;

/** All by name; where a golden's ways disagree, all of them instead of a hash. */
export function hashes(heed: Heed, engine: Engine): Promise<Record<string, string>>;
