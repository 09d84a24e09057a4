import { createHash } from 'node:crypto';
import { DomainError } from '@kvorum/schema';

/** Who is at the other end of a connection, as TLS has proven it. */
export interface PeerIdentity {
  readonly spiffeId: string;
  /** SHA-256 of the certificate's DER, lower-case hex. */
  readonly fingerprintSha256: string;
}

export interface PeerCertificate {
  readonly raw?: Buffer;
  readonly subjectaltname?: string | undefined;
}

/** A SPIFFE ID has at most 2048 bytes (SPIFFE-ID standard, section 2.3). */
const SPIFFE_ID_LENGTH_MAX = 2048;

/**
 * The identity in a certificate that TLS has verified against the site CA. An X.509-SVID carries exactly one URI
 * (X509-SVID standard, section 2); more would leave open who it is. Throws `host_not_trusted`.
 */
export function peerIdentityOf(certificate: PeerCertificate | undefined): PeerIdentity {
  if (certificate?.raw === undefined) throw new DomainError('host_not_trusted', 'the peer showed no certificate');
  const names = certificate.subjectaltname ?? '';
  // Node puts a name in quotes when it holds what could be taken for a separator (CVE-2021-44532); none of ours does.
  const uris = names.includes('"') ? [] : names.split(', ').filter((name) => name.startsWith('URI:'));
  const spiffeId = uris[0]?.slice('URI:'.length) ?? '';
  if (uris.length !== 1 || !spiffeId.startsWith('spiffe://') || spiffeId.length > SPIFFE_ID_LENGTH_MAX) {
    throw new DomainError('host_not_trusted', "the peer's certificate must carry exactly one SPIFFE ID");
  }
  return { spiffeId, fingerprintSha256: createHash('sha256').update(certificate.raw).digest('hex') };
}
