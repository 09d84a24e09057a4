import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { NatNetwork } from './desired-networks.js';
import { FloatingAnnouncer } from './floating-announcer.js';
import { type FloatingFacts, floatingFault, planFloating, planFloatingSweep } from './plan-floating.js';
import { renderGatewayRules } from './render-gateway-rules.js';

const idOf = (last: number): string => `019a0000-0000-7000-8000-${String(last).padStart(12, '0')}`;
const network = (floatingAddress: string | null): NatNetwork => ({
  ...{ kind: 'nat', id: idOf(1), segmentId: 4096, cidr: '10.20.0.0/24', gateway: '10.20.0.1', mtu: 1500 },
  ...{ dnsDomain: 'shop.internal', otherNames: [] },
  ports: [
    {
      ...{ id: idOf(2), name: null, macAddress: '52:54:00:00:00:01', address: '10.20.0.2', securityGroupIds: [] },
      ...{ ingressBitsPerSecond: null, egressBitsPerSecond: null, floatingAddress },
    },
  ],
});
const WITH = network('203.0.113.7');
const WITHOUT = network(null);
const UPLINK = 'kvu000000000001';
const NOTHING: FloatingFacts = { routes: [], proxies: [] };
const THERE: FloatingFacts = {
  routes: [{ address: '203.0.113.7', device: UPLINK }],
  proxies: [{ address: '203.0.113.7', device: 'wan' }],
};
const lines = (commands: readonly (readonly string[])[]): string =>
  commands.map((command) => command.join(' ')).join('\n');

describe('the floating addresses of a host', () => {
  it('lead into the namespace, and the host answers for them', () => {
    expect(lines(planFloating(WITH, 'wan', NOTHING))).toMatchInlineSnapshot(`
      "ip route replace 203.0.113.7/32 via 100.64.32.1 dev kvu000000000001 proto 75
      ip neigh replace proxy 203.0.113.7 dev wan protocol 75"
    `);
  });

  it('are left alone when they are right', () => {
    expect([planFloating(WITH, 'wan', THERE), planFloatingSweep({ networks: [WITH] }, 'wan', THERE)]).toEqual([[], []]);
  });

  it.each([
    ['that nobody has any more', { networks: [WITHOUT] }, 'wan', ['neigh', 'route']],
    ['of a network that is gone', { networks: [] }, 'wan', ['neigh', 'route']],
    ['of an interface that is another now', { networks: [WITH] }, 'wan2', ['neigh']],
    ['of an agent without an interface for them', { networks: [WITH] }, null, ['neigh']],
  ])('%s are given up', (_what, desired, interfaceName, gone) => {
    const all = {
      neigh: 'ip neigh delete proxy 203.0.113.7 dev wan',
      route: `ip route delete 203.0.113.7/32 dev ${UPLINK} proto 75`,
    };
    expect(lines(planFloatingSweep(desired, interfaceName, THERE))).toBe(
      gone.map((what) => all[what as keyof typeof all]).join('\n'),
    );
  });

  it.each([
    ['is none for a network without any', WITHOUT, null, new Set<string>(), null],
    ['is none where all is there', WITH, 'wan', new Set(['192.0.2.1']), null],
    ['is an interface that is not given', WITH, null, new Set<string>(), 'give its agent --floating-interface'],
    ['is an address of the host', WITH, 'wan', new Set(['203.0.113.7']), 'take it out of its range'],
  ])('what is wrong %s', (_what, wanted, interfaceName, own, fault) => {
    const found = floatingFault(wanted, interfaceName, own);
    if (fault === null) expect(found).toBeNull();
    else expect(found).toContain(fault);
  });
});

it('a namespace translates both ways, and drops what goes by an address that is its port’s no more', () => {
  const rules = renderGatewayRules(WITH);
  expect(rules.slice(rules.indexOf('  set floating'))).toMatchInlineSnapshot(`
    "  set floating {
        type ipv4_addr . ipv4_addr;
        elements = {
          203.0.113.7 . 10.20.0.2,
        }
      }
      map to_port {
        type ipv4_addr : ipv4_addr;
        elements = {
          203.0.113.7 : 10.20.0.2,
        }
      }
      map from_port {
        type ipv4_addr : ipv4_addr;
        elements = {
          10.20.0.2 : 203.0.113.7,
        }
      }
      chain passing {
        type filter hook forward priority filter; policy accept;
        ct status dnat ct direction original ct original ip daddr . ip daddr != @floating counter drop
        ct status dnat ct direction reply ct original ip daddr . ip saddr != @floating counter drop
        oifname "uplink" ct status snat ct direction original ct reply ip daddr != 100.64.0.0/10 ct reply ip daddr . ip saddr != @floating counter drop
        iifname "uplink" ct status snat ct direction reply ct reply ip daddr != 100.64.0.0/10 ct reply ip daddr . ip daddr != @floating counter drop
      }
      chain arriving {
        type nat hook prerouting priority dstnat; policy accept;
        dnat to ip daddr map @to_port
      }
      chain outgoing {
        type nat hook postrouting priority srcnat; policy accept;
        oifname "uplink" snat to ip saddr map @from_port
        oifname "uplink" masquerade
        oifname "gateway" ip saddr 10.20.0.0/24 ct status dnat masquerade
      }
    }
    "
  `);
});

describe('an address is announced', () => {
  const announce = vi.fn(async (_name: string, _addresses: readonly string[]) => undefined);
  beforeEach(() => {
    vi.useFakeTimers();
    announce.mockClear();
  });
  afterEach(() => vi.useRealTimers());

  it('once the host begins to have it, and twice more, unless it has it no more', async () => {
    const announcer = new FloatingAnnouncer(announce);
    await announcer.ensure('wan', ['203.0.113.7', '203.0.113.8']);
    await announcer.ensure('wan', ['203.0.113.7']);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(announce.mock.calls).toEqual([
      ['wan', ['203.0.113.7', '203.0.113.8']],
      ['wan', ['203.0.113.7']],
      ['wan', ['203.0.113.7']],
    ]);
  });

  it('again when it came back, and when it could not be announced before', async () => {
    const announcer = new FloatingAnnouncer(announce);
    announce.mockRejectedValueOnce(new Error('the interface is down'));
    await expect(announcer.ensure('wan', ['203.0.113.7'])).rejects.toThrow('down');
    await announcer.ensure('wan', ['203.0.113.7']);
    await announcer.ensure('wan', []);
    await announcer.ensure('wan', ['203.0.113.7']);
    expect(announce).toHaveBeenCalledTimes(3);
  });
});
