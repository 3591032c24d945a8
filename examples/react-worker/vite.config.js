/** For `npx vite examples/react-worker`, and for index.js. */
import { fileURLToPath } from 'node:url';

/** What a page needs for shared memory, without which there are no threads. */
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default {
  root: fileURLToPath(new URL('.', import.meta.url)),
  // heed, React and noise.js lie further up.
  server: { headers, fs: { allow: ['../..'] } },
  preview: { headers },
};
