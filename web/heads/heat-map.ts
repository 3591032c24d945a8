/**
 * One head: the image with light where the chosen column looks, and under it, column under column, the weights of all of them. A canvas
 * holds one pixel a weight in the one colour of the page; how much of it is the square root of the weight, so that small ones are seen too.
 */
import { element } from '../dom.ts';
import { stepOf, within } from '../keys.ts';

/** Red, green, blue. */
export type Colour = readonly [number, number, number];

export interface HeatMapOptions {
  readonly name: string;
  readonly size: number;
  readonly image: string;
  /** Somebody looks at the weight with which a column looks at another. */
  readonly look: (row: number, column: number) => void;
}

export class HeatMap {
  readonly element: HTMLElement;
  readonly #size: number;
  readonly #map: HTMLCanvasElement;
  readonly #strip: HTMLCanvasElement;
  readonly #row = element('div', { class: 'row' });
  readonly #cell = element('div', { class: 'cell' });
  readonly #most = element('span', { class: 'most' });
  /** Undefined until there are any. */
  #weights: Float32Array | undefined;
  #place: readonly [row: number, column: number] = [0, 0];

  constructor({ name, size, image, look }: HeatMapOptions) {
    this.#size = size;
    this.#strip = element('canvas', { width: size, height: 1, 'aria-hidden': 'true' });
    this.#map = element('canvas', { width: size, height: size, 'aria-hidden': 'true' });
    const label = `${name}: which column looks at which; arrow keys go from weight to weight`;
    const map = element(
      'div',
      {
        class: 'map',
        tabindex: 0,
        role: 'application',
        'aria-roledescription': 'heat-map',
        'aria-label': label,
      },
      this.#map,
      this.#row,
      this.#cell,
    );
    this.element = element(
      'figure',
      { class: 'head-map', 'data-map': name },
      element('figcaption', {}, element('span', {}, name), this.#most),
      element('div', { class: 'strip' }, element('img', { src: image, alt: '' }), this.#strip),
      map,
    );
    // A finger that only touches does not move.
    for (const type of ['pointerdown', 'pointermove'] as const) {
      map.addEventListener(type, ({ clientX, clientY }) => {
        const { left, top, width, height } = this.#map.getBoundingClientRect();
        const at = (part: number): number => within(Math.floor(part * size), size);
        look(at((clientY - top) / height), at((clientX - left) / width));
      });
    }
    map.addEventListener('focus', () => {
      look(...this.#place);
    });
    map.addEventListener('keydown', (event) => {
      const step = stepOf(event);
      if (!step) return;
      event.preventDefault();
      const [row, column] = this.#place.map((at, i) => within(at + step[i]!, size));
      look(row!, column!);
    });
  }

  /** Shows [size, size] weights, in this colour. */
  show(weights: Float32Array, colour: Colour): void {
    this.#weights = weights;
    paint(this.#map, weights, colour);
  }

  /** Shows where a column looks, and, if one is given, which weight is looked at. */
  point(
    row: number,
    column: number,
    exact: boolean,
    colour: Colour,
    letterOf: (column: number) => string,
  ): void {
    this.#place = [row, column];
    this.#row.style.setProperty('--at', String(row));
    this.#cell.hidden = !exact;
    this.#cell.style.setProperty('--down', String(row));
    this.#cell.style.setProperty('--right', String(column));
    const weights = this.#weights?.subarray(row * this.#size, (row + 1) * this.#size);
    if (!weights) return;
    paint(this.#strip, weights, colour);
    const most = weights.indexOf(Math.max(...weights));
    this.#most.textContent = `${letterOf(most)} ${weights[most]!.toFixed(2)}`;
  }
}

function paint(canvas: HTMLCanvasElement, weights: Float32Array, [red, green, blue]: Colour): void {
  const pixels = new ImageData(canvas.width, canvas.height);
  for (const [i, weight] of weights.entries()) {
    pixels.data.set([red, green, blue, Math.round(255 * Math.sqrt(weight))], 4 * i);
  }
  canvas.getContext('2d')!.putImageData(pixels, 0, 0);
}
