/** The first panel: "You found me", every step of attention as a matrix whose numbers say what made them. */
import { byId, element } from '../dom.ts';
import { Grid, type GridOptions } from '../grid.ts';
import { draw, type Matrix } from './draw.ts';
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

export function startTextbook(): void {
  let sentence = textbook();
  const place = byId('steps', HTMLDivElement);
  const inspector = byId('inspector', HTMLDivElement);
  const word = byId('word', HTMLInputElement);
  let steps = stepsOf(sentence);
  let grids = new Map<string, Grid>();
  let looked: readonly [name: string, row: number, column: number] = ['weights:0', 2, 1];

  /** Says what made a number; `instead` of the sums, where there is something else to say. */
  const look = (name: string, row: number, column: number, instead?: string): void => {
    looked = [name, row, column];
    const { title, left, right, lines, marks } = explain(name, row, column, sentence, steps);
    const sums = instead === undefined ? lines : [instead];
    inspector.replaceChildren(
      element('p', { class: 'title' }, title),
      ...(left ? [element('p', { class: 'side', 'data-tone': 'left' }, left)] : []),
      ...(right ? [element('p', { class: 'side', 'data-tone': 'right' }, right)] : []),
      ...sums.map((line) => element('p', { class: 'sum' }, line)),
    );
    for (const grid of grids.values()) grid.mark(marks);
  };

  const refuse: GridOptions['refuse'] = (name, row, column, text, kept) => {
    look(name, row, column, `“${text}” is no number that a float32 can hold: ${kept} stays.`);
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
    const matrix: Matrix = (options) => {
      const grid = new Grid({ ...options, look, refuse });
      grids.set(options.name, grid);
      return grid.element;
    };
    place.replaceChildren(...draw(sentence, matrix, follow));
    showWords(sentence, word, rebuild);
    follow();
  };

  byId('add-word', HTMLFormElement).addEventListener('submit', (event) => {
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
    sentence = { ...textbook(), heads: sentence.heads };
    rebuild();
  });
  rebuild();
}

/** The words, each with a way to take it out, and how many more there may be. */
function showWords(sentence: Sentence, word: HTMLInputElement, changed: () => void): void {
  const { words } = sentence;
  const list = byId('words', HTMLUListElement);
  const items = words.map((each, at) => {
    const remove = element(
      'button',
      { type: 'button', 'aria-label': `Remove “${each}”`, disabled: words.length === 1 },
      '×',
    );
    remove.addEventListener('click', () => {
      removeWord(sentence, at);
      changed();
      // The button that had the focus is gone: the next one, or the last, has it; the last word has none that works.
      const next = list.querySelectorAll('button')[Math.min(at, words.length - 1)]!;
      (next.disabled ? word : next).focus();
    });
    return element('li', {}, element('span', {}, each), remove);
  });
  list.replaceChildren(...items);
  const full = words.length === MAX_WORDS;
  // Not disabled: who has just typed into it would lose the focus.
  word.readOnly = full;
  word.placeholder = full ? `${MAX_WORDS} words at most` : 'another word';
  byId('add', HTMLButtonElement).disabled = full;
}

function show(grids: ReadonlyMap<string, Grid>, sentence: Sentence, steps: Steps): void {
  const width = sentence.heads * HEAD_DIM;
  const used = (w: Float32Array): Float32Array => w.filter((_, i) => i % WIDTH < width);
  const { q: Q, k: K, v: V, joined, result } = steps;
  const [WQ, WK, WV] = [used(sentence.wq), used(sentence.wk), used(sentence.wv)];
  const WO = sentence.wo.subarray(0, width * MODEL_DIM);
  const values = new Map<string, Float32Array>([
    ...Object.entries({ X: sentence.x, WQ, WK, WV, Q, K, V, joined, WO, result }),
    ...steps.heads.flatMap((head, h) =>
      Object.entries(head).map(([name, matrix]: [string, Float32Array]) => [`${name}:${h}`, matrix] as const),
    ),
  ]);
  for (const [name, grid] of grids) grid.show(values.get(name)!);
}
