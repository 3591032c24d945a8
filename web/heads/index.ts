/** The second panel: where each column of a line of text looks, in every head of a trained recogniser. */
import terms from '../../test/fixtures/pp-ocr/LICENSE.txt?url';
import image from '../../test/fixtures/pp-ocr/image.png';
import { byId, element } from '../dom.ts';
import { stepOf, within } from '../keys.ts';
import { HeatMap, type Colour } from './heat-map.ts';
import { BLOCKS, Recording, heads, letters, steps, type Block, type Choice } from './recording.ts';

export async function startHeads(): Promise<void> {
  const say = byId('heads-said', HTMLParagraphElement);
  const status = byId('heads-status', HTMLParagraphElement);
  const line = byId('line', HTMLDivElement);
  const controls = byId('heads-controls', HTMLFormElement);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  // The “o” of “found” to begin with.
  const first = letters.lastIndexOf('o');
  const place = { row: first, column: first, head: -1 };
  let recording: Recording | undefined;
  let weights: Float32Array | undefined;

  const maps = Array.from({ length: heads }, (_, head) => {
    const look = (row: number, column: number): void => {
      point(row, column, head);
    };
    return new HeatMap({ name: `Head ${head + 1}`, size: steps, image, look });
  });
  byId('maps', HTMLDivElement).replaceChildren(...maps.map((map) => map.element));
  byId('line-image', HTMLImageElement).src = image;
  byId('terms', HTMLAnchorElement).href = terms;
  const shown = letters.map((letter) => element('span', {}, letter));
  byId('letters', HTMLDivElement).replaceChildren(...shown);

  /** Looks from a column; where a head is given, at the weight that another column has in it. */
  const point = (row: number, column = row, head = -1): void => {
    Object.assign(place, { row, column, head });
    const colour = accent();
    for (const [h, map] of maps.entries()) map.point(row, column, h === head, colour, called);
    for (const [i, letter] of shown.entries()) letter.toggleAttribute('data-chosen', i === row);
    line.style.setProperty('--at', String(row));
    line.setAttribute('aria-valuenow', String(row + 1));
    line.setAttribute('aria-valuetext', `column ${row + 1}, ${readAs(row)}`);
    const weight = head < 0 ? undefined : weights?.[(head * steps + row) * steps + column];
    say.textContent =
      weight === undefined
        ? `Column ${row + 1}, ${readAs(row)}. Beside each head: what it looks at most, and how much.`
        : `Head ${head + 1}: column ${row + 1}, ${readAs(row)}, looks at column ${column + 1}, ${readAs(column)}, with weight ${weight.toFixed(4)}.`;
  };

  const compute = (): void => {
    const choice = read(controls);
    label(choice);
    if (!recording) return;
    const start = performance.now();
    const computed = recording.weights(choice.block, choice.options);
    const time = performance.now() - start;
    weights = computed;
    const colour = accent();
    const size = steps * steps;
    for (const [h, map] of maps.entries()) map.show(computed.subarray(h * size, (h + 1) * size), colour);
    point(place.row, place.column, place.head);
    const truth = apart(recording.fromReference(choice.block, choice.options, computed));
    status.textContent = choice.asRecorded
      ? `As the model has it. heed’s weights differ from those of the model’s own runtime ${apart(recording.fromRecorded(choice.block, computed))}, and from heed/reference, in float64, ${truth}.`
      : `Not what the model does: ${(heads * size).toLocaleString('en')} weights, computed again by heed in ${time.toFixed(1)} ms. From heed/reference, in float64, they differ ${truth}.`;
  };

  for (const type of ['pointerdown', 'pointermove'] as const) {
    line.addEventListener(type, ({ clientX }) => {
      const { left, width } = line.getBoundingClientRect();
      point(within(Math.floor(((clientX - left) / width) * steps), steps));
    });
  }
  line.addEventListener('keydown', (event) => {
    const step = stepOf(event);
    if (!step) return;
    event.preventDefault();
    // A slider: up is more, too.
    const [down, right] = step;
    point(within(place.row + right - down, steps));
  });
  controls.addEventListener('input', ({ target }) => {
    // Who moves a slider wants it to count.
    const [, option] = /^(.*)-size$/.exec((target as HTMLInputElement).name) ?? [];
    if (option !== undefined) (controls.elements.namedItem(option) as HTMLInputElement).checked = true;
    compute();
  });
  dark.addEventListener('change', compute);

  point(place.row);
  compute();
  status.textContent = 'What the model computed is on its way.';
  try {
    recording = await Recording.load();
    compute();
  } catch (error) {
    status.textContent = `The recorded numbers did not come: ${String(error)}`;
  }
}

interface Chosen {
  readonly block: Block;
  readonly options: Choice;
  readonly asRecorded: boolean;
  readonly window: number;
  readonly softcap: number;
}

function read(form: HTMLFormElement): Chosen {
  const data = new FormData(form);
  const on = (name: string): boolean => data.has(name);
  const [window, softcap] = [Number(data.get('window-size')), Number(data.get('softcap-size'))];
  return {
    ...{ block: BLOCKS[Number(data.get('block'))]!, window, softcap },
    options: {
      causal: on('causal'),
      ...(on('window') && { window: [window, window] }),
      ...(on('softcap') && { softcap }),
    },
    asRecorded: !on('causal') && !on('window') && !on('softcap'),
  };
}

/** Beside each slider what it says. */
function label({ window, softcap }: Chosen): void {
  byId('window-shown', HTMLOutputElement).value = `±${window}`;
  byId('softcap-shown', HTMLOutputElement).value = String(softcap);
}

/** How far numbers are from others: by at most 3.4e−7, with a minus sign, at which no line is broken. */
function apart(x: number): string {
  return x === 0 ? 'by nothing' : `by at most ${x.toExponential(1).replace('-', '−')}`;
}

/** What a column was read as, in words. */
function readAs(column: number): string {
  const letter = letters[column]!;
  if (letter === '') return 'read as no letter';
  return letter === ' ' ? 'read as a space' : `read as “${letter}”`;
}

/** The same in as few letters as there are. */
function called(column: number): string {
  const letter = letters[column]!.trim();
  return `col. ${column + 1}${letter && ` “${letter}”`}`;
}

/** The page's one colour, as it now is. */
function accent(): Colour {
  const hex = getComputedStyle(document.documentElement).getPropertyValue('--accent').trim().slice(1);
  return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)) as unknown as Colour;
}
