import { describe, expect, it } from 'vitest';
import { parseOmap } from './parse-omap.js';

/** rados(8) of Ceph 16. */
const LISTED = `0a
value (2 bytes) :
00000000  76 31                                             |v1|
00000002

b
value (35 bytes) :
00000000  7b 22 73 74 61 74 65 22  3a 22 72 65 61 64 79 22  |{"state":"ready"|
00000010  2c 22 73 69 7a 65 42 79  74 65 73 22 3a 31 30 34  |,"sizeBytes":104|
00000020  38 35 7d                                          |85}|
00000023

`;

describe('the keys of an object as rados lists them', () => {
  it('are read with their values', () => {
    expect([...parseOmap(LISTED)]).toEqual([
      ['0a', 'v1'],
      ['b', '{"state":"ready","sizeBytes":10485}'],
    ]);
  });
  it('may be none', () => expect([...parseOmap('')]).toEqual([]));
});
