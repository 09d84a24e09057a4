import type { HostNetwork, NatNetwork } from './desired-networks.js';
import { linkName } from './object-names.js';
import { transitOf } from './plan-gateway.js';
import type { Command } from './plan-links.js';

type HostsNetworks = Readonly<Record<'networks', readonly HostNetwork[]>>;

/** Marks routes and entries that are ours (rtm_protocol, ndm protocol): no program of Debian 12 has this number (rt_protos). */
export const OUR_PROTOCOL = '75';

/** A floating address where its host keeps it. */
export interface FloatingEntry {
  readonly address: string;
  readonly device: string;
}

/** What a host has of floating addresses, and is ours. */
export interface FloatingFacts {
  /** Into the namespaces of networks. */
  readonly routes: readonly FloatingEntry[];
  /** For which the host answers ARP, and where. */
  readonly proxies: readonly FloatingEntry[];
}

/** Ports that have a floating address. */
export const floatingPortsOf = ({ ports }: HostNetwork): { floatingAddress: string; address: string }[] =>
  ports.flatMap(({ floatingAddress, address }) => (floatingAddress === null ? [] : [{ floatingAddress, address }]));

const natNetworksOf = ({ networks }: HostsNetworks): NatNetwork[] =>
  networks.filter((network): network is NatNetwork => network.kind === 'nat');

/** All floating addresses that the host is to have. */
export const floatingAddressesOf = (desired: HostsNetworks): string[] =>
  natNetworksOf(desired).flatMap((network) => floatingPortsOf(network).map(({ floatingAddress }) => floatingAddress));

const isAmong = (entries: readonly FloatingEntry[], { address, device }: FloatingEntry): boolean =>
  entries.some((entry) => entry.address === address && entry.device === device);

/** What the host has no more, or elsewhere: it stops answering before it stops forwarding. `interfaceName`: null, it has none to answer by. */
export function planFloatingSweep(
  desired: HostsNetworks,
  interfaceName: string | null,
  { routes, proxies }: FloatingFacts,
): Command[] {
  const wanted = natNetworksOf(desired).flatMap((network) =>
    floatingPortsOf(network).map(({ floatingAddress: address }) => ({
      address,
      device: linkName('uplink', network.id),
    })),
  );
  const wantedProxies = interfaceName === null ? [] : wanted.map(({ address }) => ({ address, device: interfaceName }));
  return [
    ...proxies
      .filter((entry) => !isAmong(wantedProxies, entry))
      .map(({ address, device }) => ['ip', 'neigh', 'delete', 'proxy', address, 'dev', device]),
    ...routes
      .filter((entry) => !isAmong(wanted, entry))
      .map(({ address, device }) => ['ip', 'route', 'delete', `${address}/32`, 'dev', device, 'proto', OUR_PROTOCOL]),
  ];
}

/** What makes the floating addresses of a network lead into its namespace, and the host answer for them; nothing for those that do. */
export function planFloating(
  network: NatNetwork,
  interfaceName: string,
  { routes, proxies }: FloatingFacts,
): Command[] {
  const uplink = linkName('uplink', network.id);
  const { networkSide } = transitOf(network.segmentId);
  return floatingPortsOf(network).flatMap(({ floatingAddress: address }) => [
    ...(isAmong(routes, { address, device: uplink })
      ? []
      : [['ip', 'route', 'replace', `${address}/32`, 'via', networkSide, 'dev', uplink, 'proto', OUR_PROTOCOL]]),
    ...(isAmong(proxies, { address, device: interfaceName })
      ? []
      : [['ip', 'neigh', 'replace', 'proxy', address, 'dev', interfaceName, 'protocol', OUR_PROTOCOL]]),
  ]);
}

/** Why the host cannot have the floating addresses of a network; null: it can, or is to have none. `own`: addresses of the host. */
export function floatingFault(
  network: NatNetwork,
  interfaceName: string | null,
  own: ReadonlySet<string>,
): string | null {
  const [first, ...others] = floatingPortsOf(network).map(({ floatingAddress }) => floatingAddress);
  if (first === undefined) return null;
  if (interfaceName === null) {
    return `this host has no interface for floating address ${first}; give its agent --floating-interface`;
  }
  const taken = [first, ...others].find((address) => own.has(address));
  return taken === undefined ? null : `floating address ${taken} is an address of this host; take it out of its range`;
}
