/**
 * A process that nothing keeps: it stays until an asynchronous call has settled that nobody awaits, and then idle workers, whose
 * engine nobody has disposed of, do not keep it.
 */
import { createEngine } from 'heed';
import { floats } from './floats.mjs';

const engine = await createEngine({ threads: 3 });
const shape = { seqQ: 1024, heads: 12, headDim: 64 };
const x = floats(shape.seqQ * shape.heads * shape.headDim, 1);
setTimeout(() => {
  void engine.attentionAsync(x, x, x, shape).then(() => console.log('"settled"'));
}, 1);
