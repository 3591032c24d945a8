/** What is printed, and the judgements. */
import { countDifferent, largest, largestDifference, median, smallestLead, winners } from './compare.js';

const exponential = (x) => x.toExponential(1);
const kilobytes = (bytes) => `${(bytes / 1e3).toLocaleString('en', { maximumFractionDigits: 0 })} kB`;
const verdict = (holds) => (holds ? 'holds' : 'FAILS');

export function introduce(source, count, sizes, promptLength, length) {
  const { layers, modelDim, heads, kvHeads, headDim, hiddenDim, vocabulary } = sizes;
  const title = `A decoder of ${layers} layers, token by token`;
  console.log(`
${title}
${'─'.repeat(title.length)}

  weights: ${source}, ${(count / 1e6).toFixed(1)} million numbers; so tokens are only numbers, too
  modelDim ${modelDim}, ${heads} query heads, ${kvHeads} key heads, headDim ${headDim}, MLP ${hiddenDim}, ${vocabulary} tokens
  ${promptLength} tokens as a prompt in one pass, then ${length - promptLength} one by one: always the likeliest
`);
}

/** Whether no step took memory of the engine. */
export function reportSpeed({ tokens, promptTime, times, memory }, promptLength) {
  const { before, after } = memory;
  const made = tokens.slice(promptLength);
  const step = median(times);
  const steady = after.used === before.used;
  console.log(`  tokens        ${made.slice(0, 10).join(' ')} … (${new Set(made).size} different)
  prompt        ${promptTime.toFixed(1)} ms
  one token     ${step.toFixed(2)} ms (median), ${(1000 / step).toFixed(0)} tokens a second
  memory        ${kilobytes(before.used)} of the engine in use before the first step, ${kilobytes(after.used)} after the last
                (to the byte)   ${verdict(steady)}
`);
  return steady;
}

/** Whether decoding with a cache is recomputing all positions. */
export function reportAgreement({ single, recomputed, truth, limits }, { vocabulary }) {
  const { tokens, logits } = single;
  const rows = [
    ['cached and recomputed', largestDifference(logits, recomputed), 2 * limits.limit],
    ['cached and float64', largestDifference(truth, logits), limits.limit],
    ['recomputed and float64', largestDifference(truth, recomputed), limits.limit],
  ];
  const moved = countDifferent(winners(logits, vocabulary), winners(recomputed, vocabulary));
  const same = moved === 0;
  console.log(`  With cache, and all ${tokens.length} positions recomputed in one pass
  (${tokens.length} × ${vocabulary} logits, the largest ${largest(truth).toFixed(1)}; largest difference between)
`);
  for (const [name, difference, limit] of rows) {
    console.log(
      `    ${name.padEnd(24)} ${exponential(difference)}   bound ${exponential(limit)}   ${verdict(difference <= limit)}`,
    );
  }
  console.log(`    the likeliest token      ${tokens.length - moved} of ${tokens.length} the same   ${verdict(same)}
                             (it leads by ${exponential(smallestLead(truth, vocabulary))} at the least)

  The bound is √K·M, and twice that between two float32 results. M = ${exponential(limits.M)}: how
  far logits move where every weight moves by one float32 rounding. K = ${limits.K}: the
  longest sum. See bound.js.
`);
  return same && rows.every(([, difference, limit]) => difference <= limit);
}

/** Whether float16 keys and values took half the memory. */
export function reportHalf({ single, half }, { vocabulary }) {
  const moved = countDifferent(winners(single.logits, vocabulary), winners(half.logits, vocabulary));
  const smaller = half.bytes * 2 === single.bytes;
  console.log(`  Keys and values in float16, the same tokens

    caches                   ${kilobytes(single.bytes)} in float32, ${kilobytes(half.bytes)} in float16   ${verdict(smaller)}
    logits move by           ${exponential(largestDifference(single.logits, half.logits))} at most
    the likeliest token      ${single.tokens.length - moved} of ${single.tokens.length} the same
`);
  return smaller;
}
