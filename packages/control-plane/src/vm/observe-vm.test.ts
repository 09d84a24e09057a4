import { type HostId, nextOnFact, VM_STATES, type VmId, type VmState } from '@kvorum/schema';
import { HostReport, PowerState } from '@kvorum/schema/agent-wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aHost, aVm, type Ingredients, ingredients } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import type { ObservedVm } from '../agents/agent-port.js';
import { withTransaction } from '../database/database.js';
import { observeHostReport } from '../host/observe-host-report.js';
import { factOf, HOST_LOST_MOVES, observeMissingVms, observeVms } from './observe-vm.js';
import { applyHostLost } from './observe-vm.store.js';

let test: TestControlPlane;
let from: Ingredients;
let hostId: string;
beforeAll(async () => {
  test = await openTestControlPlane();
  from = await ingredients(test);
  hostId = await aHost(test, { vmCount: 1000 });
});
afterAll(() => test.close());

/** Other tests make hosts of their own; what these ones report is true of this host alone. */
const aVmHere = (state: VmState = 'running') => aVm(test, from, state, { hostId: hostId as HostId });

let reportGeneration = 1000;
const report = (vmId: VmId, changes: Partial<ObservedVm> = {}): ObservedVm => {
  reportGeneration += 1;
  return {
    vmId,
    epoch: 1,
    generation: 1,
    power: 'running',
    exitReason: null,
    exitDetail: '',
    guestAgent: 'unknown',
    guestAgentAnsweredAt: null,
    guestInterfaces: null,
    balloonBytes: null,
    balloonStatus: null,
    workingSetBytes: null,
    runsOn: null,
    accelerator: 'tcg',
    machineType: null,
    reportGeneration,
    conditions: [],
    ...changes,
  };
};
const observe = (...vms: ObservedVm[]) => withTransaction(test.cp.database, (tx) => observeVms(tx, hostId, vms));
const stateOf = async (vmId: VmId) =>
  (await test.sql<{ state: VmState }>('SELECT state FROM vms WHERE id = $1', [vmId]))[0]?.state;
const eventsOf = async (vmId: VmId) =>
  (
    await test.sql<{ data: { from: string; to: string; fact?: string } }>(
      `SELECT data FROM events WHERE resource_id = $1 AND type = 'vm.state' AND data ? 'fact' ORDER BY seq`,
      [vmId],
    )
  ).map((row) => row.data);

const REPORTED: readonly [string, Partial<ObservedVm>][] = [
  ['running', { power: 'running' }],
  ['paused', { power: 'paused' }],
  ['gone', { power: 'stopped', exitReason: 'guest-shutdown' }],
  ['gone, as asked', { power: 'stopped', exitReason: 'requested' }],
  ['crashed', { power: 'stopped', exitReason: 'crash', exitDetail: 'signal 11' }],
  ['out of memory', { power: 'stopped', exitReason: 'out-of-memory', exitDetail: 'ended by SIGKILL' }],
  ['gone for a reason not known yet', { power: 'stopped' }],
  ['not examined', { power: 'unknown' }],
];

