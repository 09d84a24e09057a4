import { type CloudInit, METADATA_ADDRESS, parseIpv4Cidr } from '@kvorum/schema';
import type { PortOnHost } from '../network/network-keeper.js';

/** A network card as the guest sees it, with the end of its port on this host. */
export interface CardOfGuest {
  readonly macAddress: string;
  readonly port: PortOnHost;
}

/** cloud-init merges nothing into what is empty, and says so in its log as if something were wrong. */
const NO_USER_DATA = '#cloud-config\n';
/** The first card with a way out is the one to use: of several routes, Linux takes that with the lowest metric. */
const FIRST_METRIC = 100;

/**
 * The files of a seed disk by their names: NoCloud of cloud-init, network configuration version 2. JSON, which is YAML as well:
 * nothing that a tenant wrote can be taken for a part of the file. Pure.
 */
export const renderSeed = (cloudInit: CloudInit, cards: readonly CardOfGuest[]): Readonly<Record<string, string>> => ({
  'meta-data': json({
    'instance-id': cloudInit.instanceId,
    'local-hostname': cloudInit.hostname,
    'public-keys': cloudInit.sshAuthorizedKeys,
  }),
  'user-data': cloudInit.userData ?? NO_USER_DATA,
  'network-config': json({
    version: 2,
    ethernets: Object.fromEntries(cards.map((card, index) => [`card${index}`, cardConfig(card, FIRST_METRIC + index)])),
  }),
});

const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

/** Addresses are said here, not asked for: a wire of the site has no DHCP of ours. */
function cardConfig({ macAddress, port: { address, mtu, network } }: CardOfGuest, metric: number): object {
  const { kind, cidr, gateway, dnsDomain } = network;
  // An overlay leads nowhere else; what its gateway itself answers is reached by name.
  const to = kind === 'vxlan' ? `${METADATA_ADDRESS}/32` : '0.0.0.0/0';
  return {
    match: { macaddress: macAddress },
    mtu,
    addresses: [`${address}/${parseIpv4Cidr(cidr)?.length}`],
    routes: [{ to, via: gateway, metric }],
    // On a wire, whoever runs it has name servers; who they are is not known here.
    ...(kind === 'bridge' ? {} : { nameservers: { addresses: [gateway], search: [dnsDomain] } }),
  };
}
