import { HOST_LEVEL, type HostRow } from './host-row.js';
import { addHost, type HostSet, hostSetOf } from './host-set.js';

/** The domains of one level: which hosts fail together. */
export interface DomainLevel {
  readonly level: string;
  readonly names: readonly string[];
  /** Per host its domain as an index into `names`; -1: the host's domain of this level is not known. */
  readonly domainOf: Int32Array;
  /** Per domain its hosts. */
  readonly hosts: readonly HostSet[];
}

/** One level made of the rows, in the order of names. At the level of hosts, the name of a domain is the host's id. */
export function domainLevelOf(level: string, rows: readonly HostRow[]): DomainLevel {
  const nameOf = (row: HostRow): string | undefined => (level === HOST_LEVEL ? row.hostId : row.domains?.[level]);
  const names = [...new Set(rows.flatMap((row) => nameOf(row) ?? []))].sort();
  const indexOf = new Map(names.map((name, index) => [name, index]));
  const domainOf = new Int32Array(rows.length).fill(-1);
  const hosts = level === HOST_LEVEL ? [] : names.map(() => hostSetOf(rows.length));
  for (const [index, row] of rows.entries()) {
    const domain = indexOf.get(nameOf(row) ?? '') ?? -1;
    if (domain < 0) continue;
    domainOf[index] = domain;
    const set = hosts[domain];
    if (set !== undefined) addHost(set, index);
  }
  return { level, names, domainOf, hosts };
}
