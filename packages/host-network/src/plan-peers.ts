import type { OverlayNetwork } from './desired-networks.js';
import { linkName } from './object-names.js';
import type { Command } from './plan-links.js';

const ANY_MAC_ADDRESS = '00:00:00:00:00:00';

/** Where an overlay floods to: an entry for each peer, none for others. `existing`: addresses it floods to now. */
export function planPeers({ id, peers }: OverlayNetwork, existing: readonly string[]): Command[] {
  const device = linkName('vxlan', id);
  const entry = (verb: string, peer: string): Command => [
    ...['bridge', 'fdb', verb, ANY_MAC_ADDRESS],
    ...['dev', device, 'dst', peer, 'self', 'permanent'],
  ];
  return [
    ...existing.filter((peer) => !peers.includes(peer)).map((peer) => entry('delete', peer)),
    ...peers.filter((peer) => !existing.includes(peer)).map((peer) => entry('append', peer)),
  ];
}
