/** The first panel: "You found me", every step of attention as a matrix whose numbers say what made them. */
import { byId, element } from '../dom.ts';
import { Grid, type GridOptions } from '../grid.ts';
import { explain } from './explain.ts';
import {
  HEAD_DIM,
  MAX_WORDS,
  MODEL_DIM,
  WIDTH,
  addWord,
  removeWord,
  textbook,
  type Sentence,
} from './sentence.ts';
import { stepsOf, type Steps } from './steps.ts';

const ROLES = [
  ['Q', 'wq', 'asks'],
  ['K', 'wk', 'offers'],
  ['V', 'wv', 'carries'],
] as const;

export function startTextbook(): void {
  const sentence = textbook();
  const place = byId('steps', HTMLDivElement);
  const inspector = byId('inspector', HTMLDivElement);
  let steps = stepsOf(sentence);
  let grids = new Map<string, Grid>();
  let looked: readonly [name: string, row: number, column: number] = ['weights:0', 2, 1];

  const look = (name: string, row: number, column: number): void => {
    looked = [name, row, column];
    const { title, left, right, lines, marks } = explain(name, row, column, sentence, steps);
    inspector.replaceChildren(
      element('p', { class: 'title' }, title),
      ...(left ? [element('p', { class: 'side', 'data-tone': 'left' }, left)] : []),
      ...(right ? [element('p', { class: 'side', 'data-tone': 'right' }, right)] : []),
      ...lines.map((line) => element('p', { class: 'sum' }, line)),
    );
    for (const grid of grids.values()) grid.mark(marks);
  };

  /** Computes all steps and shows their numbers. */
  const follow = (): void => {
    steps = stepsOf(sentence);
    show(grids, sentence, steps);
    look(...looked);
  };

  /** The same where there are other matrices than before. */
  const rebuild = (): void => {
    looked = ['weights:0', sentence.words.length - 1, Math.min(1, sentence.words.length - 1)];
    grids = new Map();
    const matrix = (options: Omit<GridOptions, 'look'>): HTMLElement => {
      const grid = new Grid({ ...options, look });
      grids.set(options.name, grid);
      return grid.element;
    };
    place.replaceChildren(...draw(sentence, matrix, follow));
    showWords(sentence, rebuild);
    follow();
  };

  const form = byId('add-word', HTMLFormElement);
  const word = byId('word', HTMLInputElement);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const text = word.value.trim();
    if (text === '' || sentence.words.length === MAX_WORDS) return;
    addWord(sentence, text);
    word.value = '';
    rebuild();
  });
  byId('heads-count', HTMLFieldSetElement).addEventListener('change', (event) => {
    sentence.heads = Number((event.target as HTMLInputElement).value);
    rebuild();
  });
  byId('reset', HTMLButtonElement).addEventListener('click', () => {
    Object.assign(sentence, textbook(), { heads: sentence.heads });
    rebuild();
  });
  rebuild();
}

/** The words, each with a way to take it out. */
function showWords(sentence: Sentence, changed: () => void): void {
  const { words } = sentence;
  const list = byId('words', HTMLUListElement);
  const items = words.map((word, at) => {
    const remove = element(
      'button',
      { type: 'button', 'aria-label': `Remove “${word}”`, disabled: words.length === 1 },
      '×',
    );
    remove.addEventListener('click', () => {
      removeWord(sentence, at);
      changed();
      // The button that had the focus is gone: the next one, or the last, has it.
      list.querySelectorAll('button')[Math.min(at, words.length - 1)]?.focus();
    });
    return element('li', {}, element('span', {}, word), remove);
  });
  list.replaceChildren(...items);
  for (const each of byId('add-word', HTMLFormElement).elements) {
    (each as HTMLInputElement | HTMLButtonElement).disabled = words.length === MAX_WORDS;
  }
}

