/** The picture: a panel a head, the image above its heat-map, for light pages and dark ones. Text that any browser draws. */
import { imagePng, letters, manifest, seqQ } from '../pp-ocr.js';

const cell = 11;
const side = seqQ * cell;
const imageHeight = (side * manifest.image.height) / manifest.image.width;
const [gap, margin] = [36, 14];
const label = 12; // room for a letter beside or above a heat-map
const top = 26 + imageHeight + label + 8;

/** From 0 to 100. A square root, so that small weights are seen too: one of 0.01 is a tenth of the darkest. */
export function shadeOf(weight) {
  return Math.round(100 * Math.sqrt(weight));
}

/** @param heads [{ title, weights [seqQ, seqQ] }] */
export function draw(heads) {
  const columns = Math.min(4, heads.length);
  const [width, height] = [label + side + gap, top + side + gap];
  const rows = Math.ceil(heads.length / columns);
  const box = `0 0 ${2 * margin + columns * width - gap} ${2 * margin + rows * height - gap}`;
  const panels = heads.map((head, i) => {
    const [x, y] = [margin + label + (i % columns) * width, margin + Math.floor(i / columns) * height];
    return `<g transform="translate(${x} ${y})">\n${panel(head)}\n</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${box}" font-family="system-ui, sans-serif">
<style>
.ground { fill: #fff } .ink { fill: #222; font-size: 13px } .letters { fill: #555; font-size: 10px; text-anchor: middle }
.cells { fill: #14509b; shape-rendering: crispEdges } .frame { fill: none; stroke: #bbb }
@media (prefers-color-scheme: dark) {
.ground { fill: #14171d } .ink { fill: #e8eaf0 } .letters { fill: #a5adbb } .cells { fill: #8ec1ff } .frame { stroke: #565d6b }
image { filter: invert(0.95); mix-blend-mode: lighten }
}
</style>
<defs><image id="image" width="${side}" height="${imageHeight}" href="data:image/png;base64,${Buffer.from(imagePng()).toString('base64')}"/></defs>
<rect class="ground" width="100%" height="100%"/>
${panels.join('\n')}
</svg>
`;
}

function panel({ title, weights }) {
  const names = letters('');
  const middle = (i) => i * cell + cell / 2;
  const across = names.map((c, i) => c.trim() && `<text x="${middle(i)}" y="${top - 4}">${c}</text>`);
  const down = names.map((c, i) => c.trim() && `<text x="-9" y="${top + middle(i) + 3}">${c}</text>`);
  return `<text class="ink" y="13">${title}</text>
<use href="#image" y="22"/>
<g class="letters">${across.join('')}${down.join('')}</g>
<g class="cells" transform="translate(0 ${top}) scale(${cell})">${squares(weights)}</g>
<rect class="frame" y="${top}" width="${side}" height="${side}"/>`;
}

/** One path a shade, of unit squares: a tenth of what a rectangle a cell takes. */
function squares(weights) {
  const shades = new Map();
  for (const [at, weight] of weights.entries()) {
    const shade = shadeOf(weight);
    if (shade < 10) continue; // paler than anyone sees
    const square = `M${at % seqQ} ${Math.floor(at / seqQ)}h1v1h-1z`;
    shades.set(shade, (shades.get(shade) ?? '') + square);
  }
  return [...shades].map(([shade, path]) => `<path opacity="${shade / 100}" d="${path}"/>`).join('');
}
