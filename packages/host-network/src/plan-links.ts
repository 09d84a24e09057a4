import type { DesiredNetworks, HostNetwork, WireNetwork } from './desired-networks.js';
import { isOurLink, linkName, namespaceName } from './object-names.js';

/** A program with its arguments. Nothing goes through a shell. */
export type Command = readonly string[];

/** As `ip -json -details link show` tells, as far as it matters here. */
export interface LinkFacts {
  readonly name: string;
  readonly master: string | null;
  readonly mtu: number;
  readonly isUp: boolean;
  /** An address that others may use to reach the host. */
  readonly hasAddress: boolean;
}

interface DesiredLink {
  readonly name: string;
  /** Null: not ours to make, such as a wire of the host. */
  readonly add: Command | null;
  readonly master: string | null;
  /** Null: as it is. */
  readonly mtu: number | null;
  readonly isWire: boolean;
  /** Ends that are isolated do not hear each other: what comes over the overlay never reaches this host's gateway. */
  readonly isIsolated: boolean;
}

const VXLAN_PORT = 4789;

/** What is ours on the host, and of no network and no port that is desired. */
export function planSweep(desired: DesiredNetworks, existing: readonly LinkFacts[]): Command[] {
  const links = desired.networks.flatMap((network) => linksOf(network, desired.hostAddress));
  const names = new Set(links.map(({ name }) => name));
  return existing
    .filter(({ name }) => isOurLink(name) && !names.has(name))
    .map(({ name }) => ['ip', 'link', 'delete', name]);
}

/**
 * What makes the links of a network be as desired, given those the host has; nothing for a link that is right already. The
 * wire is left out where `wireFault` finds something; bridge and taps are made all the same.
 */
export function planLinks(network: HostNetwork, hostAddress: string | null, existing: readonly LinkFacts[]): Command[] {
  const found = new Map(existing.map((link) => [link.name, link]));
  const isWireGood = network.kind !== 'bridge' || wireFault(network, existing) === null;
  return linksOf(network, hostAddress)
    .filter((link) => isWireGood || !link.isWire)
    .flatMap((link) => planLink(link, found.get(link.name) ?? null));
}

/**
 * Why the wire of a network cannot be used; null: it can. An interface of the host itself is never made, nor changed but for
 * the bridge that it is in: with addresses of the host on it, the host would lose its own connection.
 */
export function wireFault({ id, uplink, vlanId, mtu }: WireNetwork, existing: readonly LinkFacts[]): string | null {
  const found = existing.find(({ name }) => name === uplink);
  if (found === undefined) return `there is no interface ${uplink}; make it, or give the network another uplink`;
  if (found.mtu < mtu) return `${uplink} takes packets of ${found.mtu} bytes, the network wants ${mtu}; raise its MTU`;
  if (vlanId !== null) return null;
  if (found.hasAddress) return `${uplink} has addresses of the host; use another interface, or a VLAN of it`;
  if (found.master === null || found.master === linkName('bridge', id)) return null;
  return `${uplink} is in ${found.master} already; take it out, or use another interface`;
}

function planLink(link: DesiredLink, found: LinkFacts | null): Command[] {
  const { name, add, master, mtu } = link;
  const commands: Command[] = [];
  if (found === null && add !== null) commands.push(add);
  if (mtu !== null && found?.mtu !== mtu) commands.push(['ip', 'link', 'set', name, 'mtu', String(mtu)]);
  if (master !== null && found?.master !== master) {
    commands.push(['ip', 'link', 'set', name, 'master', master]);
    if (link.isIsolated) commands.push(['bridge', 'link', 'set', 'dev', name, 'isolated', 'on']);
  }
  if (found?.isUp !== true) commands.push(['ip', 'link', 'set', name, 'up']);
  return commands;
}

function linksOf(network: HostNetwork, hostAddress: string | null): DesiredLink[] {
  const { mtu } = network;
  const bridge = linkName('bridge', network.id);
  const inBridge = (name: string, add: Command | null, isIsolated = false): DesiredLink => ({
    name,
    add,
    master: bridge,
    mtu,
    isWire: false,
    isIsolated,
  });
  return [
    // Without snooping: a bridge without a querier would stop forwarding multicast after a while.
    { ...inBridge(bridge, ['ip', 'link', 'add', bridge, 'type', 'bridge', 'mcast_snooping', '0']), master: null },
    ...wireOf(network, hostAddress).map(({ name, add }) => ({
      ...inBridge(name, add, network.kind === 'vxlan'),
      mtu: add === null ? null : mtu,
      isWire: true,
    })),
    ...gatewayOf(network).map(({ name, add, isOut }) =>
      isOut ? { ...inBridge(name, add), master: null } : inBridge(name, add, network.kind === 'vxlan'),
    ),
    ...network.ports.map(({ id }) => {
      const tap = linkName('tap', id);
      return inBridge(tap, ['ip', 'tuntap', 'add', 'dev', tap, 'mode', 'tap', 'vnet_hdr']);
    }),
  ];
}

/** What leads out of the bridge to other machines. */
function wireOf(network: HostNetwork, hostAddress: string | null): { name: string; add: Command | null }[] {
  if (network.kind === 'nat') return [];
  if (network.kind === 'vxlan') {
    if (hostAddress === null) return [];
    const name = linkName('vxlan', network.id);
    const how = ['id', String(network.segmentId), 'dstport', String(VXLAN_PORT), 'local', hostAddress, 'nolearning'];
    return [{ name, add: ['ip', 'link', 'add', name, 'type', 'vxlan', ...how] }];
  }
  const { uplink, vlanId } = network;
  if (vlanId === null) return [{ name: uplink, add: null }];
  const name = linkName('vlan', network.id);
  return [{ name, add: ['ip', 'link', 'add', 'link', uplink, 'name', name, 'type', 'vlan', 'id', String(vlanId)] }];
}

/** The ends of pairs whose other ends are in the network's namespace; a network on a wire has its gateway there. */
function gatewayOf(network: HostNetwork): { name: string; add: Command; isOut: boolean }[] {
  if (network.kind === 'bridge') return [];
  const pair = (name: string, peer: string): Command => [
    ...['ip', 'link', 'add', name, 'type', 'veth'],
    ...['peer', 'name', peer, 'netns', namespaceName(network.id)],
  ];
  const gateway = linkName('gateway', network.id);
  const uplink = linkName('uplink', network.id);
  return [
    { name: gateway, add: pair(gateway, 'gateway'), isOut: false },
    ...(network.kind === 'nat' ? [{ name: uplink, add: pair(uplink, 'uplink'), isOut: true }] : []),
  ];
}
