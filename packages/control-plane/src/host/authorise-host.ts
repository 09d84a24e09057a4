import { DomainError, HostId } from '@kvorum/schema';
import type { ControlPlane } from '../control-plane.js';
import { findHostOfCertificate } from './host.store.js';

const FINGERPRINT_FORM = /^[0-9a-f]{64}$/;

/**
 * The host behind a verified client certificate. TLS has proven that our CA signed it; this proves that it was issued to
 * that host and that neither it nor the host has been revoked since. Throws host_not_trusted, without saying which.
 */
export async function authoriseHost(
  cp: ControlPlane,
  peer: { spiffeId: string; fingerprintSha256: string },
): Promise<HostId> {
  const hostId = FINGERPRINT_FORM.test(peer.fingerprintSha256)
    ? await findHostOfCertificate(cp.database, peer.fingerprintSha256)
    : null;
  if (hostId === null || peer.spiffeId !== cp.authority.spiffeIdOfHost(hostId)) {
    throw new DomainError('host_not_trusted', 'the certificate is not of a host of this site, or was revoked');
  }
  return HostId.parse(hostId);
}
