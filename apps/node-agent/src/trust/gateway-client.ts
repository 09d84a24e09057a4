import { SiteGatewayClient } from '@kvorum/schema/agent-wire';
import type { Identity } from '../enrol/identity.js';
import { siteChannelOptions, siteCredentials } from './site-channel.js';
import { controlPlaneSpiffeId } from './spiffe.js';

/** The site's gateway, trusted and spoken to as this host. */
export function gatewayClient(identity: Identity): SiteGatewayClient {
  const expected = controlPlaneSpiffeId(identity.siteId);
  const trust = {
    caCertificatePem: identity.caCertificatePem,
    isControlPlane: (spiffeId: string) => spiffeId === expected,
    client: { keyPem: identity.keyPem, certificatePem: identity.certificatePem },
  };
  return new SiteGatewayClient(`dns:///${identity.gatewayAddress}`, siteCredentials(trust), siteChannelOptions);
}
