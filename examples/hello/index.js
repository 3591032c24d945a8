/**
 * Hello, attention. First the textbook example "You found me", every step of it; then the same on real input: the two
 * transformer blocks of PP-OCRv4's text recogniser, reading an image of these three words.
 *
 *   npm run build && node examples/hello
 */
import { attentionWeights, matmul } from 'heed';
import { attend, blocks, letters, manifest, modelDim, seqQ, tensor } from '../pp-ocr.js';
import { heatMap, matrix, shades, title } from './print.js';

textbook();
realModel();

function textbook() {
  const words = ['You', 'found', 'me'];
  const X = Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2);
  const wq = Float32Array.of(0, 0.2, 0.1, 0, 0, 0.2, 0.1, 0);
  const wk = Float32Array.of(0.1, 0, 0, 0.2, 0.1, 0, 0, 0.1);
  const wv = Float32Array.of(0.1, 0.1, 0.1, 0.1, 0, 0, 0, 0);

  title('1  The textbook example: "You found me"');
  matrix('X', 'one row of 4 features a word', X, 4, words);

  // Each word asks (Q), offers (K) and carries (V).
  const project = (w) => matmul(X, w, { M: 3, K: 4, N: 2 });
  const [Q, K, V] = [project(wq), project(wk), project(wv)];
  matrix('Q = X·W^Q', 'what each word asks', Q, 2, words);
  matrix('K = X·W^K', 'what each word offers', K, 2, words);
  matrix('V = X·W^V', 'what each word carries', V, 2, words);

  // How well does each question meet each offer? Scaled by 1/√2.
  const scores = matmul(Q, K, { M: 3, K: 2, N: 3, transposeB: true }).map((s) => s / Math.SQRT2);
  matrix('Q·Kᵀ / √2', 'scaled scores', scores, 3, words, words);

  // One call for the rest: softmax row by row, then the weighted sum of V.
  const { weights, out } = attentionWeights(Q, K, V, { seqQ: 3, headDim: 2 });
  matrix('softmax', 'weights: each row sums to 1', weights, 3, words, words);
  console.log('  from the lightest to the darkest of these weights:\n');
  heatMap(weights, words, words, { stretch: true });
  matrix('weights·V', 'the output: each word, having looked at all', out, 2, words);

  const expected = [0.1105, 0.1105, 0.1115, 0.1115, 0.1125, 0.1125];
  if (!expected.every((x, i) => Math.abs(x - out[i]) <= 0.00005)) throw new Error('not the textbook result');
}

function realModel() {
  const { heads, headDim } = manifest;
  const columns = letters('·');

  title('2  Real input: two transformer blocks of PP-OCRv4 reading an image');
  console.log(`  ${seqQ} columns of the image, ${modelDim} features each, ${heads} heads of ${headDim}.`);
  console.log(`  What the model reads, column by column: ${columns.join('')}\n`);

  for (const [i, block] of blocks.entries()) {
    const layer = `layer ${i + 1}`;
    const { out, weights } = attend(block);
    const models = tensor(`${block}.attention.output`);
    const off = largestDifference(out, models);
    const size = models.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    const resolution = 2 ** (Math.floor(Math.log2(size)) - 23);
    console.log(
      `  ${layer}: ${seqQ} × ${modelDim} outputs, at most ${off.toExponential(1)} from what the model itself computed.`,
    );
    console.log(
      `           The largest value is ${size.toFixed(2)}; float32's own resolution there is ${resolution.toExponential(1)}.`,
    );
    // Only a plainly different result stops the example: test/model.test.ts is what holds heed to the law of its accuracy.
    if (!(off <= size / 100)) throw new Error(`${layer} is plainly not what the model computed`);
    if (i === 0) continue;

    const head = sharpest(weights, heads, seqQ);
    console.log(`\n  Where each column looks, ${layer}, head ${head + 1} (${shades}: 0 … 1):\n`);
    heatMap(weights.subarray(head * seqQ * seqQ, (head + 1) * seqQ * seqQ), columns, columns, {
      stretch: false,
    });
  }
}

function largestDifference(a, b) {
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);
}

/** The head whose rows have the highest peaks. */
function sharpest(weights, heads, seq) {
  const peaks = Array.from({ length: heads }, (_, h) => {
    let sum = 0;
    for (let i = 0; i < seq; i++)
      sum += Math.max(...weights.subarray((h * seq + i) * seq, (h * seq + i + 1) * seq));
    return sum / seq;
  });
  return peaks.indexOf(Math.max(...peaks));
}