/** The steps, from the words to the result; `matrix` makes and keeps a grid. */
function draw(
  sentence: Sentence,
  matrix: (options: Omit<GridOptions, 'look'>) => HTMLElement,
  changed: () => void,
): HTMLElement[] {
  const { words, heads } = sentence;
  const width = heads * HEAD_DIM;
  const features = numbered('f', MODEL_DIM);
  const dims = numbered('', width);
  const of = (array: Float32Array, stride: number) => (row: number, column: number, value: number) => {
    array[row * stride + column] = value;
    changed();
  };
  const projections = ROLES.map(([name, weights, verb]) => {
    const w = {
      ...{
        name: `W${name}`,
        title: ['W', sup(name)],
        label: `W ${name}`,
        rows: features,
        columns: dims,
        heads,
      },
      edit: of(sentence[weights], WIDTH),
    };
    const product = {
      ...{ name, title: [`${name} = X·W`, sup(name)], label: `${name}, what each word ${verb}` },
      ...{ rows: words, columns: dims, heads },
    };
    return element(
      'div',
      { class: 'stack' },
      element('p', { class: 'role' }, `what each word ${verb}`),
      matrix(w),
      matrix(product),
    );
  });
  const meetings = Array.from({ length: heads }, (_, h) => {
    const suffix = heads > 1 ? ` of head ${h + 1}` : '';
    const sub = heads > 1 ? [element('sub', {}, String(h + 1))] : [];
    const each = (
      name: string,
      title: readonly (Node | string)[],
      label: string,
      shaded = false,
    ): HTMLElement =>
      matrix({ name: `${name}:${h}`, title, label: label + suffix, rows: words, columns: words, shaded });
    return element(
      'div',
      { class: 'head', 'data-head': heads > 1 && h },
      ...(heads > 1 ? [element('p', { class: 'role' }, `head ${h + 1}`)] : []),
      each('products', ['Q', ...copies(sub), '·K', ...copies(sub), sup('T')], 'scores'),
      each('scores', [`÷ √${HEAD_DIM}`], 'scaled scores'),
      each('weights', ['softmax'], 'weights', true),
    );
  });
  const joined = matrix({
    ...{
      name: 'joined',
      title: [heads > 1 ? 'weights·V, head beside head' : 'weights·V'],
      label: 'weighted sums of V',
    },
    ...{ rows: words, columns: dims, heads },
  });
  const split =
    heads > 1
      ? ` The ${width} columns are ${heads} heads of ${HEAD_DIM}: to split is to look at some of the columns, no number moves.`
      : '';
  const steps = [
    step(
      'Words become numbers',
      `Each word is a row of X with ${MODEL_DIM} features. Framed numbers can be changed.`,
      matrix({
        ...{ name: 'X', title: ['X'], label: 'X, the words', rows: words, columns: features },
        edit: of(sentence.x, MODEL_DIM),
      }),
    ),
    step(
      'Each word asks, offers and carries',
      `Three matrices of weights turn a row of X into a query, a key and a value.${split}`,
      element('div', { class: heads > 1 ? 'columns heads' : 'columns' }, ...projections),
    ),
    step(
      'Every question meets every offer',
      `A score is the product of a query and a key, divided by √${HEAD_DIM} so that it does not grow with the number of dimensions. Softmax turns each row of scores into weights that sum to 1.`,
      ...meetings,
    ),
    step(
      heads > 1 ? 'Each head takes what it looked at' : 'Each word takes what it looked at',
      `The weighted sum of the values${heads > 1 ? ', head by head. Side by side they are the concatenation' : ': each word, having looked at all'}.`,
      joined,
    ),
  ];
  if (heads > 1) {
    const wo = matrix({
      ...{ name: 'WO', title: ['W', sup('O')], label: 'W O', rows: numbered('', width), columns: features },
      ...{ heads, divided: 'rows', edit: of(sentence.wo, MODEL_DIM) },
    });
    const result = matrix({
      ...{ name: 'result', title: ['result = concatenation·W', sup('O')], label: 'the result' },
      ...{ rows: words, columns: features },
    });
    const text =
      'One more matrix mixes what the heads found: each word has four features again, ready for the next layer.';
    steps.push(step('The heads are mixed', text, element('div', { class: 'columns' }, wo, result)));
  }
  return steps;
}

function show(grids: ReadonlyMap<string, Grid>, sentence: Sentence, steps: Steps): void {
  const width = sentence.heads * HEAD_DIM;
  const used = (w: Float32Array): Float32Array => w.filter((_, i) => i % WIDTH < width);
  const values = new Map<string, Float32Array>([
    ['X', sentence.x],
    ...([
      ['WQ', used(sentence.wq)],
      ['WK', used(sentence.wk)],
      ['WV', used(sentence.wv)],
    ] as const),
    ...([
      ['Q', steps.q],
      ['K', steps.k],
      ['V', steps.v],
    ] as const),
    ...steps.heads.flatMap(({ products, scores, weights }, h) => {
      return [
        [`products:${h}`, products],
        [`scores:${h}`, scores],
        [`weights:${h}`, weights],
      ] as const;
    }),
    ['joined', steps.joined],
    ['WO', sentence.wo.subarray(0, width * MODEL_DIM)],
    ['result', steps.result],
  ]);
  for (const [name, grid] of grids) grid.show(values.get(name)!);
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

const sup = (text: string): HTMLElement => element('sup', {}, text);

/** A node can be in one place only. */
const copies = (nodes: readonly Node[]): Node[] => nodes.map((node) => node.cloneNode(true));
