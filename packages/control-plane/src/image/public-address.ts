import { isIP } from 'node:net';
import { DomainError } from '@kvorum/schema';
import ipaddr from 'ipaddr.js';

/** What an operator lets images be fetched from. */
export interface ImageSources {
  /** Host names; `*.example.org` stands for every name below it, `*` for any. */
  readonly hosts: readonly string[];
  /** Networks (CIDR) that may be reached although they are not public: a mirror of one's own. */
  readonly privateNetworks: readonly string[];
}

/** Any server on the public Internet: what is fetched is checked, and nothing inside can be reached this way. */
export const IMAGE_SOURCES_DEFAULT: ImageSources = { hosts: ['*'], privateNetworks: [] };

/** Throws forbidden: the operator has not allowed this host. `name`: as in a URL, without port. */
export function requireAllowedHost({ hosts }: ImageSources, name: string): void {
  const host = name.toLowerCase();
  const isAllowed = hosts.some((entry) => {
    const pattern = entry.toLowerCase();
    return pattern === '*' || pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)));
  });
  if (isAllowed) return;
  const list = hosts.length === 0 ? 'none is' : `${hosts.join(', ')} are`;
  throw new DomainError('forbidden', `images may not be fetched from ${host}: ${list} allowed (KVORUM_IMAGE_HOSTS)`);
}

/**
 * Throws forbidden for an address that is not a public one (loopback, private, link-local with its metadata services, carrier,
 * multicast, documentation: IANA's special-purpose registries, RFC 6890), also in its IPv6 disguises, unless a network of the
 * operator's holds it.
 */
export function requirePublicAddress({ privateNetworks }: ImageSources, address: string): void {
  // `process` takes the IPv4 address out of ::ffff:0:0/96.
  const parsed = ipaddr.process(address);
  if (parsed.range() === 'unicast') return;
  if (privateNetworks.some((network) => isWithin(parsed, network))) return;
  throw new DomainError(
    'forbidden',
    `images may not be fetched from ${parsed.toString()}, which is not a public address (KVORUM_IMAGE_PRIVATE_NETWORKS)`,
  );
}

const isWithin = (address: ipaddr.IPv4 | ipaddr.IPv6, network: string): boolean => {
  const range = ipaddr.parseCIDR(network);
  return range[0].kind() === address.kind() && address.match(range);
};

/** The address a URL names by itself, without brackets; null for a name. */
export function literalAddress(hostname: string): string | null {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return isIP(bare) === 0 ? null : bare;
}
