import { SiteGatewayClient } from '@kvorum/schema/agent-wire';
import type { Identity } from '../enrol/identity.js';
import { siteChannelOptions, siteCredentials, transferChannelOptions } from './site-channel.js';
import { controlPlaneSpiffeId } from './spiffe.js';

/** The site's gateway, trusted and spoken to as this host. `transfer`: for files alone. */
export function gatewayClient(identity: Identity, use: 'reports' | 'transfer'): SiteGatewayClient {
  const expected = controlPlaneSpiffeId(identity.siteId);
  const trust = {
    caCertificatePem: identity.caCertificatePem,
    isControlPlane: (spiffeId: string) => spiffeId === expected,
    client: { keyPem: identity.keyPem, certificatePem: identity.certificatePem },
  };
  const options = use === 'transfer' ? transferChannelOptions : siteChannelOptions;
  return new SiteGatewayClient(`dns:///${identity.gatewayAddress}`, siteCredentials(trust), options);
}
