/** What holds of packed sequences, merges, products and rope, a thousand times on each build. */
import { hold } from './properties/hold.ts';
import { products } from './properties/matmul.ts';
import { merges } from './properties/merge.ts';
import { packedSequences } from './properties/packed.ts';
import { turns } from './properties/rope.ts';

hold([...packedSequences, ...merges, ...products, ...turns]);
