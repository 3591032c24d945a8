/** The AssemblyScript compiler, run with warnings as errors. It writes its files itself. */
import asc from 'assemblyscript/asc';

export async function compile(...args) {
  const { error, stderr } = await asc.main(args);
  const messages = stderr.toString();
  if (error || messages.includes('WARNING'))
    throw new Error(`asc ${args.join(' ')}\n${messages}`, { cause: error });
}
