/** A picture on a canvas, with what it is below. */
import { useEffect, useRef } from 'react';
import { byteOf, size } from './picture.js';

export function Picture({ id, pixels, children }) {
  const canvas = useRef(null);
  useEffect(() => {
    const image = new ImageData(size, size); // transparent
    if (pixels !== undefined) fill(image.data, pixels);
    canvas.current.getContext('2d').putImageData(image, 0, 0);
  }, [pixels]);
  return (
    <figure>
      <canvas id={id} ref={canvas} width={size} height={size} role="img" aria-labelledby={`${id}-is`} />
      <figcaption id={`${id}-is`}>{children}</figcaption>
    </figure>
  );
}

function fill(data, pixels) {
  for (let pixel = 0; pixel < size * size; pixel++) {
    for (let c = 0; c < 3; c++) data[4 * pixel + c] = byteOf(pixels[3 * pixel + c]);
    data[4 * pixel + 3] = 255;
  }
}
