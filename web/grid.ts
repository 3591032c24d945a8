/**
 * A matrix on the page: a table that is one stop of the Tab key, in which the arrow keys go from cell to cell. Its cells show numbers,
 * or take them. Who looks at a cell, by pointer or by focus, is told to the owner, who may mark what made it.
 */
import { element } from './dom.ts';
import { stepOf, within } from './keys.ts';
import { parsed, shown, typed } from './numbers.ts';

export interface GridOptions {
  /** What the owner calls it. */
  readonly name: string;
  readonly title: readonly (Node | string)[];
  /** The same for who hears the page. */
  readonly label: string;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** Heads that the columns are divided among, or the rows; 1: not divided. */
  readonly heads?: number;
  readonly divided?: 'columns' | 'rows';
  /** Cells are shaded from the least number to the most. */
  readonly shaded?: boolean;
  /** Told what was typed; without it the cells only show. */
  readonly edit?: (row: number, column: number, value: number) => void;
  /** Told of a text that is no number, and of the number that stays. */
  readonly refuse?: (name: string, row: number, column: number, text: string, kept: string) => void;
  readonly look: (name: string, row: number, column: number) => void;
}

/** Rows and columns of a grid that made a number; all of them where none are named. */
export interface Mark {
  readonly grid: string;
  readonly row?: number;
  /** From, and how many. */
  readonly columns?: readonly [from: number, count: number];
  /** The left side of a product, its right side, and the number itself. */
  readonly tone: 'left' | 'right' | 'self';
}

export class Grid {
  readonly element: HTMLElement;
  readonly #options: GridOptions;
  readonly #cells: readonly (readonly HTMLTableCellElement[])[];

  constructor(options: GridOptions) {
    this.#options = options;
    const { title, label, rows, columns, heads = 1, divided = 'columns' } = options;
    const headOf = (at: number, of: number): number => Math.floor((at * heads) / of);
    this.#cells = rows.map((row, i) =>
      columns.map((column, j) => {
        const [at, of] = divided === 'columns' ? [j, columns.length] : [i, rows.length];
        const own = headOf(at, of);
        const edge = at > 0 && headOf(at - 1, of) !== own;
        const head = heads > 1 && { 'data-head': own, 'data-edge': edge };
        return this.#cell(`${row}, ${column}`, { ...head, 'data-divided': divided });
      }),
    );
    const headings = columns.map((column) => element('th', { scope: 'col' }, column));
    const body = rows.map((row, i) => {
      return element('tr', {}, element('th', { scope: 'row' }, row), ...this.#cells[i]!);
    });
    const table = element(
      'table',
      { role: 'grid', 'aria-label': label },
      element('thead', {}, element('tr', {}, element('td'), ...headings)),
      element('tbody', {}, ...body),
    );
    this.element = element(
      'figure',
      { class: 'matrix', 'data-grid': options.name },
      element(
        'figcaption',
        {},
        element('span', {}, ...title),
        element('span', { class: 'shape' }, `${rows.length} × ${columns.length}`),
      ),
      element('div', { class: 'scroll' }, table),
    );
    this.#tabStop(0, 0);
    table.addEventListener('keydown', (event) => {
      this.#key(event);
    });
    for (const type of ['focusin', 'pointerover'] as const) {
      table.addEventListener(type, (event) => {
        const place = this.#place(event.target);
        if (!place) return;
        if (type === 'focusin') this.#tabStop(...place);
        options.look(options.name, ...place);
      });
    }
  }

