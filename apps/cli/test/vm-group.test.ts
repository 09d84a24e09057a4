import type { VmGroupDetails } from '@kvorum/client';
import { describe, expect, it } from 'vitest';
import { openDouble } from './double.js';

const TIME = '2026-01-02T03:04:05.000Z';
const GROUP: VmGroupDetails = {
  id: '019a0000-0000-7000-8000-000000000031',
  projectId: '019a0000-0000-7000-8000-000000000009',
  name: 'web',
  description: '',
  rules: [
    { kind: 'anti-affinity', level: 'host', strength: 'hard', skewMax: null },
    { kind: 'spread', level: 'rack', strength: 'soft', skewMax: 2 },
  ],
  vmCount: 3,
  violations: [
    {
      kind: 'spread',
      level: 'rack',
      strength: 'soft',
      reason: 'a rack has more than 2 VMs above the one with fewest, or the rack is not known',
      vmCount: 2,
      vms: [{ vmId: '019a0000-0000-7000-8000-000000000041', vmName: 'web-1' }],
    },
  ],
  generation: 1,
  createdAt: TIME,
  updatedAt: TIME,
};
const routes = {
  'GET /v1/vm-groups': { status: 200, body: { items: [GROUP], nextCursor: null } },
  'POST /v1/vm-groups': { status: 201, body: GROUP },
  [`GET /v1/vm-groups/${GROUP.id}`]: { status: 200, body: GROUP },
  [`PATCH /v1/vm-groups/${GROUP.id}`]: { status: 200, body: GROUP },
  [`DELETE /v1/vm-groups/${GROUP.id}`]: { status: 204, body: null },
};

describe('kvorum vm-group', () => {
  it.each([
    ['--rule anti-affinity:host', [{ kind: 'anti-affinity', level: 'host', strength: 'hard' }]],
    [
      '--rule affinity:zone:soft --rule spread:rack:2',
      [
        { kind: 'affinity', level: 'zone', strength: 'soft' },
        { kind: 'spread', level: 'rack', strength: 'hard', skewMax: 2 },
      ],
    ],
    ['--rule spread:host:soft:3', [{ kind: 'spread', level: 'host', strength: 'soft', skewMax: 3 }]],
  ])('with %s has these rules', async (options, rules) => {
    const { run, calls } = await openDouble(routes);
    expect((await run(`vm-group create web ${options}`)).exitCode).toBe(0);
    expect(calls.at(-1)?.body).toEqual({ name: 'web', rules });
    expect((await run(`vm-group update web ${options}`)).exitCode).toBe(0);
    expect(calls.at(-1)?.body).toEqual({ rules });
  });

  it('shows its rules as the option takes them, and what is broken', async () => {
    const { run } = await openDouble(routes);
    expect((await run('vm-group get web')).stdout).toMatchInlineSnapshot(`
      "name         web
      id           019a0000-0000-7000-8000-000000000031
      project      019a0000-0000-7000-8000-000000000009
      description  -
      rule         anti-affinity:host:hard
      rule         spread:rack:soft:2
      VMs          3
      broken       spread:rack:soft: a rack has more than 2 VMs above the one with fewest, or the rack is not known (web-1, …)
      created      2026-01-02T03:04:05.000Z
      changed      2026-01-02T03:04:05.000Z
      "
    `);
    expect((await run('vm-group list')).stdout).toMatchInlineSnapshot(`
      "NAME  VMS  RULES                                       ID
      web   3    anti-affinity:host:hard spread:rack:soft:2  019a0000-0000-7000-8000-000000000031
      "
    `);
    expect((await run('vm-group delete web')).exitCode).toBe(0);
  });

  it.each(['', '--rule apart:host', '--rule anti-affinity:row', '--rule affinity:host:2', '--rule spread:rack:0'])(
    'refuses "create web %s" and sends nothing',
    async (options) => {
      const { run, calls } = await openDouble(routes);
      expect((await run(`vm-group create web ${options}`)).exitCode).toBe(2);
      expect(calls).toEqual([]);
    },
  );
});
