import { formatIpv4, METADATA_ADDRESS, parseIpv4, parseIpv4Cidr } from '@kvorum/schema';
import type { NatNetwork, OverlayNetwork } from './desired-networks.js';
import { linkName, namespaceName } from './object-names.js';
import type { Command } from './plan-links.js';

/** RFC 6598: addresses between a network's namespace and its host, which are seen by nobody else. */
export const TRANSIT_RANGE = '100.64.0.0/10';
const TRANSIT_FIRST = parseIpv4('100.64.0.0') ?? Number.NaN;
/** Pairs in the range. */
const TRANSIT_PAIRS = 2 ** 21;
const OCTETS_OF_SEGMENT = [16, 8, 0];

/**
 * What makes the inside of a network's namespace be as desired. Repeated, it changes nothing. All hosts with an overlay have
 * its gateway with the same addresses: a guest that moves finds it where it was.
 */
export function planGateway(network: NatNetwork | OverlayNetwork): Command[] {
  const { id, gateway, cidr, mtu, segmentId } = network;
  const inside = ['ip', '-n', namespaceName(id)];
  const length = parseIpv4Cidr(cidr)?.length;
  return [
    [...inside, 'link', 'set', 'lo', 'up'],
    // On lo: Linux answers ARP for it on the gateway all the same, and dnsmasq has no business there.
    [...inside, 'address', 'replace', `${METADATA_ADDRESS}/32`, 'dev', 'lo'],
    [...inside, 'link', 'set', 'gateway', 'address', gatewayMacAddress(segmentId), 'mtu', String(mtu), 'up'],
    [...inside, 'address', 'replace', `${gateway}/${length}`, 'dev', 'gateway'],
    ...(network.kind === 'nat' ? planWayOut(network, inside) : []),
  ];
}

function planWayOut({ id, segmentId, mtu }: NatNetwork, inside: Command): Command[] {
  const { hostSide, networkSide } = transitOf(segmentId);
  return [
    ['ip', 'address', 'replace', `${hostSide}/31`, 'dev', linkName('uplink', id)],
    [...inside, 'link', 'set', 'uplink', 'mtu', String(mtu), 'up'],
    [...inside, 'address', 'replace', `${networkSide}/31`, 'dev', 'uplink'],
    [...inside, 'route', 'replace', 'default', 'via', hostSide],
  ];
}

/** RFC 3021: a pair of addresses is enough between two. */
export function transitOf(segmentId: number): { hostSide: string; networkSide: string } {
  const hostSide = TRANSIT_FIRST + 2 * (segmentId % TRANSIT_PAIRS);
  return { hostSide: formatIpv4(hostSide), networkSide: formatIpv4(hostSide + 1) };
}

/** Locally administered, and not of the form that ports are given. */
export const gatewayMacAddress = (segmentId: number): string =>
  ['0a', '4b', '56', ...OCTETS_OF_SEGMENT.map((shift) => hexOctet(Math.floor(segmentId / 2 ** shift)))].join(':');

const hexOctet = (value: number): string => (value % 256).toString(16).padStart(2, '0');
