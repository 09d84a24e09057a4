import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { ChannelCredentials } from '@grpc/grpc-js';
import { NodeAgentClient } from '@kvorum/schema/agent-wire';
import type { Identity } from '../site/site-authority.js';

/** A ping this often while calls are open, answered within the second bound: a dead host is known after 8 s at most. */
const KEEPALIVE_EVERY_MS = 5000;
const KEEPALIVE_ANSWER_MS = 3000;
/** Agents restart in about a second; waiting longer than two would only delay the operation that retries. */
const RECONNECT_BACKOFF_MS_MIN = 100;
const RECONNECT_BACKOFF_MS_MAX = 2000;

export interface ConnectionTarget {
  readonly hostId: string;
  readonly address: string;
  readonly spiffeId: string;
  readonly caCertificatePem: string;
  readonly identity: Identity;
}

/**
 * One mTLS channel to one agent. The peer must show a certificate of our CA for the host's DNS name, hold exactly the
 * host's SPIFFE ID, and its fingerprint must be among those we trust now (`trust`): a revoked certificate is refused in the
 * handshake, and a connection that was made before the revocation is found by `peerIsTrusted`.
 */
export class AgentConnection {
  readonly target: ConnectionTarget;
  readonly client: NodeAgentClient;
  #trusted: ReadonlySet<string> = new Set();
  #peerFingerprint: string | null = null;

  constructor(target: ConnectionTarget) {
    this.target = target;
    const credentials = ChannelCredentials.createSsl(
      Buffer.from(target.caCertificatePem),
      Buffer.from(target.identity.privateKeyPem),
      Buffer.from(target.identity.certificatePem),
      { checkServerIdentity: (name, certificate) => this.#checkPeer(name, certificate) },
    );
    // dns:/// takes names and addresses alike; without it an address such as unix:80 would be another kind of target.
    this.client = new NodeAgentClient(`dns:///${target.address}`, credentials, {
      'grpc.ssl_target_name_override': target.hostId,
      'grpc.default_authority': target.hostId,
      'grpc.keepalive_time_ms': KEEPALIVE_EVERY_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_ANSWER_MS,
      'grpc.initial_reconnect_backoff_ms': RECONNECT_BACKOFF_MS_MIN,
      'grpc.min_reconnect_backoff_ms': RECONNECT_BACKOFF_MS_MIN,
      'grpc.max_reconnect_backoff_ms': RECONNECT_BACKOFF_MS_MAX,
      // The operation runner retries, with a new fencing token where one is due; the channel must not do it on its own.
      'grpc.enable_retries': 0,
      // Channels of one process would otherwise share connections by address, whatever identity they were made with.
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  trust(fingerprints: ReadonlySet<string>): void {
    this.#trusted = fingerprints;
  }

  /** False: the agent at the other end has shown a certificate that is not trusted any more. */
  get peerIsTrusted(): boolean {
    return this.#peerFingerprint === null || this.#trusted.has(this.#peerFingerprint);
  }

  #checkPeer(name: string, certificate: PeerCertificate): Error | undefined {
    const mismatch = checkServerIdentity(name, certificate);
    if (mismatch !== undefined) return mismatch;
    const spiffeIds = (certificate.subjectaltname ?? '').split(', ').filter((entry) => entry.startsWith('URI:'));
    if (spiffeIds.length !== 1 || spiffeIds[0] !== `URI:${this.target.spiffeId}`) {
      return new TypeError(`the agent's certificate is not of host ${this.target.hostId}`);
    }
    const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
    if (!this.#trusted.has(fingerprint)) return new TypeError('the certificate of the agent is unknown or revoked');
    this.#peerFingerprint = fingerprint;
    return undefined;
  }
}
