/** Decoding: the prompt in one pass, then token by token; and what it took. */
import { cached, forward } from './model.js';
import { argmax } from './compare.js';

/** A cache a layer, and how many bytes of the engine's memory they take. */
export function makeCaches(engine, { layers, kvHeads, headDim }, capacity, dtype) {
  const before = engine.memory.used;
  const caches = Array.from({ length: layers }, () => engine.kvCache({ kvHeads, headDim, capacity, dtype }));
  return { caches, bytes: engine.memory.used - before };
}

/**
 * @param next (logits of the last token, how many tokens there are) → the token that follows
 * @returns tokens, prompt included; logits [tokens, vocabulary]; milliseconds of the prompt and of each token after it;
 *   the engine's memory before and after the steps
 */
export function decode(engine, model, caches, { prompt, length, next = argmax, tick = () => undefined }) {
  const { vocabulary } = model.sizes;
  const attend = cached(caches, model.sizes);
  const tokens = [...prompt];
  const logits = new Float32Array(length * vocabulary);
  const times = [];

  const start = performance.now();
  logits.set(forward(model, tokens, 0, attend));
  const promptTime = performance.now() - start;

  const before = engine.memory;
  while (tokens.length < length) {
    tick(tokens.length);
    const position = tokens.length;
    const last = logits.subarray((position - 1) * vocabulary, position * vocabulary);
    const begin = performance.now();
    tokens.push(next(last, position));
    logits.set(forward(model, tokens.slice(position), position, attend), position * vocabulary);
    times.push(performance.now() - begin);
  }
  return { tokens, logits, promptTime, times, memory: { before, after: engine.memory } };
}
