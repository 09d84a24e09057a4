import { DomainError } from '@kvorum/schema';
import type { NodeAgentClient } from '@kvorum/schema/agent-wire';
import type { SiteAuthority } from '../site/site-authority.js';
import { AgentClient } from './agent-client.js';
import { AgentConnection } from './agent-connection.js';
import type { AgentDirectory, AgentPort } from './agent-port.js';

/** Certificates a host may show now, as SHA-256 fingerprints; null: the host itself is revoked or unknown. */
export type TrustOfHost = (hostId: string) => Promise<ReadonlySet<string> | null>;

/**
 * Connections to agents, one per host, made at the first call. Before each call the host's trust is read anew, so that a
 * revocation holds from the next call on in every process; calls are a few per operation, the lookup costs below a ms.
 */
export class GrpcAgentDirectory implements AgentDirectory {
  readonly #authority: SiteAuthority;
  readonly #trustOf: TrustOfHost;
  readonly #connections = new Map<string, AgentConnection>();
  #isClosed = false;

  constructor(authority: SiteAuthority, trustOf: TrustOfHost) {
    this.#authority = authority;
    this.#trustOf = trustOf;
  }

  agentOf(host: { id: string; address: string }): AgentPort {
    return new AgentClient(() => this.#connect(host));
  }

  close(): Promise<void> {
    this.#isClosed = true;
    for (const hostId of [...this.#connections.keys()]) this.#drop(hostId);
    return Promise.resolve();
  }

  async #connect(host: { id: string; address: string }): Promise<NodeAgentClient> {
    const [trusted, identity] = await Promise.all([this.#trustOf(host.id), this.#authority.identity()]);
    if (this.#isClosed) throw new DomainError('unavailable', 'the control plane is closing its connections');
    if (trusted === null || trusted.size === 0) {
      this.#drop(host.id);
      throw new DomainError('host_not_trusted', 'the host has no certificate that is trusted; enrol it again');
    }
    let connection = this.#connections.get(host.id);
    connection?.trust(trusted);
    const isCurrent =
      connection?.target.address === host.address &&
      connection.target.identity === identity &&
      connection.peerIsTrusted;
    if (connection === undefined || !isCurrent) {
      this.#drop(host.id);
      connection = new AgentConnection({
        hostId: host.id,
        address: host.address,
        spiffeId: this.#authority.spiffeIdOfHost(host.id),
        caCertificatePem: this.#authority.caCertificatePem,
        identity,
      });
      connection.trust(trusted);
      this.#connections.set(host.id, connection);
    }
    return connection.client;
  }

  #drop(hostId: string): void {
    this.#connections.get(hostId)?.client.close();
    this.#connections.delete(hostId);
  }
}
