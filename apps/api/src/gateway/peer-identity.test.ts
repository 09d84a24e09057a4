import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { peerIdentityOf } from './peer-identity.js';

const raw = Buffer.from('a certificate');
const ID = 'spiffe://kvorum/site/s/host/h';

describe('the identity of a peer', () => {
  it('is its one SPIFFE ID and the hash of its certificate', () => {
    expect(peerIdentityOf({ raw, subjectaltname: `DNS:h, URI:${ID}` })).toEqual({
      spiffeId: ID,
      fingerprintSha256: createHash('sha256').update(raw).digest('hex'),
    });
  });

  it.each([
    ['no certificate', undefined],
    ['no names', { raw, subjectaltname: undefined }],
    ['no URI', { raw, subjectaltname: 'DNS:h' }],
    ['two URIs', { raw, subjectaltname: `URI:${ID}, URI:${ID}2` }],
    ['another scheme', { raw, subjectaltname: 'URI:https://kvorum/host/h' }],
    ['a name that hides another', { raw, subjectaltname: `DNS:"h, URI:${ID}"` }],
    ['an endless one', { raw, subjectaltname: `URI:spiffe://${'a'.repeat(3000)}` }],
  ])('is refused with %s', (_case, certificate) => {
    expect(() => peerIdentityOf(certificate)).toThrowError(expect.objectContaining({ code: 'host_not_trusted' }));
  });
});
