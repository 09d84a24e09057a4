import {
  GROUP_RULE_LEVELS,
  type GroupRuleLevel,
  VIOLATING_VMS_SHOWN_MAX,
  type VmGroup,
  type VmGroupViolation,
  type VmId,
} from '@kvorum/schema';

export type RuleInForce = VmGroup['rules'][number];

/** A VM that holds room on a host. */
export interface GroupMember {
  readonly vmId: string;
  readonly vmName: string;
  readonly place: Place;
}

/** The domains of a host by level; what is left out, nobody has said. */
export type Place = Readonly<Partial<Record<GroupRuleLevel, string>>>;

/** Domains of a level that have a host which is open and reports, as far as a rule of spread needs to know them. */
export interface OpenDomains {
  readonly count: number;
  /** Those of them that have members of the group. */
  readonly occupied: ReadonlySet<string>;
}
export type OpenDomainsOf = (level: GroupRuleLevel) => OpenDomains;

export const placeOf = (hostId: string, labels: Readonly<Record<string, string>>): Place => ({
  ...Object.fromEntries(
    GROUP_RULE_LEVELS.flatMap((level) => (labels[level] === undefined ? [] : [[level, labels[level]]])),
  ),
  host: hostId,
});

/** Why a VM must not be at a place beside these others; null: the rule admits it. The same rule as the scheduler's filters. */
export function objectionOf(
  rule: RuleInForce,
  place: Place,
  others: readonly GroupMember[],
  open: OpenDomainsOf,
): string | null {
  const { kind, level } = rule;
  const domain = place[level];
  const counts = countsOf(others, level);
  if (kind === 'affinity') {
    const isAway = counts.size > 0 && (domain === undefined || !counts.has(domain));
    return isAway ? `the VMs must be on one ${level}, and others are on another` : null;
  }
  if (domain === undefined) return `the ${level} of its host is not known`;
  const count = counts.get(domain) ?? 0;
  if (kind === 'anti-affinity') return count > 0 ? `another VM is on the same ${level}` : null;
  const most = leastOf(counts, open(level)) + (rule.skewMax ?? 1);
  return count + 1 > most ? `its ${level} has too many more than the one with fewest` : null;
}

function countsOf(members: readonly GroupMember[], level: GroupRuleLevel): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { place } of members) {
    const domain = place[level];
    if (domain !== undefined) counts.set(domain, (counts.get(domain) ?? 0) + 1);
  }
  return counts;
}

/** Infinity where no domain is open: then there is none that could have fewer. */
function leastOf(counts: ReadonlyMap<string, number>, open: OpenDomains): number {
  const ofOpen = [...counts].filter(([domain]) => open.occupied.has(domain)).map(([, count]) => count);
  return ofOpen.length < open.count ? 0 : Math.min(Number.POSITIVE_INFINITY, ...ofOpen);
}

/** The rules that VMs break where they are. */
export const findViolations = (
  rules: readonly RuleInForce[],
  members: readonly GroupMember[],
  open: OpenDomainsOf,
): VmGroupViolation[] =>
  rules.flatMap((rule) => {
    const broken = rule.kind === 'affinity' ? awayFromMost(rule, members) : eachBroken(rule, members, open);
    if (broken === null) return [];
    const { kind, level, strength } = rule;
    const vms = broken.vms
      .slice(0, VIOLATING_VMS_SHOWN_MAX)
      .map(({ vmId, vmName }) => ({ vmId: vmId as VmId, vmName }));
    return [{ kind, level, strength, reason: broken.reason, vmCount: broken.vms.length, vms }];
  });

interface Broken {
  readonly reason: string;
  readonly vms: readonly GroupMember[];
}

/** Those outside of the domain that has most: they are what would have to move. */
function awayFromMost({ level }: RuleInForce, members: readonly GroupMember[]): Broken | null {
  const counts = countsOf(members, level);
  if (counts.size < 2) return null;
  const [first] = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const vms = members.filter(({ place }) => place[level] !== first?.[0]);
  return { reason: `its VMs are on ${counts.size} ${level}s`, vms };
}

function eachBroken(rule: RuleInForce, members: readonly GroupMember[], open: OpenDomainsOf): Broken | null {
  const { kind, level } = rule;
  const vms = members.filter((member) => {
    // A VM that is being moved has two places, and does not keep itself away from either.
    const others = members.filter((other) => other.vmId !== member.vmId);
    return objectionOf(rule, member.place, others, open) !== null;
  });
  if (vms.length === 0) return null;
  const reason =
    kind === 'anti-affinity'
      ? `VMs share a ${level}, or their ${level} is not known`
      : `a ${level} has more than ${rule.skewMax ?? 1} VMs above the one with fewest, or the ${level} is not known`;
  return { reason, vms };
}
