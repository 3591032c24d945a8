/**
 * Attention as a search. Keys and values are the sentence vectors of 778 real texts; a query is such a vector, too. softmax makes
 * of its scores how much each text answers it, and the scale says how sharply: it is one over the temperature.
 *
 *   npm run build && node examples/retrieval
 *
 *   texts.js    texts and vectors; installs them where they are missing
 *   search.js   the exhaustive search that attention is held to
 *   report.js   what is printed
 *
 * The exit code is 1 where attention with a large scale does not find what the exhaustive search finds.
 */
import { attention, attentionWeights } from 'heed';
import { rounding, search } from './search.js';
import { introduce, reportSharp, reportSoft, reportTemperatures } from './report.js';
import { readTexts } from './texts.js';

const { titles, vectors, dim, model } = readTexts();
const seqK = titles.length;
introduce(seqK, dim, model);

// No model is here to make a vector of a new question, so a text asks. Its own key is masked: it would find itself.
const asked = [
  'Use Mock Data',
  'Handling Self-Signed SSL Certificates in SAP Fiori Tools',
  'Rating Indicator',
].map((title) => titles.indexOf(title));
const queries = concatenate(asked.map(vectorOf));
const mask = butItself(asked);
const shape = { seqQ: asked.length, seqK, headDim: dim, mask };

const temperatures = [5, 20, 80, 320].map((scale) => {
  const { weights } = attentionWeights(queries, vectors, vectors, { ...shape, scale });
  return { scale, weights: weights.subarray(0, seqK) }; // of the first query
});
reportTemperatures(titles[asked[0]], temperatures);

// Softly: several texts answer.
const scale = 20;
const { weights } = attentionWeights(queries, vectors, vectors, { ...shape, scale });
for (const [i, at] of asked.entries())
  reportSoft(`"${titles[at]}"`, titles, weights.subarray(i * seqK, (i + 1) * seqK));

// Two questions in one: the sum of their vectors is as near to the one as to the other. Nothing is masked.
const [, a, b] = asked;
const both = vectorOf(a).map((x, d) => x + vectorOf(b)[d]);
const mixture = attentionWeights(both, vectors, vectors, { seqQ: 1, seqK, headDim: dim, scale });
reportSoft(`the sum of the last two, which find themselves now`, titles, mixture.weights);

// Sharply: every text asks for the nearest of the others. Values are what one wants to be told, here the texts' own numbers; the
// nearest takes all of the weight, so that the weighted sum is its number.
const every = titles.map((_, i) => i);
const sharp = 1e6;
const start = performance.now();
const found = attention(vectors, vectors, Float32Array.from(every), {
  ...{ seqQ: seqK, seqK, headDim: dim, valueDim: 1, mask: butItself(every), scale: sharp },
});
const milliseconds = performance.now() - start;
const searched = search(vectors, dim);
const limit = rounding(dim);
if (!reportSharp(titles, found, searched, { scale: sharp, limit, milliseconds })) process.exitCode = 1;

function vectorOf(text) {
  return vectors.subarray(text * dim, (text + 1) * dim);
}

function concatenate(rows) {
  return Float32Array.from(rows.flatMap((row) => [...row]));
}

/** The mask [seqQ, seqK] of these queries: every text but their own. */
function butItself(texts) {
  const bytes = new Uint8Array(texts.length * seqK).fill(1);
  for (const [i, text] of texts.entries()) bytes[i * seqK + text] = 0;
  return bytes;
}
