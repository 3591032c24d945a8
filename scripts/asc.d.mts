/** Typed by hand: the compiler's own declarations make the globals of AssemblyScript those of every TypeScript file. */
export function compile(...args: string[]): Promise<void>;
