/** The second panel: where each column of a line of text looks, in every head of a trained recogniser. */
import terms from '../../test/fixtures/pp-ocr/LICENSE?url';
import image from '../../test/fixtures/pp-ocr/image.png';
import { byId, element } from '../dom.ts';
import { HeatMap, type Colour } from './heat-map.ts';
import { BLOCKS, Recording, heads, letters, steps, type Block, type Choice } from './recording.ts';

export async function startHeads(): Promise<void> {
  const say = byId('heads-said', HTMLParagraphElement);
  const status = byId('heads-status', HTMLParagraphElement);
  const line = byId('line', HTMLDivElement);
  const controls = byId('heads-controls', HTMLFormElement);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const place = { row: 13, column: 13, head: -1 };
  let recording: Recording | undefined;
  let weights = new Float32Array(heads * steps * steps);

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
    const weight = weights[(head * steps + row) * steps + column];
    say.textContent =
      head < 0
        ? `Column ${row + 1}, ${readAs(row)}. Beside each head: what it looks at most, and how much.`
        : `Head ${head + 1}: column ${row + 1}, ${readAs(row)}, looks at column ${column + 1}, ${readAs(column)}, with weight ${weight!.toFixed(4)}.`;
  };

  const compute = (): void => {
    const choice = read(controls);
    if (!recording) return;
    const start = performance.now();
    weights = recording.weights(choice.block, choice.options) as Float32Array<ArrayBuffer>;
    const time = performance.now() - start;
    const colour = accent();
    const size = steps * steps;
    for (const [h, map] of maps.entries()) map.show(weights.subarray(h * size, (h + 1) * size), colour);
    point(place.row, place.column, place.head);
    // A minus sign, at which no line is broken.
    const apart = (x: number): string => x.toExponential(1).replace('-', '−');
    const truth = apart(recording.fromReference(choice.block, choice.options, weights));
    status.textContent = choice.asRecorded
      ? `As the model has it. heed’s weights differ from those of the model’s own runtime by at most ${apart(recording.fromRecorded(choice.block, weights))}, and from heed/reference, in float64, by ${truth}.`
      : `Not what the model does: ${(heads * size).toLocaleString('en')} weights, computed again by heed in ${time.toFixed(1)} ms. From heed/reference, in float64, they differ by at most ${truth}.`;
  };

  for (const type of ['pointerdown', 'pointermove'] as const) {
    line.addEventListener(type, ({ clientX }) => {
      const { left, width } = line.getBoundingClientRect();
      point(Math.max(0, Math.min(steps - 1, Math.floor(((clientX - left) / width) * steps))));
    });
  }
  line.addEventListener('keydown', (event) => {
    const { key } = event;
    const { row } = place;
    const to = {
      ArrowLeft: row - 1,
      ArrowRight: row + 1,
      ArrowDown: row - 1,
      ArrowUp: row + 1,
      Home: 0,
      End: steps - 1,
    }[key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    point(Math.max(0, Math.min(steps - 1, to)));
  });
  controls.addEventListener('input', compute);
  dark.addEventListener('change', compute);

  point(place.row);
  compute();
  try {
    recording = await Recording.load();
    compute();
  } catch (error) {
    status.textContent = `The recorded numbers did not come: ${String(error)}`;
  }
}

/** What is chosen, and what it is called beside it. */
function read(form: HTMLFormElement): { block: Block; options: Choice; asRecorded: boolean } {
  const data = new FormData(form);
  const on = (name: string): boolean => data.has(name);
  const window = Number(data.get('window-size'));
  const softcap = Number(data.get('softcap-size'));
  byId('window-shown', HTMLOutputElement).value = `±${window}`;
  byId('softcap-shown', HTMLOutputElement).value = String(softcap);
  return {
    block: BLOCKS[Number(data.get('block'))]!,
    options: {
      causal: on('causal'),
      ...(on('window') && { window: [window, window] }),
      ...(on('softcap') && { softcap }),
    },
    asRecorded: !on('causal') && !on('window') && !on('softcap'),
  };
}

/** What a column was read as, in words. */
function readAs(column: number): string {
  const letter = letters[column]!;
  if (letter === '') return 'read as no letter';
  return letter === ' ' ? 'read as a space' : `read as “${letter}”`;
}

/** The same in as few letters as there are. */
function called(column: number): string {
  const letter = letters[column]!;
  return letter.trim() === '' ? `col. ${column + 1}` : `“${letter}”`;
}

/** The page's one colour, as it now is. */
function accent(): Colour {
  const hex = getComputedStyle(document.documentElement).getPropertyValue('--accent').trim().slice(1);
  return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)) as unknown as Colour;
}
