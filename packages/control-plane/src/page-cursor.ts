import { DomainError, type Page, type PageQuery } from '@kvorum/schema';
import { z } from 'zod';

/**
 * Lists page by id alone: ids are UUIDs of version 7, so their order is the order of making, and a page costs the same
 * however deep it lies. The cursor is opaque to callers: base64url of the last id they saw.
 */
const Id = z.uuid();

const encodeCursor = (lastId: string): string => Buffer.from(lastId).toString('base64url');

/** The id after which the page begins; null: from the start. Throws invalid_request. */
export function decodeCursor(cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  const id = Id.safeParse(Buffer.from(cursor, 'base64url').toString('latin1'));
  if (!id.success) {
    throw new DomainError('invalid_request', 'the cursor is not one that a list has given out', {
      details: { fields: [{ field: 'query.cursor', message: 'not a cursor of this list' }] },
    });
  }
  return id.data;
}

/** What a store is asked for: one row more than the page, which tells whether there is a next one. */
export interface PageBounds {
  readonly afterId: string | null;
  readonly rowCountMax: number;
}

export const pageBounds = (query: PageQuery): PageBounds => ({
  afterId: decodeCursor(query.cursor),
  rowCountMax: query.limit + 1,
});

/** Makes the page out of the rows found within `pageBounds(query)`. */
export function pageOfRows<Row extends { readonly id: string }>(rows: readonly Row[], query: PageQuery): Page<Row> {
  const items = rows.slice(0, query.limit);
  const last = items.at(-1);
  return { items, nextCursor: rows.length > query.limit && last !== undefined ? encodeCursor(last.id) : null };
}
