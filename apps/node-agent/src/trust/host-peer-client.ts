import { createHash } from 'node:crypto';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { ChannelCredentials } from '@grpc/grpc-js';
import { DomainError } from '@kvorum/schema';
import { HostPeerClient } from '@kvorum/schema/agent-wire';
import type { Identity } from '../enrol/identity.js';
import { transferChannelOptions } from './site-channel.js';
import { hostSpiffeId, spiffeIdOf } from './spiffe.js';

/** Another host as the control plane names it. */
export interface PeerHost {
  readonly hostId: string;
  readonly address: string;
  readonly fingerprints: readonly string[];
}

export const fingerprintOf = (certificateDer: Uint8Array): string =>
  createHash('sha256').update(certificateDer).digest('hex');

/** A connection to exactly that host, by one of the certificates that the control plane trusts now. To be closed. */
export function connectPeer(identity: Identity, peer: PeerHost): HostPeerClient {
  const credentials = ChannelCredentials.createSsl(
    Buffer.from(identity.caCertificatePem),
    Buffer.from(identity.keyPem),
    Buffer.from(identity.certificatePem),
    { checkServerIdentity: (name, certificate) => refusalOfPeer(identity, peer, name, certificate) },
  );
  return new HostPeerClient(`dns:///${peer.address}`, credentials, {
    ...transferChannelOptions,
    // Certificates of hosts are for their ids.
    'grpc.ssl_target_name_override': peer.hostId,
    'grpc.default_authority': peer.hostId,
  });
}

function refusalOfPeer(
  identity: Identity,
  peer: PeerHost,
  name: string,
  certificate: PeerCertificate,
): Error | undefined {
  const mismatch = checkServerIdentity(name, certificate);
  if (mismatch !== undefined) return mismatch;
  const isPeer =
    spiffeIdOf(certificate.raw) === hostSpiffeId(identity.siteId, peer.hostId) &&
    peer.fingerprints.includes(fingerprintOf(certificate.raw));
  return isPeer ? undefined : new DomainError('host_not_trusted', `the peer is not host ${peer.hostId}`);
}
