/** In the worker: what tests import as vitest and as their builds, and the engines' own test, are the stand-ins beside this file. */
const standIns = [
  [/^vitest$/, 'stand-in-vitest.ts'],
  [/^\.\.?\/builds\.ts$/, 'stand-in-builds.ts'],
  [/^\.\/self-test\.ts$/, 'stand-in-self-test.ts'],
];

export async function resolve(specifier, context, next) {
  // The stand-ins need what they stand in for.
  const inside = context.parentURL?.includes('/mutants/') === true;
  const found = inside ? undefined : standIns.find(([name]) => name.test(specifier));
  return next(found === undefined ? specifier : new URL(found[1], import.meta.url).href, context);
}