  /** Shows these numbers, row after row. A cell that is being typed into keeps its text. */
  show(values: ArrayLike<number>): void {
    const all = Array.from(values);
    const [least, most] = [Math.min(...all), Math.max(...all)];
    const width = this.#options.columns.length;
    for (const [i, cells] of this.#cells.entries()) {
      for (const [j, cell] of cells.entries()) {
        const value = all[i * width + j]!;
        cell.dataset['value'] = String(value);
        const input = cell.querySelector('input');
        if (!input) cell.textContent = shown(value);
        else if (input !== document.activeElement) fill(input, value);
        if (!this.#options.shaded) continue;
        const share = most > least ? (value - least) / (most - least) : 0;
        cell.style.setProperty('--share', share.toFixed(3));
      }
    }
  }

  /** Marks what the marks say of this grid, and nothing else in it. */
  mark(marks: readonly Mark[]): void {
    const own = marks.filter(({ grid }) => grid === this.#options.name);
    for (const [i, cells] of this.#cells.entries()) {
      for (const [j, cell] of cells.entries()) {
        const hit = own.find(({ row = i, columns: [from, count] = [j, 1] }) => {
          return row === i && j >= from && j < from + count;
        });
        if (hit) cell.dataset['mark'] = hit.tone;
        else delete cell.dataset['mark'];
      }
    }
  }

  #cell(
    label: string,
    attributes: Readonly<Record<string, string | number | boolean>>,
  ): HTMLTableCellElement {
    const { edit, shaded = false } = this.#options;
    if (!edit) return element('td', { ...attributes, tabindex: -1, class: shaded && 'shaded' });
    const input = element('input', {
      ...{ type: 'text', inputmode: 'decimal', autocomplete: 'off', spellcheck: 'false', tabindex: -1 },
      'aria-label': `${this.#options.label}: ${label}`,
    });
    const cell = element('td', attributes, input);
    const kept = (): number => Number(cell.dataset['value']);
    let before = 0;
    input.addEventListener('focus', () => {
      before = kept();
      input.select();
    });
    input.addEventListener('input', () => {
      grow(input);
      const value = parsed(input.value);
      input.setAttribute('aria-invalid', String(value === undefined));
      const place = this.#place(cell)!;
      if (value !== undefined) edit(...place, value);
      else this.#options.refuse?.(this.#options.name, ...place, input.value, typed(kept()));
    });
    // What is no number gives way to the last one that was; Escape goes back to the one that was there before.
    const settle = (): void => {
      if (input.ariaInvalid === 'true') this.#options.look(this.#options.name, ...this.#place(cell)!);
      input.removeAttribute('aria-invalid');
      fill(input, kept());
    };
    input.addEventListener('blur', settle);
    input.addEventListener('keydown', ({ key }) => {
      if (key !== 'Enter' && key !== 'Escape') return;
      if (key === 'Escape') edit(...this.#place(cell)!, before);
      settle();
      input.select();
    });
    return cell;
  }

  #place(target: EventTarget | null): [row: number, column: number] | undefined {
    const cell = target instanceof Element ? target.closest('td') : null;
    const row = this.#cells.findIndex((cells) => cells.includes(cell!));
    return row < 0 ? undefined : [row, this.#cells[row]!.indexOf(cell!)];
  }

  #target(row: number, column: number): HTMLElement {
    const cell = this.#cells[row]![column]!;
    return cell.querySelector('input') ?? cell;
  }

  #tabStop(row: number, column: number): void {
    for (const [i, cells] of this.#cells.entries()) {
      for (const j of cells.keys()) this.#target(i, j).tabIndex = i === row && j === column ? 0 : -1;
    }
  }

  #key(event: KeyboardEvent): void {
    const step = stepOf(event);
    const place = this.#place(event.target);
    if (!step || !place) return;
    const [down, right] = step;
    if (right !== 0 && event.target instanceof HTMLInputElement && isInside(event.target, right)) return;
    const to = this.#target(
      within(place[0] + down, this.#cells.length),
      within(place[1] + right, this.#options.columns.length),
    );
    event.preventDefault();
    to.focus();
  }
}

/** A cell is as wide as its number. */
function grow(input: HTMLInputElement): void {
  input.style.setProperty('--letters', String(input.value.length));
}

function fill(input: HTMLInputElement, value: number): void {
  input.value = typed(value);
  grow(input);
}

/** Whether the caret has a way to go in the text: then the key is the text's. */
function isInside({ value, selectionStart, selectionEnd }: HTMLInputElement, right: number): boolean {
  if (selectionStart === 0 && selectionEnd === value.length) return false;
  return right < 0 ? selectionStart !== 0 : selectionEnd !== value.length;
}
