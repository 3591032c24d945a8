/**
 * What a property is: something that holds of every random case, on every build. The fast suite tries each a thousand times
 * (test/properties*.test.ts), `npm run test:properties` as often as one likes (test/slow/properties.ts).
 */
import fc from 'fast-check';
import type { Engine } from '../../src/index.ts';
import { engineOf, type Build } from '../builds.ts';

export interface Property {
  /** With its number in docs/reliability.md. */
  readonly name: string;
  readonly on: (build: Build) => Trial | Promise<Trial>;
}

/** A property of one build. */
export interface Trial {
  readonly property: fc.IRawProperty<unknown>;
  /** Throws where what has been tried proves nothing: all was zeros, or hidden. */
  readonly proves?: () => void;
  readonly dispose?: () => void;
}

const engines = new Map<Build, Promise<Engine>>();

/** One engine of a build for all properties. */
export function engineFor(build: Build): Promise<Engine> {
  let engine = engines.get(build);
  if (engine === undefined) engines.set(build, (engine = engineOf(build)));
  return engine;
}

/** That of which one case at a time says whether it holds. */
export function holds<T>(
  name: string,
  cases: fc.Arbitrary<T>,
  check: (engine: Engine, given: T) => void,
): Property {
  return {
    name,
    on: async (build) => {
      const engine = await engineFor(build);
      return {
        property: fc.property(cases, (given) => {
          check(engine, given);
        }),
      };
    },
  };
}
