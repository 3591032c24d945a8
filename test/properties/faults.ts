/** After any fault an engine has the bits of a fresh one (P21): what is refused, by the fuzz of the door (test/fuzz/fuzz.ts). */
import fc from 'fast-check';
import { expect } from 'vitest';
import { Fuzz, plans } from '../fuzz/fuzz.ts';
import type { Property } from './property.ts';

const anyFault: Property = {
  name: 'after any fault an engine has the bits of a fresh one (P21)',
  on: async ({ features }) => {
    const fuzz = await Fuzz.make(features.simd);
    let [refused, all] = [0, 0];
    const faulty = plans.filter(({ faults }) => faults.length > 0);
    const property = fc.asyncProperty(faulty, async (plan) => {
      const { end } = await fuzz.run(plan);
      all++;
      if (end === 'returned') return;
      refused++;
      fuzz.golden();
    });
    return {
      property,
      proves: () => {
        expect(refused / all, 'refused').toBeGreaterThan(0.3);
      },
      dispose: () => {
        fuzz.dispose();
      },
    };
  },
};

export const faults: readonly Property[] = [anyFault];
