/**
 * What the first panel begins with: "You found me" with the numbers of docs/math.md, and two more heads to switch on. They are made
 * to look differently: the second finds what is like itself, for the third the last word counts most.
 */

export const MODEL_DIM = 4;
export const HEAD_DIM = 2;
export const MAX_HEADS = 3;
export const MAX_WORDS = 8;

/** Numbers of a row of W^Q, W^K, W^V: all heads side by side, switched on or not. */
export const WIDTH: number = MAX_HEADS * HEAD_DIM;

export interface Sentence {
  readonly words: string[];
  /** [words, MODEL_DIM] */
  x: Float32Array;
  heads: number;
  /** [MODEL_DIM, WIDTH] each. */
  readonly wq: Float32Array;
  readonly wk: Float32Array;
  readonly wv: Float32Array;
  /** [WIDTH, MODEL_DIM] */
  readonly wo: Float32Array;
}

export function textbook(): Sentence {
  return {
    words: ['You', 'found', 'me'],
    x: Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2),
    heads: 1,
    // prettier-ignore
    wq: Float32Array.of(
      0, 0.2,   10, 0,   0, 0,
      0.1, 0,    1, 0,   1, 0,
      0, 0.2,    1, 0,   0, 0,
      0.1, 0,   -8, 0,   1, 1,
    ),
    // prettier-ignore
    wk: Float32Array.of(
      0.1, 0,   10, 0,   2, 0,
      0, 0.2,    1, 0,   0, 0,
      0.1, 0,    1, 0,   0, 2,
      0, 0.1,   -8, 0,   0, 0,
    ),
    // prettier-ignore
    wv: Float32Array.of(
      0.1, 0.1,   1, 0,   0, 0,
      0.1, 0.1,   0, 1,   0, 0,
      0, 0,       0, 0,   1, 0,
      0, 0,       0, 0,   0, 1,
    ),
    // prettier-ignore
    wo: Float32Array.of(
      1, 0, 0, 0,
      0, 1, 0, 0,
      0.5, 0, 0.5, 0,
      0, 0.5, 0, 0.5,
      0.5, 0, 0, 0,
      0, 0, 0, 0.5,
    ),
  };
}

/** Adds a word. Its features are made of its letters, so that the same word is always the same row: 0.1 … 1.2. */
export function addWord(sentence: Sentence, word: string): void {
  const row = Float32Array.from({ length: MODEL_DIM }, (_, feature) => {
    let hash = feature + 1;
    for (const letter of word) hash = (hash * 31 + letter.codePointAt(0)!) % 997;
    return (1 + (hash % 12)) / 10;
  });
  sentence.x = Float32Array.of(...sentence.x, ...row);
  sentence.words.push(word);
}

export function removeWord(sentence: Sentence, at: number): void {
  sentence.x = sentence.x.filter((_, i) => Math.floor(i / MODEL_DIM) !== at);
  sentence.words.splice(at, 1);
}
