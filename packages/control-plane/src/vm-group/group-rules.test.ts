import { fleetOf, type HostRow, NO_AMOUNTS, place } from '@kvorum/scheduler';
import { GROUP_RULE_KINDS, GROUP_RULE_LEVELS, type GroupRuleLevel } from '@kvorum/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findViolations, type GroupMember, type OpenDomainsOf, objectionOf, type RuleInForce } from './group-rules.js';

const rule = (fields: Partial<RuleInForce>): RuleInForce => ({
  kind: 'anti-affinity',
  level: 'rack',
  strength: 'hard',
  skewMax: null,
  ...fields,
});
/** `a1` is host a1 of rack a; `?1` a host whose rack nobody has told. */
const placeAt = (name: string) => ({ host: name, ...(name.startsWith('?') ? {} : { rack: name.slice(0, 1) }) });
const membersAt = (...names: string[]): GroupMember[] =>
  names.map((name, index) => ({ vmId: `${index}`, vmName: `vm-${index}@${name}`, place: placeAt(name) }));
const openRacks =
  (count: number, ...occupied: string[]): OpenDomainsOf =>
  () => ({ count, occupied: new Set(occupied) });

describe('what VMs of a group break', () => {
  it.each<[string, RuleInForce, string[], string[]]>([
    ['apart and are', rule({}), ['a1', 'b1'], []],
    ['apart and two are not', rule({}), ['a1', 'a2', 'b1'], ['a1', 'a2']],
    ['apart and nobody knows', rule({}), ['a1', '?1'], ['?1']],
    ['apart by host and are in one rack', rule({ level: 'host' }), ['a1', 'a2'], []],
    ['together and are', rule({ kind: 'affinity' }), ['a1', 'a2'], []],
    ['together and one is away', rule({ kind: 'affinity' }), ['a1', 'a2', 'b1'], ['b1']],
    ['together in halves', rule({ kind: 'affinity' }), ['a1', 'a2', 'b1', 'b2'], ['b1', 'b2']],
    ['even and are', rule({ kind: 'spread', skewMax: 1 }), ['a1', 'a2', 'b1', 'c1'], []],
    ['even and are not', rule({ kind: 'spread', skewMax: 1 }), ['a1', 'a2', 'b1'], ['a1', 'a2']],
    ['even by two', rule({ kind: 'spread', skewMax: 2 }), ['a1', 'a2', 'b1'], []],
  ])('that are to be %s', (_case, broken, places, expected) => {
    const members = membersAt(...places);
    const found = findViolations([broken], members, openRacks(3, 'a', 'b', 'c'));
    expect(found.flatMap(({ vms }) => vms.map(({ vmName }) => vmName.split('@')[1]))).toEqual(expected);
  });

  it('is named up to a bound and counted beyond it', () => {
    const members = membersAt(...Array.from({ length: 30 }, (_, index) => `a${index}`));
    const [violation] = findViolations([rule({})], members, openRacks(1, 'a'));
    expect(violation).toMatchObject({ kind: 'anti-affinity', level: 'rack', strength: 'hard', vmCount: 30 });
    expect(violation?.vms).toHaveLength(20);
  });
});

interface Site {
  readonly hosts: readonly { readonly rack: number; readonly zone: number; readonly isOpen: boolean }[];
  readonly membersOn: readonly number[];
}
const SITE = fc.record({
  hosts: fc.array(
    fc.record({ rack: fc.integer({ min: 0, max: 3 }), zone: fc.integer({ min: 0, max: 2 }), isOpen: fc.boolean() }),
    { minLength: 1, maxLength: 8 },
  ),
  membersOn: fc.array(fc.nat({ max: 7 }), { maxLength: 8 }),
});
const RULE = fc
  .record({
    kind: fc.constantFrom(...GROUP_RULE_KINDS),
    level: fc.constantFrom(...GROUP_RULE_LEVELS),
    skewMax: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ kind, level, skewMax }) => rule({ kind, level, skewMax: kind === 'spread' ? skewMax : null }));

/** Rack 0 and zone 0 stand for a label that is missing. */
const labelsOf = ({ rack, zone }: Site['hosts'][number]): Record<string, string> => ({
  ...(rack === 0 ? {} : { rack: `r${rack}` }),
  ...(zone === 0 ? {} : { zone: `z${zone}` }),
});
const AMOUNTS = { ...NO_AMOUNTS, vcpuCount: 100, memoryBytes: 100, diskBytes: 100 };
const REQUEST = { ...NO_AMOUNTS, vcpuCount: 1, memoryBytes: 1, accelerator: null, excludedHostIds: [] };

describe('the rules of a group', () => {
  it('admit exactly the hosts that the scheduler admits', () => {
    fc.assert(
      fc.property(SITE, RULE, ({ hosts, membersOn }, hard) => {
        const rows = hosts.map(
          (host, index): HostRow => ({
            hostId: `h${index}`,
            name: `h${index}`,
            state: host.isOpen ? 'active' : 'cordoned',
            connectivity: 'connected',
            accelerator: 'kvm',
            capacity: AMOUNTS,
            reserved: NO_AMOUNTS,
            domains: labelsOf(host),
          }),
        );
        const on = membersOn.map((at) => at % hosts.length);
        const fleet = fleetOf(rows, {
          placementGroups: [
            { groupId: 'g', kind: hard.kind, level: hard.level, strength: 'hard', skewMax: hard.skewMax ?? 1 },
          ],
          vms: on.map((at, index) => ({
            vmId: `${index}`,
            hostId: `h${at}`,
            request: { ...REQUEST, hostId: null, groupIds: ['g'] },
            numa: null,
          })),
        });
        const placeOfHost = (at: number) => ({ ...labelsOf(hosts[at] as Site['hosts'][number]), host: `h${at}` });
        const members = on.map((at, index) => ({ vmId: `${index}`, vmName: `${index}`, place: placeOfHost(at) }));
        const open: OpenDomainsOf = (level: GroupRuleLevel) => {
          const occupied = new Set<string>();
          for (const [at, { isOpen }] of hosts.entries()) {
            const domain = (placeOfHost(at) as Partial<Record<GroupRuleLevel, string>>)[level];
            if (isOpen && domain !== undefined) occupied.add(domain);
          }
          return { count: occupied.size, occupied };
        };
        for (const at of hosts.keys()) {
          if (hosts[at]?.isOpen !== true) continue;
          const placed = place({ ...REQUEST, hostId: `h${at}`, groupIds: ['g'] }, fleet).kind === 'placed';
          expect(objectionOf(hard, placeOfHost(at), members, open) === null).toBe(placed);
        }
      }),
      { numRuns: 500 },
    );
  });
});
