/** What made a number, in words, and which rows and columns of which matrices. */
import type { Mark } from '../grid.ts';
import { short, shown } from '../numbers.ts';
import { HEAD_DIM, MODEL_DIM, WIDTH, type Sentence } from './sentence.ts';
import type { Steps } from './steps.ts';

export interface Explanation {
  readonly title: string;
  /** The two vectors that met, where two did. */
  readonly left?: string;
  readonly right?: string;
  /** Step by step. */
  readonly lines: readonly string[];
  readonly marks: readonly Mark[];
}

/** The two sides of a sum of products: what they are called, their numbers, where they stand. */
interface Side {
  readonly name: string;
  readonly values: readonly number[];
  readonly mark: Omit<Mark, 'tone'>;
}

/** Of the number in this row and column of a matrix; `name` is the matrix, a matrix of one head has its number behind a colon. */
export function explain(
  name: string,
  row: number,
  column: number,
  sentence: Sentence,
  steps: Steps,
): Explanation {
  const [matrix, head = 0] = name.split(':').map((part, i) => (i === 0 ? part : Number(part))) as [
    string,
    number?,
  ];
  const { words, heads } = sentence;
  const width = heads * HEAD_DIM;
  const word = `“${words[row] ?? ''}”`;
  const self: Mark = { grid: name, row, columns: [column, 1], tone: 'self' };
  const ofHead = heads > 1 ? `Head ${head + 1}: how` : 'How';

  /** Row `row` of a matrix, or the part of it that belongs to the head. */
  const rowOf = (
    grid: string,
    called: string,
    at: number,
    from: number,
    count: number,
    all: Float32Array,
    of: number,
  ): Side => ({
    ...{ name: called, values: [...all.subarray(at * of + from, at * of + from + count)] },
    mark: { grid, row: at, columns: [from, count] },
  });
  const columnOf = (grid: string, called: string, at: number, all: Float32Array, of: number): Side => ({
    ...{ name: called, values: [...all].filter((_, i) => i % of === at) },
    mark: { grid, columns: [at, 1] },
  });
  const product = (title: string, left: Side, right: Side, then: readonly string[] = []): Explanation => ({
    title,
    ...sides(left, right),
    lines: [sumOf(left.values, right.values), ...then],
    marks: [self, { ...left.mark, tone: 'left' }, { ...right.mark, tone: 'right' }],
  });

  if (matrix === 'Q' || matrix === 'K' || matrix === 'V') {
    const roles = {
      Q: ['asks', sentence.wq, steps.q],
      K: ['offers', sentence.wk, steps.k],
      V: ['carries', sentence.wv, steps.v],
    } as const;
    const [verb, w, made] = roles[matrix];
    return product(
      `Number ${column + 1} of what ${word} ${verb}: ${shown(made[row * width + column]!)}`,
      rowOf('X', `x of ${word}`, row, 0, MODEL_DIM, sentence.x, MODEL_DIM),
      columnOf(`W${matrix}`, `column ${column + 1} of W^${matrix}`, column, w, WIDTH),
    );
  }
  if (matrix === 'products' || matrix === 'scores' || matrix === 'weights') {
    const other = `“${words[column]!}”`;
    const from = head * HEAD_DIM;
    const of = steps.heads[head]!;
    const at = row * words.length + column;
    const score = shown(of.scores[at]!);
    const titles = {
      products: `${ofHead} well what ${word} asks meets what ${other} offers: ${shown(of.products[at]!)}`,
      scores: `${ofHead} well they meet, scaled: ${score}`,
      weights: `${ofHead} much ${word} looks at ${other}: ${shown(of.weights[at]!)}`,
    };
    const scores = of.scores.subarray(row * words.length, (row + 1) * words.length);
    const scaled = `${shown(of.products[at]!)} ÷ √${HEAD_DIM} = ${score}`;
    const sum = Array.from(scores, (each) => `e^${shown(each)}`).join(' + ');
    const softmax = `e^${score} ÷ (${sum}) = ${shown(of.weights[at]!)}`;
    const then = { products: [], scores: [scaled], weights: [scaled, softmax] };
    return product(
      titles[matrix],
      rowOf('Q', `q of ${word}`, row, from, HEAD_DIM, steps.q, width),
      rowOf('K', `k of ${other}`, column, from, HEAD_DIM, steps.k, width),
      then[matrix],
    );
  }
  if (matrix === 'joined') {
    const of = Math.floor(column / HEAD_DIM);
    const n = words.length;
    return product(
      `Number ${column + 1} of what ${word} found: ${shown(steps.joined[row * width + column]!)}`,
      rowOf(`weights:${of}`, `weights of ${word}`, row, 0, n, steps.heads[of]!.weights, n),
      columnOf('V', `column ${column + 1} of V`, column, steps.v, width),
    );
  }
  if (matrix === 'result') {
    return product(
      `Feature ${column + 1} of ${word}, having looked: ${shown(steps.result[row * MODEL_DIM + column]!)}`,
      rowOf('joined', `what ${word} found`, row, 0, width, steps.joined, width),
      columnOf(
        'WO',
        `column ${column + 1} of W^O`,
        column,
        sentence.wo.subarray(0, width * MODEL_DIM),
        MODEL_DIM,
      ),
    );
  }
  return { ...given(matrix, row, column, word), marks: [self] };
}

/** Of numbers that nothing made: those that can be changed. */
function given(
  matrix: string,
  row: number,
  column: number,
  word: string,
): Pick<Explanation, 'title' | 'lines'> {
  const lines = ['Type another number: everything below follows.'];
  if (matrix === 'X') return { title: `Feature ${column + 1} of ${word}`, lines };
  const counts = {
    WQ: `feature ${row + 1} of a word counts in number ${column + 1} of what it asks`,
    WK: `feature ${row + 1} of a word counts in number ${column + 1} of what it offers`,
    WV: `feature ${row + 1} of a word counts in number ${column + 1} of what it carries`,
    WO: `number ${row + 1} of what the heads found counts in feature ${column + 1} of the result`,
  }[matrix]!;
  return { title: `How much ${counts}`, lines };
}

const sides = (left: Side, right: Side): Pick<Explanation, 'left' | 'right'> => ({
  left: `${left.name} = (${left.values.map(short).join(', ')})`,
  right: `${right.name} = (${right.values.map(short).join(', ')})`,
});

/** 0.9·0.2 + 1·0 = 0.1800 */
function sumOf(a: readonly number[], b: readonly number[]): string {
  const terms = a.map((x, i) => `${short(x)}·${inProduct(b[i]!)}`);
  const sum = a.reduce((all, x, i) => all + x * b[i]!, 0);
  return `${terms.join(' + ')} = ${shown(sum)}`;
}

const inProduct = (x: number): string => (x < 0 ? `(${short(x)})` : short(x));
