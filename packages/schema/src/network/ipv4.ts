/** IPv4 addresses as numbers, for what has to be computed: PostgreSQL keeps and compares them as inet. */

const OCTETS = 4;
const OCTET_MAX = 255;
const ADDRESS_BITS = 32;

/** Of dotted decimal without leading zeros, which some programs read as octal; null: it is none. */
export function parseIpv4(text: string): number | null {
  const parts = text.split('.');
  if (parts.length !== OCTETS) return null;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > OCTET_MAX) return null;
    value = value * (OCTET_MAX + 1) + Number(part);
  }
  return value;
}

export const formatIpv4 = (value: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % (OCTET_MAX + 1)).join('.');

export interface Ipv4Cidr {
  /** The network's own address. */
  readonly first: number;
  /** Its broadcast address. */
  readonly last: number;
  readonly length: number;
}

/** Null: it is no address with a length. Host bits may be set: `first` has none. */
export function parseIpv4Cidr(text: string): Ipv4Cidr | null {
  const [addressText = '', lengthText = '', ...rest] = text.split('/');
  const address = parseIpv4(addressText);
  if (address === null || rest.length > 0 || !/^(0|[1-9][0-9]?)$/.test(lengthText)) return null;
  const length = Number(lengthText);
  if (length > ADDRESS_BITS) return null;
  const size = 2 ** (ADDRESS_BITS - length);
  const first = Math.floor(address / size) * size;
  return { first, last: first + size - 1, length };
}

export const formatIpv4Cidr = ({ first, length }: Ipv4Cidr): string => `${formatIpv4(first)}/${length}`;

export const overlaps = (left: Ipv4Cidr, right: Ipv4Cidr): boolean =>
  left.first <= right.last && right.first <= left.last;

/** RFC 6890: what no guest can have as an address of its own, or would break its host's. */
const UNUSABLE: readonly (readonly [cidr: string, what: string])[] = [
  ['0.0.0.0/8', '"this network"'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],
];

/** What addresses of the range are for, if guests cannot have them; null: they can. */
export function whyUnusable(range: Ipv4Cidr): string | null {
  for (const [text, what] of UNUSABLE) {
    const unusable = parseIpv4Cidr(text);
    if (unusable !== null && overlaps(unusable, range)) return `${text} is ${what}`;
  }
  return null;
}
