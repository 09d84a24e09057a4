import type { HostNetwork, HostPort } from './desired-networks.js';
import { LINK_KINDS, linkName, nftName } from './object-names.js';
import { renderSet } from './render-set.js';

const TAPS = `"${LINK_KINDS.tap}*"`;

/**
 * What may pass a tap, in either direction: frames with the MAC address and the IPv4 address of the port, and the first words of
 * DHCP. A guest cannot answer DHCP or ARP for others, nor be reached under another address, and does not hear frames that are
 * flooded for others. IPv6 and everything else is dropped. The bridge family has no connection tracking in every kernel, and
 * needs none for this.
 *
 * A port with a limit has a chain of its own per direction, which drops what is faster. A limit begins anew when the rules are replaced.
 */
export function renderPortGuard(networks: readonly HostNetwork[]): string {
  const ports = networks.flatMap((network) => network.ports);
  const tap = (id: string): string => `"${linkName('tap', id)}"`;
  const ingress = limitsOf(ports, 'ingress');
  const egress = limitsOf(ports, 'egress');
  return `table bridge kvorum
delete table bridge kvorum
table bridge kvorum {
${renderSet(
  'port_macs',
  'ifname . ether_addr',
  ports.map(({ id, macAddress }) => `${tap(id)} . ${macAddress}`),
)}
${renderSet(
  'port_addresses',
  'ifname . ipv4_addr',
  ports.map(({ id, address }) => `${tap(id)} . ${address}`),
)}
${renderSet(
  'port_arp',
  'ifname . ether_addr . ipv4_addr',
  // RFC 5227: who looks whether an address is free asks from 0.0.0.0.
  ports.flatMap(({ id, macAddress, address }) =>
    [address, '0.0.0.0'].map((sender) => `${tap(id)} . ${macAddress} . ${sender}`),
  ),
)}
${egress.chains}${ingress.chains}  chain from_port {
    type filter hook prerouting priority -300; policy accept;
    iifname != ${TAPS} accept
    iifname . ether saddr != @port_macs counter drop
${egress.rule}    ether type arp iifname . arp saddr ether . arp saddr ip @port_arp accept
    ether type ip ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept
    ether type ip udp sport 67 counter drop
    ether type ip iifname . ip saddr @port_addresses accept
    counter drop
  }
  chain to_port {
    type filter hook forward priority -200; policy accept;
    oifname != ${TAPS} accept
${ingress.rule}    ether type arp accept
    ether type ip udp sport 67 udp dport 68 accept
    ether type ip oifname . ether daddr @port_macs oifname . ip daddr @port_addresses accept
    counter drop
  }
}
`;
}

const BITS_PER_BYTE = 8;
/**
 * What may come at once, beyond the second's worth that the kernel always lets come (nft_limit_init, net/netfilter/nft_limit.c: a limit
 * of bytes begins with rate + burst): some of the largest segments that a guest hands over whole.
 */
const BURST_BYTES = 262_144;

/** Chains of the ports that have a limit, and the rule that leads to them; without any, nothing. */
function limitsOf(ports: readonly HostPort[], direction: 'ingress' | 'egress'): { chains: string; rule: string } {
  const limits = ports.flatMap(({ id, [`${direction}BitsPerSecond` as const]: bitsPerSecond }) =>
    bitsPerSecond === null ? [] : [{ id, bytesPerSecond: Math.floor(bitsPerSecond / BITS_PER_BYTE) }],
  );
  if (limits.length === 0) return { chains: '', rule: '' };
  const chains = limits.map(({ id, bytesPerSecond }) => {
    return `  chain ${nftName(`${direction}_limit`, id)} {
    limit rate over ${bytesPerSecond} bytes/second burst ${BURST_BYTES} bytes counter drop
  }
`;
  });
  const elements = limits.map(({ id }) => `"${linkName('tap', id)}" : jump ${nftName(`${direction}_limit`, id)}`);
  const side = direction === 'ingress' ? 'oifname' : 'iifname';
  return {
    chains: `${chains.join('')}${renderSet(`${direction}_limits`, 'ifname : verdict', elements, 'map')}\n`,
    rule: `    ${side} vmap @${direction}_limits\n`,
  };
}
