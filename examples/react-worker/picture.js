/**
 * What is computed: noise is taken off a picture by attention, as non-local means do it (Buades, Coll & Morel, 2005). Every pixel
 * is a query, a key and a value: it looks at its surroundings p, 3 × 3 pixels, and becomes the mean of the pixels whose
 * surroundings look like its own, by weights e^(−‖pᵢ − pⱼ‖² / 2h²). That is softmax of
 *
 *   scale·q·k,   q = [pᵢ, 1],   k = [pⱼ, −‖pⱼ‖²/2],   scale = 1/h²
 *
 * since ‖pᵢ‖², the same for all keys of a query, falls out. Pictures are [size, size, 3], red, green and blue from 0 to 1.
 */
import { noise } from '../noise.js';

export const size = 128;
const [channels, sigma] = [3, 0.12];
const patch = 9 * channels;
/** 16 384 queries and as many keys: 17 GFLOP and 268 million exponentials. */
export const shape = {
  ...{ seqQ: size * size, headDim: patch + 1, valueDim: channels },
  // h is three times the noise. Below, a pixel finds nobody like itself; far above, all are alike and edges go.
  scale: 1 / (3 * sigma) ** 2,
};

/** Stripes that change slowly, and a disc: edges that a plain blur would lose. */
export function cleanPicture() {
  return Float32Array.from({ length: size * size * channels }, (_, at) => {
    const [channel, pixel] = [at % channels, Math.floor(at / channels)];
    const [x, y] = [(pixel % size) / size, Math.floor(pixel / size) / size];
    const colour = (...rgb) => rgb[channel];
    if (Math.hypot(x - 0.5, y - 0.5) < 0.3)
      return y < 0.5 ? colour(0.95, 0.75, 0.2) : colour(0.15, 0.35, 0.75);
    const stripe = Math.floor((x + y) * 10) % 2 === 0;
    return stripe ? colour(0.85, 0.3 + 0.5 * x, 0.35) : colour(0.2, 0.55, 0.35 + 0.5 * y);
  });
}

export function noisyPicture() {
  const clean = cleanPicture();
  const off = noise(clean.length, 1, sigma);
  return clean.map((x, i) => x + off[i]);
}

/** { q, k, v } of a picture. Beyond its edge are the pixels of the edge. */
export function operands(picture) {
  const { seqQ, headDim } = shape;
  const [q, k] = [new Float32Array(seqQ * headDim), new Float32Array(seqQ * headDim)];
  const inside = (i) => Math.min(size - 1, Math.max(0, i));
  for (let pixel = 0; pixel < seqQ; pixel++) {
    const [x, y, start] = [pixel % size, Math.floor(pixel / size), pixel * headDim];
    let at = start;
    for (let dy = -1; dy <= 1; dy++)
      for (let dx = -1; dx <= 1; dx++)
        for (let c = 0; c < channels; c++)
          q[at++] = picture[(inside(y + dy) * size + inside(x + dx)) * channels + c];
    const surroundings = q.subarray(start, at);
    k.set(surroundings, start);
    k[at] = -surroundings.reduce((sum, p) => sum + p * p, 0) / 2;
    q[at] = 1;
  }
  return { q, k, v: picture };
}

/** A channel's byte on a screen. */
export function byteOf(x) {
  return Math.round(255 * Math.min(1, Math.max(0, x)));
}

/** The root of the mean square of what two pictures differ by. */
export function distance(a, b) {
  return Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0) / a.length);
}
