import { DomainError } from '@kvorum/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { etagOf, generationWanted } from './etag.js';

describe('If-Match', () => {
  it.each([
    [undefined, undefined],
    ['*', undefined],
    [' "7" ', 7],
    ['"9007199254740991"', Number.MAX_SAFE_INTEGER],
    ['W/"7"', -1],
    ['"abc"', -1],
    ['""', -1],
    ['"007"', -1],
    ['"9999999999999999"', -1],
  ])('%s asks for generation %s', (header, generation) => {
    expect(generationWanted(header)).toBe(generation);
  });

  it.each(['7', '"7', '"1", "2"', 'w/"1"', '', '"a b"', '**'])('refuses %j and names the header', (header) => {
    expect(() => generationWanted(header)).toThrowError(
      expect.objectContaining({
        code: 'invalid_request',
        details: { fields: [{ field: 'header.if-match', message: expect.any(String) }] },
      }),
    );
  });

  it('reads back every ETag it gave out', () => {
    fc.assert(fc.property(fc.integer({ min: 1 }), (generation) => generationWanted(etagOf(generation)) === generation));
  });

  it('never throws anything but a DomainError', () => {
    fc.assert(
      fc.property(fc.string(), (header) => {
        try {
          generationWanted(header);
        } catch (error) {
          expect(error).toBeInstanceOf(DomainError);
        }
      }),
    );
  });
});
