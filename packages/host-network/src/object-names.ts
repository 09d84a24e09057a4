/**
 * Names of what is made on a host. Each says whose it is, so that whatever has no owner any more is found by its name alone.
 * The kernel takes 15 characters (IFNAMSIZ 16 with the NUL): three for the kind and the last twelve digits of the owner's id,
 * 48 random bits of a UUID of version 7. Its first digits are a time, which two objects may share.
 */
const DIGITS = 12;
const lastDigits = (id: string): string => id.replaceAll('-', '').slice(-DIGITS);

export const LINK_KINDS = {
  bridge: 'kvb',
  /** Gateway's end in the bridge; the other one is in the network's namespace. */
  gateway: 'kvg',
  tap: 'kvt',
  /** The host's end of the way out of a NAT network. */
  uplink: 'kvu',
  vlan: 'kvl',
  vxlan: 'kvx',
} as const;
export type LinkKind = keyof typeof LINK_KINDS;

export const linkName = (kind: LinkKind, ownerId: string): string => `${LINK_KINDS[kind]}${lastDigits(ownerId)}`;

const OURS = new RegExp(`^(${Object.values(LINK_KINDS).join('|')})[0-9a-f]{${DIGITS}}$`);
export const isOurLink = (name: string): boolean => OURS.test(name);

/** Namespace of a network: its gateway, DHCP and DNS, where networks with the same addresses do not meet. */
const NAMESPACE_PREFIX = 'kvorum-';
export const namespaceName = (networkId: string): string => `${NAMESPACE_PREFIX}${networkId}`;
export const networkOfNamespace = (name: string): string | null =>
  /^kvorum-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(name) ? name.slice(NAMESPACE_PREFIX.length) : null;

/** Sets and chains of nftables. */
export const nftName = (what: string, ownerId: string): string => `${what}_${ownerId.replaceAll('-', '')}`;
