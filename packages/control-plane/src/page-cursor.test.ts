import { type Page, PageQuery } from '@kvorum/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCursor, pageBounds, pageOfRows } from './page-cursor.js';

const ids = ['01890000-0000-7000-8000-000000000001', '01890000-0000-7000-8000-000000000002'];

const rowsOf = (count: number) => ids.slice(0, count).map((id) => ({ id }));

describe('a page cursor', () => {
  it('leads from each page to the row after its last one', () => {
    const page: Page<{ id: string }> = pageOfRows(rowsOf(2), PageQuery.parse({ limit: 1 }));
    expect(page.items).toEqual(rowsOf(1));
    expect(pageBounds(PageQuery.parse({ limit: 1, cursor: page.nextCursor }))).toEqual({
      afterId: ids[0],
      rowCountMax: 2,
    });
  });

  it('is null on the last page', () => {
    expect(pageOfRows(rowsOf(2), PageQuery.parse({ limit: 2 })).nextCursor).toBeNull();
    expect(pageOfRows([], PageQuery.parse({ limit: 2 })).nextCursor).toBeNull();
  });

  it('is refused as invalid_request whenever it was not given out by a list', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => decodeCursor(text)).toThrowError(expect.objectContaining({ code: 'invalid_request' }));
      }),
    );
  });
});
