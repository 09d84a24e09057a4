import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { type ChannelCredentials, type ClientOptions, credentials } from '@grpc/grpc-js';
import { DomainError } from '@kvorum/schema';
import { spiffeIdOf } from './spiffe.js';

/** DNS name in the control plane's certificate; agents dial addresses, so the name is given beside them. */
export const CONTROL_PLANE_NAME = 'control-plane';

/** A dead control plane is noticed within the two together, below the lease of a host. */
const KEEPALIVE_INTERVAL_MS = 5_000;
const KEEPALIVE_TIMEOUT_MS = 4_000;
/** The agent has its own backoff with jitter; the channel's must not add much to it. */
const RECONNECT_BACKOFF_MS_MAX = 2_000;
/** 1 MiB of image data plus framing. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

export const siteChannelOptions: ClientOptions = {
  'grpc.ssl_target_name_override': CONTROL_PLANE_NAME,
  'grpc.keepalive_time_ms': KEEPALIVE_INTERVAL_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': RECONNECT_BACKOFF_MS_MAX,
  'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  // Each agent has its own connection even when many run in one process: the identity differs.
  'grpc.use_local_subchannel_pool': 1,
};

/** 16 MiB: image transfers over mTLS are 1.5 to 2 times faster than with HTTP/2's default window of 64 KiB. */
const FLOW_CONTROL_WINDOW_BYTES = 16 * 1024 * 1024;
/** The answer to a ping comes behind what is on its way: a window full at 3 Mbit/s. */
const TRANSFER_KEEPALIVE_TIMEOUT_MS = 45_000;

/** Of connections that carry files, and nothing whose lease would run out meanwhile. */
export const transferChannelOptions: ClientOptions = {
  ...siteChannelOptions,
  'grpc.keepalive_timeout_ms': TRANSFER_KEEPALIVE_TIMEOUT_MS,
  'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW_BYTES,
};

export interface SiteTrust {
  readonly caCertificatePem: string;
  /** Is this the SPIFFE id of the control plane we mean? */
  isControlPlane(spiffeId: string): boolean;
  /** Own certificate; absent while enrolling. */
  readonly client?: { readonly keyPem: string; readonly certificatePem: string };
}

/** TLS credentials that accept only the control plane of our site. */
export function siteCredentials(trust: SiteTrust): ChannelCredentials {
  return credentials.createSsl(
    Buffer.from(trust.caCertificatePem),
    trust.client === undefined ? null : Buffer.from(trust.client.keyPem),
    trust.client === undefined ? null : Buffer.from(trust.client.certificatePem),
    { checkServerIdentity: (name, certificate) => refusalOfServer(trust, name, certificate) },
  );
}

function refusalOfServer(trust: SiteTrust, name: string, certificate: PeerCertificate): Error | undefined {
  const mismatch = checkServerIdentity(name, certificate);
  if (mismatch !== undefined) return mismatch;
  const spiffeId = spiffeIdOf(certificate.raw);
  if (spiffeId !== null && trust.isControlPlane(spiffeId)) return undefined;
  return new DomainError('host_not_trusted', `the peer is not the control plane: ${spiffeId ?? 'no SPIFFE id'}`);
}
