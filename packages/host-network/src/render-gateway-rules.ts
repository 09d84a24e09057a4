import { METADATA_ADDRESS } from '@kvorum/schema';
import type { NatNetwork, OverlayNetwork } from './desired-networks.js';
import { floatingPortsOf } from './plan-floating.js';
import { TRANSIT_RANGE } from './plan-gateway.js';
import { renderSet } from './render-set.js';

/** Connections of one guest to the metadata, in a second and at once: a program asks for a token and a dozen paths. */
const METADATA_RATE = 'rate over 20/second burst 60 packets';
const ASKERS_MAX = 65_536;

/**
 * Rules inside the namespace: the metadata is for guests of the network alone, and guests of a NAT network leave it with its own
 * address of the transit, or with their floating address. Connections are counted before anybody accepts them.
 */
export const renderGatewayRules = (network: NatNetwork | OverlayNetwork): string => `table ip kvorum
delete table ip kvorum
table ip kvorum {
  set askers {
    type ipv4_addr
    size ${ASKERS_MAX}
    flags dynamic, timeout
    timeout 1m
  }
  chain incoming {
    type filter hook input priority filter; policy accept;
    ip daddr ${METADATA_ADDRESS} iifname != "gateway" counter drop
    ip daddr ${METADATA_ADDRESS} tcp flags & (syn | ack) == syn update @askers { ip saddr limit ${METADATA_RATE} } counter drop
  }
${network.kind === 'nat' ? renderWayOut(network) : ''}}
`;

/**
 * One floating address is one port's, both ways. A connection keeps the addresses that it began with, whatever the rules become: so what
 * still goes by an address that is its port's no more is dropped, or the next owner's peers would be answered by the former one.
 *
 * Who asks for a floating address of the own network is answered under the gateway's address: answered directly, it would not know
 * who that is.
 */
function renderWayOut(network: NatNetwork): string {
  const pairs = floatingPortsOf(network);
  const both = pairs.map(({ floatingAddress, address }) => `${floatingAddress} . ${address}`);
  const inward = pairs.map(({ floatingAddress, address }) => `${floatingAddress} : ${address}`);
  const outward = pairs.map(({ floatingAddress, address }) => `${address} : ${floatingAddress}`);
  const isOwn = (peer: 'saddr' | 'daddr') => `ct reply ip daddr != ${TRANSIT_RANGE} ct reply ip daddr . ip ${peer}`;
  return `${renderSet('floating', 'ipv4_addr . ipv4_addr', both)}
${renderSet('to_port', 'ipv4_addr : ipv4_addr', inward, 'map')}
${renderSet('from_port', 'ipv4_addr : ipv4_addr', outward, 'map')}
  chain passing {
    type filter hook forward priority filter; policy accept;
    ct status dnat ct direction original ct original ip daddr . ip daddr != @floating counter drop
    ct status dnat ct direction reply ct original ip daddr . ip saddr != @floating counter drop
    oifname "uplink" ct status snat ct direction original ${isOwn('saddr')} != @floating counter drop
    iifname "uplink" ct status snat ct direction reply ${isOwn('daddr')} != @floating counter drop
  }
  chain arriving {
    type nat hook prerouting priority dstnat; policy accept;
    dnat to ip daddr map @to_port
  }
  chain outgoing {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "uplink" snat to ip saddr map @from_port
    oifname "uplink" masquerade
    oifname "gateway" ip saddr ${network.cidr} ct status dnat masquerade
  }
`;
}
