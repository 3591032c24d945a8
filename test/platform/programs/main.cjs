/** The same with the package by `require()`. */
const heed = require('heed');

void import('./run.mjs').then(({ run }) => run(heed));
