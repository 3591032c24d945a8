/** All properties, for those who try them more often than the fast suite does. */
import { bits } from './bits.ts';
import { caches } from './caches.ts';
import { faults } from './faults.ts';
import { laws } from './laws.ts';
import { products } from './matmul.ts';
import { merges } from './merge.ts';
import { packedSequences } from './packed.ts';
import { pool } from './pool.ts';
import type { Property } from './property.ts';
import { turns } from './rope.ts';
import { threads } from './threads.ts';

export const PROPERTIES: readonly Property[] = [
  ...[...bits, ...laws, ...packedSequences, ...merges, ...products, ...turns],
  ...[...caches, ...threads, ...pool, ...faults],
];
