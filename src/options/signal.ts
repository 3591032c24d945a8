/** The option that asynchronous calls have beside those of the synchronous ones. */
import { HeedTypeError } from '../errors.ts';
import { kindOf } from '../words.ts';

/**
 * What heed uses of an `AbortSignal`. That name is lib.dom's or @types/node's, and a project may have neither: then a declaration that
 * said it would be an error there.
 */
export interface Signal {
  /** Whether the call shall end, or shall not begin. */
  readonly aborted: boolean;
  /** What the call rejects with then. */
  readonly reason: unknown;
  /**
   * Throws the reason of one that is aborted.
   *
   * @throws the reason
   */
  throwIfAborted(): void;
  /**
   * Has the listener told when it is aborted.
   *
   * @param type of the event
   * @param listener is called once
   * @throws nothing of its own
   */
  addEventListener(type: 'abort', listener: () => void): void;
  /**
   * Has it not told any more: the call is over.
   *
   * @param type of the event
   * @param listener that was added
   * @throws nothing of its own
   */
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** What an asynchronous call takes too. */
export interface Abortable {
  /**
   * An `AbortSignal`, which ends the call: it rejects with the signal's reason. It is looked at between the parts of the work, each of which takes about a
   * millisecond. What `out` holds then is not defined. Default: none.
   */
  readonly signal?: Signal | undefined;
}

/** An asynchronous call's options, told apart. */
interface Taken {
  readonly signal: Signal | undefined;
  /** What a synchronous call would be given. */
  readonly rest: unknown;
}

/** Reads each option once. ERR_ARG_TYPE. */
export function takeSignal(op: string, options: unknown): Taken {
  if (typeof options !== 'object' || options === null || !Object.hasOwn(options, 'signal')) {
    return { signal: undefined, rest: options };
  }
  const rest = Object.create(null) as Record<string, unknown>;
  let signal: unknown;
  for (const name of Object.getOwnPropertyNames(options)) {
    const value: unknown = (options as Record<string, unknown>)[name];
    if (name === 'signal') signal = value;
    else rest[name] = value;
  }
  if (signal === undefined) return { signal, rest };
  if (isSignal(signal)) return { signal, rest };
  const received = kindOf(signal);
  throw new HeedTypeError('ERR_ARG_TYPE', { op, arg: 'signal', expected: 'AbortSignal', received });
}

/** One of any realm, with all that is asked of it later: what failed then would be a call that never settles. */
function isSignal(x: unknown): x is Signal {
  if (typeof x !== 'object' || x === null) return false;
  const { aborted, addEventListener, removeEventListener, throwIfAborted } = x as Record<string, unknown>;
  const methods = [addEventListener, removeEventListener, throwIfAborted];
  return typeof aborted === 'boolean' && methods.every((each) => typeof each === 'function');
}
