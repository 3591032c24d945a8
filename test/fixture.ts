/** The recorded transformer blocks of PP-OCRv4's recogniser (test/fixtures/pp-ocr): weights, inputs, true outputs. */
export { manifest, tensor } from './fixtures/pp-ocr/read.js';
