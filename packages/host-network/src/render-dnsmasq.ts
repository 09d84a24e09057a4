import { formatIpv4, parseIpv4Cidr } from '@kvorum/schema';
import type { HostNetwork } from './desired-networks.js';

const LEASE = '1h';
/** Guests ask for what they like; so much is remembered at the most. */
const CACHE_ENTRIES = 1000;
const CONCURRENT_QUERIES_MAX = 150;
const ADDRESS_BITS = 32;

/** Files of a network's dnsmasq, by name. `config` needs a new process when it changes, the others a signal. */
export interface DnsmasqFiles {
  readonly config: string;
  readonly hosts: string;
  readonly names: string;
}

/** `folder`: where the files will lie. */
export function renderDnsmasq(network: HostNetwork, folder: string, resolvers: readonly string[]): DnsmasqFiles {
  return {
    config: renderConfig(network, folder, resolvers),
    hosts: network.ports
      .map(({ macAddress, address, name }) => `${macAddress},${address}${name === null ? '' : `,${name}`},${LEASE}\n`)
      .join(''),
    names: [...network.ports, ...network.otherNames]
      .flatMap(({ name, address }) => (name === null ? [] : [`${address} ${name}.${network.dnsDomain} ${name}\n`]))
      .join(''),
  };
}

function renderConfig(network: HostNetwork, folder: string, resolvers: readonly string[]): string {
  const { id, cidr, gateway, dnsDomain, mtu } = network;
  const range = parseIpv4Cidr(cidr);
  if (range === null) throw new TypeError(`${cidr} was checked before`);
  const mask = formatIpv4(2 ** ADDRESS_BITS - 2 ** (ADDRESS_BITS - range.length));
  return `# Kvorum, network ${id}
pid-file=${folder}/pid
dhcp-leasefile=${folder}/leases
dhcp-hostsfile=${folder}/hosts
addn-hosts=${folder}/names
interface=gateway
except-interface=lo
bind-interfaces
no-hosts
no-resolv
no-poll
${resolvers.map((address) => `server=${address}\n`).join('')}cache-size=${CACHE_ENTRIES}
dns-forward-max=${CONCURRENT_QUERIES_MAX}
domain=${dnsDomain}
local=/${dnsDomain}/
domain-needed
bogus-priv
stop-dns-rebind
dhcp-range=${formatIpv4(range.first)},static,${mask},${LEASE}
dhcp-authoritative
dhcp-option=option:router,${gateway}
dhcp-option=option:dns-server,${gateway}
dhcp-option=option:mtu,${mtu}
`;
}
