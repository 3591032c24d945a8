/** The steps of the first panel from top to bottom: a title, a sentence, and empty matrices. */
import { element } from '../dom.ts';
import type { GridOptions } from '../grid.ts';
import { HEAD_DIM, MODEL_DIM, WIDTH, type Sentence } from './sentence.ts';

/** Makes a matrix, and keeps it. */
export type Matrix = (options: Omit<GridOptions, 'look' | 'refuse'>) => HTMLElement;

/** `changed` is called when a number of the sentence is another. */
export function draw(sentence: Sentence, matrix: Matrix, changed: () => void): HTMLElement[] {
  const given: Given = (array, stride) => (row, column, value) => {
    array[row * stride + column] = value;
    changed();
  };
  const steps = [
    words(sentence, matrix, given),
    projections(sentence, matrix, given),
    meetings(sentence, matrix),
    sums(sentence, matrix),
  ];
  return sentence.heads > 1 ? [...steps, mixture(sentence, matrix, given)] : steps;
}

/** What is done with a number that is typed into a matrix whose rows are `stride` apart. */
type Given = (array: Float32Array, stride: number) => NonNullable<GridOptions['edit']>;

/** X */
function words({ words, x }: Sentence, matrix: Matrix, given: Given): HTMLElement {
  const edit = given(x, MODEL_DIM);
  return step(
    'Words become numbers',
    `Each word is a row of X with ${MODEL_DIM} features. Framed numbers can be changed.`,
    matrix({ name: 'X', title: ['X'], label: 'X, the words', rows: words, columns: FEATURES, edit }),
  );
}

const ROLES = [
  ['Q', 'wq', 'asks'],
  ['K', 'wk', 'offers'],
  ['V', 'wv', 'carries'],
] as const;

/** Q = X·W^Q, K = X·W^K, V = X·W^V */
function projections(sentence: Sentence, matrix: Matrix, given: Given): HTMLElement {
  const { words, heads } = sentence;
  const columns = dimensions(sentence);
  const each = ROLES.map(([name, weights, verb]) => {
    const role = `what each word ${verb}`;
    const title = [`${name} = X·W`, sup(name)];
    const edit = given(sentence[weights], WIDTH);
    const W = { name: `W${name}`, title: ['W', sup(name)], label: `W ${name}`, rows: FEATURES };
    return element(
      'div',
      { class: 'stack' },
      element('p', { class: 'role' }, role),
      matrix({ ...W, columns, heads, edit }),
      matrix({ name, title, label: `${name}, ${role}`, rows: words, columns, heads }),
    );
  });
  const split = `The ${columns.length} columns are ${heads} heads of ${HEAD_DIM}: to split is to look at some of the columns, no number moves.`;
  const text = 'Three matrices of weights turn a row of X into a query, a key and a value.';
  return step(
    'Each word asks, offers and carries',
    heads > 1 ? `${text} ${split}` : text,
    element('div', { class: heads > 1 ? 'columns heads' : 'columns' }, ...each),
  );
}

/** Q·Kᵀ, ÷ √d, softmax, of each head */
function meetings({ words, heads }: Sentence, matrix: Matrix): HTMLElement {
  const each = Array.from({ length: heads }, (_, h) => {
    const [of, sub] = heads > 1 ? [` of head ${h + 1}`, String(h + 1)] : ['', ''];
    const square = { rows: words, columns: words };
    const Q = ['Q', element('sub', {}, sub)];
    const K = ['K', element('sub', {}, sub), sup('T')];
    return element(
      'div',
      { class: 'head', 'data-head': heads > 1 && h },
      ...(heads > 1 ? [element('p', { class: 'role' }, `head ${h + 1}`)] : []),
      matrix({ name: `products:${h}`, title: [...Q, '·', ...K], label: `scores${of}`, ...square }),
      matrix({
        name: `scores:${h}`,
        title: [`scaled: ÷ √${HEAD_DIM}`],
        label: `scaled scores${of}`,
        ...square,
      }),
      matrix({
        ...{ name: `weights:${h}`, title: ['weights: softmax'], label: `weights${of}` },
        ...{ ...square, shaded: true },
      }),
    );
  });
  return step(
    'Every question meets every offer',
    `A score is the product of a query and a key, divided by √${HEAD_DIM} so that it does not grow with the number of dimensions. Softmax turns each row of scores into weights that sum to 1.`,
    ...each,
  );
}

/** weights·V, head beside head */
function sums(sentence: Sentence, matrix: Matrix): HTMLElement {
  const { words, heads } = sentence;
  const many = heads > 1;
  const title = [many ? 'weights·V, head beside head' : 'weights·V'];
  const columns = dimensions(sentence);
  return step(
    many ? 'Each head takes what it looked at' : 'Each word takes what it looked at',
    many
      ? 'The weighted sum of the values, head by head. Side by side they are the concatenation.'
      : 'The weighted sum of the values: each word, having looked at all.',
    matrix({ name: 'joined', title, label: 'weighted sums of V', rows: words, columns, heads }),
  );
}

/** concatenation·W^O */
function mixture(sentence: Sentence, matrix: Matrix, given: Given): HTMLElement {
  const { words, heads, wo } = sentence;
  const W = {
    name: 'WO',
    title: ['W', sup('O')],
    label: 'W O',
    rows: dimensions(sentence),
    columns: FEATURES,
  };
  const title = ['result = concatenation·W', sup('O')];
  return step(
    'The heads are mixed',
    `One more matrix mixes what the heads found: each word has ${MODEL_DIM} features again, ready for the next layer.`,
    element(
      'div',
      { class: 'columns' },
      matrix({ ...W, heads, divided: 'rows', edit: given(wo, MODEL_DIM) }),
      matrix({ name: 'result', title, label: 'the result', rows: words, columns: FEATURES }),
    ),
  );
}

function step(title: string, text: string, ...content: readonly HTMLElement[]): HTMLElement {
  return element(
    'section',
    { class: 'step' },
    element('h3', {}, title),
    element('p', { class: 'text' }, text),
    element('div', { class: 'content' }, ...content),
  );
}

const numbered = (letter: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${letter}${i + 1}`);

const FEATURES: readonly string[] = numbered('f', MODEL_DIM);

/** Of all heads, side by side. */
const dimensions = ({ heads }: Sentence): readonly string[] => numbered('', heads * HEAD_DIM);

const sup = (text: string): HTMLElement => element('sup', {}, text);
