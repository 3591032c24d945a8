/**
 * What a property is: something that holds of every random case, on every build. The fast suite tries each a thousand times
 * (test/properties*.test.ts), `npm run test:properties` as often as one likes (test/slow/properties.ts).
 */
import fc from 'fast-check';
import type { Engine } from '../../src/index.ts';

export interface Property {
  /** With its number in docs/reliability.md. */
  readonly name: string;
  /** On the build of that engine, which others may use too. */
  readonly on: (engine: Engine) => Trial | Promise<Trial>;
}

/** A property of one build, under trial. */
export interface Trial {
  readonly property: fc.IRawProperty<unknown>;
  /** Throws where what has been tried proves nothing: all was zeros, or hidden. */
  readonly proves?: () => void;
  readonly dispose?: () => void;
}

/** That of which one case at a time says whether it holds. */
export function holds<T>(
  name: string,
  cases: fc.Arbitrary<T>,
  check: (engine: Engine, given: T) => void,
): Property {
  return {
    name,
    on: (engine) => ({
      property: fc.property(cases, (given) => {
        check(engine, given);
      }),
    }),
  };
}
