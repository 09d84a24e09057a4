import { HOST_LEVEL, type HostRow } from './host-row.js';
import { addHost, type HostSet, hasHost, hostSetOf } from './host-set.js';
import { LABEL, type LabelSets } from './labels.js';

/** The domains of one level: which hosts fail together. */
export interface DomainLevel {
  readonly level: string;
  readonly names: readonly string[];
  /** Per host its domain as an index into `names`; -1: the host's domain of this level is not known. */
  readonly domainOf: Int32Array;
  /** Per domain its hosts. */
  readonly hosts: readonly HostSet[];
  /** Hosts whose domain is not known. */
  readonly unknown: HostSet;
}

/** Domains that could take a VM: that have a host which is open and reports. */
export interface OpenDomains {
  readonly isOpen: Uint8Array;
  readonly count: number;
}

/** Levels, each made when first asked for. */
export class FaultDomains {
  readonly #rows: readonly HostRow[];
  readonly #levels = new Map<string, DomainLevel>();
  readonly #open = new Map<string, OpenDomains & { readonly labelVersion: number }>();

  constructor(rows: readonly HostRow[]) {
    this.#rows = rows;
  }

  of(level: string): DomainLevel {
    let domains = this.#levels.get(level);
    if (domains === undefined) {
      domains = domainLevelOf(level, this.#rows);
      this.#levels.set(level, domains);
    }
    return domains;
  }

  /** Counted again when a host has changed its state. */
  open(level: string, labels: LabelSets): OpenDomains {
    let open = this.#open.get(level);
    if (open?.labelVersion !== labels.version) {
      open = { ...openDomainsOf(this.of(level), labels), labelVersion: labels.version };
      this.#open.set(level, open);
    }
    return open;
  }
}

function openDomainsOf({ domainOf, names }: DomainLevel, labels: LabelSets): OpenDomains {
  const active = labels.of(LABEL.state('active'));
  const connected = labels.of(LABEL.connected);
  const isOpen = new Uint8Array(names.length);
  let count = 0;
  for (let index = 0; index < domainOf.length; index += 1) {
    const domain = domainOf[index] as number;
    if (domain < 0 || isOpen[domain] === 1 || !hasHost(active, index) || !hasHost(connected, index)) continue;
    isOpen[domain] = 1;
    count += 1;
  }
  return { isOpen, count };
}

/** One level made of the rows, in the order of names. At the level of hosts, the name of a domain is the host's id. */
function domainLevelOf(level: string, rows: readonly HostRow[]): DomainLevel {
  const nameOf = (row: HostRow): string | undefined => (level === HOST_LEVEL ? row.hostId : row.domains?.[level]);
  const names = [...new Set(rows.flatMap((row) => nameOf(row) ?? []))].sort();
  const indexOf = new Map(names.map((name, index) => [name, index]));
  const domainOf = new Int32Array(rows.length).fill(-1);
  const hosts = level === HOST_LEVEL ? [] : names.map(() => hostSetOf(rows.length));
  const unknown = hostSetOf(rows.length);
  for (const [index, row] of rows.entries()) {
    const domain = indexOf.get(nameOf(row) ?? '') ?? -1;
    if (domain < 0) {
      addHost(unknown, index);
      continue;
    }
    domainOf[index] = domain;
    const set = hosts[domain];
    if (set !== undefined) addHost(set, index);
  }
  return { level, names, domainOf, hosts, unknown };
}
