/** In the worker: what tests import as vitest, and as their builds, are the stand-ins beside this file. */
const standIns = {
  vitest: new URL('stand-in-vitest.ts', import.meta.url).href,
  builds: new URL('stand-in-builds.ts', import.meta.url).href,
};

export async function resolve(specifier, context, next) {
  const inside = context.parentURL?.includes('/mutants/') === true;
  if (specifier === 'vitest' && !inside) return { url: standIns.vitest, shortCircuit: true };
  if (/^\.\.?\/builds\.ts$/.test(specifier)) return { url: standIns.builds, shortCircuit: true };
  return next(specifier, context);
}