describe('what a host reports of a VM', () => {
  it.each(REPORTED)('moves the state by the lifecycle table and by nothing else: %s', async (_, reported) => {
    for (const state of VM_STATES) {
      const { vmId } = await aVmHere(state);
      const observed = report(vmId, reported);
      await observe(observed);
      const fact = factOf(observed);
      const next = fact === null ? null : nextOnFact(state, fact);
      expect([state, await stateOf(vmId)]).toEqual([state, next ?? state]);
      const moves = next === null ? [] : [{ from: state, to: next, fact }];
      expect([state, await eventsOf(vmId)]).toEqual([state, moves]);
    }
  });

  it('tells of conditions while they last, once when they come and once when they go', async () => {
    const { vmId } = await aVmHere();
    const hung = { kind: 'hung', since: '2026-01-02T03:04:05.000Z', detail: 'no answer' } as const;
    const conditionsOf = async () => (await test.sql('SELECT conditions FROM vms WHERE id = $1', [vmId]))[0];
    await observe(report(vmId, { conditions: [hung] }));
    await observe(report(vmId, { conditions: [{ ...hung, detail: 'still no answer' }] }));
    expect(await conditionsOf()).toEqual({ conditions: [{ ...hung, detail: 'still no answer' }] });
    await observe(report(vmId));
    expect(await conditionsOf()).toEqual({ conditions: [] });
    const events = await test.sql<{ data: object }>(
      `SELECT data FROM events WHERE resource_id = $1 AND type = 'vm.condition' ORDER BY seq`,
      [vmId],
    );
    expect(events.map((row) => row.data)).toEqual([
      { from: [], to: ['hung'], conditions: [hung] },
      { from: ['hung'], to: [], conditions: [] },
    ]);
    expect(await stateOf(vmId)).toBe('running');
  });

  it.each([
    ['of an earlier run', { epoch: 1 }],
    ['of a run that never was', { epoch: 3 }],
    ['from before the last settled intent', { generation: 4 }],
    ['older than the last report', { reportGeneration: 10 }],
  ])('does not move the state when the report is %s', async (_, old) => {
    const { vmId } = await aVmHere();
    await test.sql(
      'UPDATE vms SET epoch = 2, generation = 5, settled_generation = 5, report_generation = 100 WHERE id = $1',
      [vmId],
    );
    const current = { epoch: 2, generation: 5, power: 'stopped', exitReason: 'crash' } as const;
    await observe(report(vmId, { ...current, ...old }));
    expect(await stateOf(vmId)).toBe('running');
    await observe(report(vmId, current));
    expect(await stateOf(vmId)).toBe('failed');
  });

  it('counts again after an intent that never reached the host', async () => {
    const { vmId } = await aVmHere('unknown');
    // A stop that was unwound: intent 2 is not settled, and the host knows of intent 1 alone.
    await test.sql('UPDATE vms SET generation = 2 WHERE id = $1', [vmId]);
    await observe(report(vmId, { generation: 1 }));
    expect(await stateOf(vmId)).toBe('running');
  });

  it('brings a VM back from unknown by the very report that was known before', async () => {
    const { vmId } = await aVmHere();
    const same = report(vmId);
    await observe(same);
    await test.sql(`UPDATE vms SET state = 'unknown' WHERE id = $1`, [vmId]);
    await observe(same);
    expect(await stateOf(vmId)).toBe('running');
  });

  it('tells why a VM crashed, and forgets it when it runs again', async () => {
    const { vmId } = await aVmHere();
    const failure = async () =>
      (await test.sql<{ failure: object | null }>('SELECT failure FROM vms WHERE id = $1', [vmId]))[0]?.failure;
    await observe(report(vmId, { power: 'stopped', exitReason: 'crash', exitDetail: 'signal 11' }));
    expect(await failure()).toEqual({
      code: 'guest_fault',
      message: 'the process of the VM ended: signal 11',
      details: {},
    });
    await observe(report(vmId));
    expect(await failure()).toBeNull();
  });

  it('keeps what the guest says of itself, also while an operation works', async () => {
    const { vmId } = await aVmHere('pausing');
    const answeredAt = new Date('2026-01-02T03:04:05Z');
    await observe(report(vmId, { guestAgent: 'responding', guestAgentAnsweredAt: answeredAt, balloonBytes: 4096 }));
    expect(
      await test.sql(
        'SELECT state, observed_power, guest_agent, guest_agent_answered_at AS at, balloon_bytes::int AS balloon FROM vms WHERE id = $1',
        [vmId],
      ),
    ).toEqual([
      { state: 'pausing', observed_power: 'running', guest_agent: 'responding', at: answeredAt, balloon: 4096 },
    ]);
  });

  it('keeps what the balloon says; a working set that moves a little is not written', async () => {
    const { vmId } = await aVmHere();
    const written = async () =>
      (
        await test.sql<object>(
          'SELECT balloon_status AS status, working_set_bytes::int AS needs FROM vms WHERE id = $1',
          [vmId],
        )
      )[0];
    const MIB = 1024 * 1024;
    await observe(report(vmId, { balloonStatus: 'active', workingSetBytes: 100 * MIB }));
    expect(await written()).toEqual({ status: 'active', needs: 100 * MIB });
    await observe(report(vmId, { balloonStatus: 'active', workingSetBytes: 108 * MIB }));
    expect(await written()).toEqual({ status: 'active', needs: 100 * MIB });
    await observe(report(vmId, { balloonStatus: 'active', workingSetBytes: 109 * MIB }));
    expect(await written()).toEqual({ status: 'active', needs: 109 * MIB });
    await observe(report(vmId, { balloonStatus: 'no-driver' }));
    expect(await written()).toEqual({ status: 'no-driver', needs: null });
  });

  it('writes nothing when it says what the last report said', async () => {
    const { vmId } = await aVmHere();
    const version = async () => (await test.sql('SELECT xmin::text FROM vms WHERE id = $1', [vmId]))[0];
    await observe(report(vmId));
    const before = await version();
    await observe(report(vmId));
    expect(await version()).toEqual(before);
  });

  it('counts for VMs of the reporting host alone', async () => {
    const { vmId } = await aVmHere();
    const elsewhere = await aHost(test, { vmCount: 1 });
    await withTransaction(test.cp.database, (tx) => observeVms(tx, elsewhere, [report(vmId, { power: 'paused' })]));
    expect(await stateOf(vmId)).toBe('running');
  });

  it('ends in the state of the newest report whatever the order of arrival', async () => {
    const { vmId } = await aVmHere();
    const reports = Array.from({ length: 10 }, (_, index) => {
      const { POWER_STATE_PAUSED, POWER_STATE_RUNNING } = PowerState;
      const power = index % 2 === 0 ? POWER_STATE_RUNNING : POWER_STATE_PAUSED;
      reportGeneration += 1;
      const vm = { vmId, epoch: 1, generation: 1, power, reportGeneration };
      return HostReport.fromPartial({ reportGeneration, vms: [vm] });
    });
    const shuffled = [...reports.slice(5).reverse(), ...reports.slice(0, 5)];
    await Promise.all(shuffled.map((one) => observeHostReport(test.cp, hostId as HostId, one)));
    expect(await stateOf(vmId)).toBe('paused');
  });
});

