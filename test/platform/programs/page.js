/** The package in a page without a bundler. */
import * as heed from './node_modules/heed/dist/index.js';
import { answer } from './answer.mjs';

answer(heed);
