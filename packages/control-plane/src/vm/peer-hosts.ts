import { DomainError } from '@kvorum/schema';
import type { AgentPeer, AgentPermission, CallOptions } from '../agents/agent-port.js';
import type { Database } from '../database/database.js';
import { findHostAddress, findTrustedFingerprints } from '../host/host.store.js';
import type { NeededImage } from './media-of-drives.js';
import { findHostsWithImage } from './move-vm.store.js';
import { agentOf, type VmServices } from './vm-operation.js';

/** Renewed while it is needed: if nobody is left to renew it, it soon runs out. At most OFFER_MS_MAX of the agent. */
export const OFFER_MS = 300_000;
/** An agent answers from its memory. */
const OFFER_CALL_MS = 10_000;
/** More would only put off asking the control plane. */
const IMAGE_PEERS_MAX = 2;

/** A host as another one is to know it. Throws host_not_trusted for one that is revoked. */
export async function peerOf(database: Database, hostId: string): Promise<AgentPeer> {
  const [host, fingerprints] = await Promise.all([
    findHostAddress(database, hostId),
    findTrustedFingerprints(database, hostId),
  ]);
  if (host === null || fingerprints === null || fingerprints.size === 0) {
    throw new DomainError('host_not_trusted', 'the host has no certificate that is trusted; enrol it again');
  }
  return { hostId, address: host.address, certificateFingerprints: [...fingerprints] };
}

/** The permission of exactly that host, by the certificates that it may show now. */
export async function permissionOf(database: Database, hostId: string): Promise<AgentPermission> {
  const { certificateFingerprints } = await peerOf(database, hostId);
  return { targetHostId: hostId, certificateFingerprints, validForMs: OFFER_MS };
}

/**
 * Hosts that have let the target read the image from their caches; `first` is asked before others. None is no failure, nor is one
 * that does not answer: the control plane has all images.
 */
export async function offeredImage(
  services: VmServices,
  image: NeededImage,
  target: { readonly hostId: string; readonly first?: string },
  options: CallOptions,
): Promise<AgentPeer[]> {
  const { database } = services;
  const known = await findHostsWithImage(database, image.imageId, target.hostId, IMAGE_PEERS_MAX);
  const candidates = [...new Set([...(target.first === undefined ? [] : [target.first]), ...known])];
  const offered = candidates.slice(0, IMAGE_PEERS_MAX).map(async (hostId) => {
    const [peer, permission] = await Promise.all([peerOf(database, hostId), permissionOf(database, target.hostId)]);
    const agent = await agentOf(services, hostId);
    await agent.offerImage(image.sha256, permission, {
      ...options,
      timeoutMs: Math.min(options.timeoutMs, OFFER_CALL_MS),
    });
    return peer;
  });
  const ends = await Promise.allSettled(offered);
  return ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
}
