import type { AuthContext } from '@grpc/grpc-js/build/src/auth-context.js';
import { DomainError } from '@kvorum/schema';
import { fingerprintOf } from '../trust/host-peer-client.js';
import { controlPlaneSpiffeId, hostOfSpiffeId, spiffeIdOf } from '../trust/spiffe.js';

/**
 * Throws `host_not_trusted` unless the caller is the control plane of our site. TLS has made sure that the site's CA
 * signed its certificate; every host has such a certificate too, so the name in it decides.
 */
export function authenticateCaller(context: AuthContext | null, siteId: string): void {
  const der = context?.sslPeerCertificate?.raw;
  const spiffeId = der === undefined ? null : spiffeIdOf(der);
  if (spiffeId !== controlPlaneSpiffeId(siteId)) {
    throw new DomainError(
      'host_not_trusted',
      `only the control plane may call an agent, not ${spiffeId ?? 'a stranger'}`,
    );
  }
}

/** Another host of the site, by its certificate. Whether that is trusted still, the control plane has said with each offer. */
export interface HostPeerIdentity {
  readonly hostId: string;
  readonly fingerprint: string;
}

/** Throws `host_not_trusted` unless the caller is a host of our site. */
export function authenticateHost(context: AuthContext | null, siteId: string): HostPeerIdentity {
  const der = context?.sslPeerCertificate?.raw;
  const spiffeId = der === undefined ? null : spiffeIdOf(der);
  const hostId = spiffeId === null ? null : hostOfSpiffeId(siteId, spiffeId);
  if (der !== undefined && hostId !== null) return { hostId, fingerprint: fingerprintOf(der) };
  throw new DomainError('host_not_trusted', `only hosts of the site may ask this, not ${spiffeId ?? 'a stranger'}`);
}
