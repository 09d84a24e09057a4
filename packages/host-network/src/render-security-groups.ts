import { METADATA_ADDRESS, type SecurityGroup } from '@kvorum/schema';
import type { DesiredNetworks, HostPort, HostSecurityGroup } from './desired-networks.js';
import { LINK_KINDS, linkName, nftName } from './object-names.js';
import { floatingPortsOf } from './plan-floating.js';
import { TRANSIT_RANGE } from './plan-gateway.js';
import { renderSet } from './render-set.js';

type Rule = SecurityGroup['rules'][number];
/** Zones are numbered to 65,535; 0 is the host's own. */
const ZONE_MAX = 65_535;
const zoneOf = (segmentId: number): number => 1 + (segmentId % ZONE_MAX);

/**
 * Who may open a connection to whom. Bridged IPv4 passes the inet family by br_netfilter, where connections are tracked; there,
 * the interface is the bridge, so bridge and address together name a port. Each network has a tracking zone of its own: networks
 * with the same addresses do not share connections.
 *
 * Into a NAT network goes what is for a floating address of it, and answers; out of it, what comes from its own addresses alone.
 *
 * What leaves a port is judged first, what reaches one second, as two chains: an accept ends one chain alone. A rule names a
 * group by its set of members, so that a member that comes or goes changes no rule.
 */
export function renderSecurityGroups(desired: DesiredNetworks): string {
  const { networks, securityGroups } = desired;
  const places = networks.flatMap((network) =>
    network.ports.map((port) => ({ port, at: placeOf(network.id, port.address) })),
  );
  const chainsOf = (direction: 'from' | 'to'): string[] =>
    places.map(({ port, at }) => `${at} : goto ${nftName(direction, port.id)}`);
  const served = networks.filter(({ kind }) => kind !== 'bridge');
  const gateways = served.map(({ id, gateway }) => placeOf(id, gateway));
  const metadata = served.map(({ id }) => placeOf(id, METADATA_ADDRESS));
  const peers = networks.flatMap((network) => (network.kind === 'vxlan' ? network.peers : []));
  const floating = networks
    .filter(({ kind }) => kind === 'nat')
    .flatMap((network) =>
      floatingPortsOf(network).map((port) => `"${linkName('uplink', network.id)}" . ${port.floatingAddress}`),
    );
  return `table inet kvorum
delete table inet kvorum
table inet kvorum {
${securityGroups.map(renderMembers).join('\n')}
${renderSet('gateways', 'ifname . ipv4_addr', gateways)}
${renderSet('metadata', 'ifname . ipv4_addr', metadata)}
${renderSet('floating', 'ifname . ipv4_addr', floating)}
${renderSet('overlay_peers', 'ipv4_addr', [...new Set(peers)])}
${securityGroups.flatMap(renderGroup).join('\n')}
${places.flatMap(({ port }) => renderPort(port)).join('\n')}
${renderSet('from_port', 'ifname . ipv4_addr : verdict', chainsOf('from'), 'map')}
${renderSet('to_port', 'ifname . ipv4_addr : verdict', chainsOf('to'), 'map')}
${renderZones(desired)}
${BASE_CHAINS}
}
table ip kvorum_nat
delete table ip kvorum_nat
table ip kvorum_nat {
  chain outgoing {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${TRANSIT_RANGE} oifname != "${LINK_KINDS.uplink}*" oifname != "${LINK_KINDS.bridge}*" masquerade
  }
}
`;
}

const placeOf = (networkId: string, address: string): string => `"${linkName('bridge', networkId)}" . ${address}`;

const renderMembers = ({ id, members }: HostSecurityGroup): string =>
  renderSet(
    nftName('members', id),
    'ifname . ipv4_addr',
    members.map(({ networkId, address }) => placeOf(networkId, address)),
  );

const renderGroup = ({ id, rules }: HostSecurityGroup): string[] =>
  (['ingress', 'egress'] as const).map((direction) => {
    const lines = rules.filter((rule) => rule.direction === direction).map((rule) => `    ${renderRule(rule)}\n`);
    return `  chain ${nftName(direction, id)} {\n${lines.join('')}  }`;
  });

function renderRule(rule: Rule): string {
  const { direction, protocol, portMin, portMax, cidr, peerGroupId } = rule;
  const side = direction === 'ingress' ? 'saddr' : 'daddr';
  return [
    ...(cidr === null || cidr === '0.0.0.0/0' ? [] : [`ip ${side} ${cidr}`]),
    ...(peerGroupId === null ? [] : [`iifname . ip ${side} @${nftName('members', peerGroupId)}`]),
    ...(protocol === 'any' ? [] : [`ip protocol ${protocol}`]),
    ...(portMin === null ? [] : [`${protocol} dport ${portMin === portMax ? portMin : `${portMin}-${portMax}`}`]),
    'accept',
  ].join(' ');
}

function renderPort({ id, securityGroupIds }: HostPort): string[] {
  const jumps = (direction: string): string =>
    securityGroupIds.map((groupId) => `    jump ${nftName(direction, groupId)}\n`).join('');
  // Without groups: nobody may talk to it, and it may talk to all.
  const openWay = securityGroupIds.length === 0 ? '    accept\n' : `${jumps('egress')}    counter drop\n`;
  return [
    `  chain ${nftName('from', id)} {\n${openWay}  }`,
    `  chain ${nftName('to', id)} {\n${jumps('ingress')}    counter drop\n  }`,
  ];
}

function renderZones({ networks }: DesiredNetworks): string {
  const zones = networks.map(({ id, segmentId }) => `"${linkName('bridge', id)}" : ${zoneOf(segmentId)}`);
  const rule = zones.length === 0 ? '' : `    ct zone set iifname map { ${zones.join(', ')} }\n`;
  return `  chain zones {
    type filter hook prerouting priority raw; policy accept;
${rule}  }`;
}

const BASE_CHAINS = `  chain leaving {
    type filter hook forward priority filter; policy accept;
    iifname "${LINK_KINDS.uplink}*" ip saddr != ${TRANSIT_RANGE} iifname . ip saddr != @floating counter drop
    oifname "${LINK_KINDS.uplink}*" oifname . ip daddr != @floating ct state != { established, related } counter drop
    iifname != "${LINK_KINDS.bridge}*" accept
    ct state established,related accept
    ct state invalid counter drop
    ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept
    iifname . ip daddr @gateways udp sport 68 udp dport 67 accept
    iifname . ip daddr @gateways meta l4proto { tcp, udp } th dport 53 accept
    iifname . ip daddr @metadata tcp dport 80 accept
    iifname . ip saddr vmap @from_port
  }
  chain reaching {
    type filter hook forward priority filter + 10; policy accept;
    iifname != "${LINK_KINDS.bridge}*" accept
    ct state established,related accept
    iifname . ip saddr @gateways udp sport 67 udp dport 68 accept
    iifname . ip daddr vmap @to_port
  }
  chain incoming {
    type filter hook input priority filter; policy accept;
    udp dport 4789 ip saddr != @overlay_peers counter drop
    iifname "${LINK_KINDS.uplink}*" ct state != { established, related } counter drop
  }`;
