/** What is said where an engine may not have, or the system does not give, the memory that is needed. */
import { MemoryLimitError } from '../errors.ts';

/** A limit that is below what every engine needs. */
export function tooLittle(op: string, needed: number, limit: number): MemoryLimitError {
  const problem = `an engine needs ${needed} bytes at least, where maxMemory is ${limit}`;
  return new MemoryLimitError('ERR_MEMORY_LIMIT', { op, problem, needed, limit, inUse: 0 });
}

/** `needed` bytes more than the `inUse` there are. `cause`: why the system has refused them, if it has. */
export function tooMuch(
  op: string,
  needed: number,
  inUse: number,
  limit: number,
  cause: unknown,
): MemoryLimitError {
  const split = 'split the batch or the queries into several calls';
  let [why, hint] = ['', `${split}, or raise maxMemory`];
  if (cause !== undefined) [why, hint] = [', and the system refuses to give more', split];
  else if (inUse + needed <= limit) {
    why = ', but in no piece that is large enough';
    hint = 'tensors lie between: make them after the largest call, or dispose of them';
  }
  const problem = `needs ${needed} bytes more, where ${inUse} of ${limit} are in use${why}`;
  return new MemoryLimitError('ERR_MEMORY_LIMIT', { op, problem, hint, needed, limit, inUse, cause });
}
