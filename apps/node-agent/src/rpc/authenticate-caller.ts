import type { AuthContext } from '@grpc/grpc-js/build/src/auth-context.js';
import { DomainError } from '@kvorum/schema';
import { controlPlaneSpiffeId, spiffeIdOf } from '../trust/spiffe.js';

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