describe('a full report', () => {
  const fullWithout = () => withTransaction(test.cp.database, (tx) => observeMissingVms(tx, missingHost, []));
  let missingHost: string;
  const vmOn = async (state: string) => {
    missingHost = await aHost(test, { vmCount: 1 });
    return aVm(test, from, state, { hostId: missingHost as never });
  };

  it('fails a running VM that the host does not know', async () => {
    const { vmId } = await vmOn('running');
    await fullWithout();
    expect(await stateOf(vmId)).toBe('failed');
    expect(await eventsOf(vmId)).toEqual([{ from: 'running', to: 'failed', fact: 'missing' }]);
  });

  it.each(['creating', 'stopped', 'deleting'])('leaves a VM alone that is %s', async (state) => {
    const { vmId } = await vmOn(state);
    await fullWithout();
    expect(await stateOf(vmId)).toBe(state);
  });

  it('does not judge a VM that was settled a moment ago: the report may be older', async () => {
    const { vmId } = await vmOn('running');
    await test.sql('UPDATE vms SET updated_at = now() WHERE id = $1', [vmId]);
    await fullWithout();
    expect(await stateOf(vmId)).toBe('running');
  });
});

describe('a host that falls silent', () => {
  it('makes what ran on it unknown, and nothing else', async () => {
    const silent = await aHost(test, { vmCount: VM_STATES.length });
    const vms = new Map<VmState, VmId>();
    for (const state of VM_STATES) vms.set(state, (await aVm(test, from, state, { hostId: silent as never })).vmId);
    await test.sql(`UPDATE hosts SET connectivity = 'unreachable' WHERE id = $1`, [silent]);
    await withTransaction(test.cp.database, (tx) => applyHostLost(tx, HOST_LOST_MOVES));
    for (const [state, vmId] of vms) {
      const expected = state === 'running' || state === 'paused' ? 'unknown' : state;
      expect([state, await stateOf(vmId)]).toEqual([state, expected]);
    }
  });
});
