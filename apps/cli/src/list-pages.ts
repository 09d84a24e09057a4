import { type Page, paginate } from '@kvorum/client';
import type { Command } from 'commander';
import { parseCount } from './option-values.js';

export interface PageOptions {
  readonly limit?: number;
  readonly cursor?: string;
}

export const addPageOptions = (command: Command): Command =>
  command
    .option('--limit <count>', 'one page of at most so many; without it, everything', parseCount)
    .option('--cursor <cursor>', 'go on where a page ended: its nextCursor');

/** One page if --limit or --cursor was given, as the API sent it; else all pages as one. */
export async function readPages<Item>(
  { limit, cursor }: PageOptions,
  readPage: (query: PageOptions) => Promise<Page<Item>>,
): Promise<Page<Item>> {
  if (limit !== undefined || cursor !== undefined) {
    return readPage({ ...(limit === undefined ? {} : { limit }), ...(cursor === undefined ? {} : { cursor }) });
  }
  const items: Item[] = [];
  for await (const item of paginate((next) => readPage(next === undefined ? {} : { cursor: next }))) items.push(item);
  return { items, nextCursor: null };
}
