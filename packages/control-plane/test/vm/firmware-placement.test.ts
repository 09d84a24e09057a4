import { DomainError, type HostId, type VmFirmware } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { getPlacement, listPlacements } from '../../src/placement/placements.js';
import { simulatePlacement } from '../../src/placement/simulate-placement.js';
import { createVm } from '../../src/vm/create-vm.js';
import { updateVm } from '../../src/vm/update-vm.js';
import { getVm } from '../../src/vm/vms.js';
import { vmRequest } from '../world/fleet-builder.js';
import { openSimulatedFleet, REPORT_WAIT, type SimulatedFleet, type SimulatedHost } from '../world/simulated-fleet.js';

/** Hosts that have the packages for firmware or lack them, against real agents that report it. */
let fleet: SimulatedFleet;
let bare: SimulatedHost;
let whole: SimulatedHost;
beforeAll(async () => {
  fleet = await openSimulatedFleet({ hostCount: 2, vmsPerHost: 50 });
  [bare, whole] = fleet.hosts as [SimulatedHost, SimulatedHost];
  await removePackages(bare);
});
afterAll(() => fleet.close());

const FIRMWARE = ['uefi', 'secure-boot', 'tpm'] as const;

async function traitsOf({ hostId }: SimulatedHost): Promise<string[]> {
  const [row] = await fleet.test.sql<{ traits: string[] }>('SELECT traits FROM hosts WHERE id = $1', [hostId]);
  return (row?.traits ?? []).filter((trait) => /^(firmware|tpm):/.test(trait));
}

/** The agent looks again once a minute; one that begins anew looks at once. */
async function removePackages(host: SimulatedHost): Promise<void> {
  for (const part of FIRMWARE) host.machine.lacksFirmware.add(part);
  await host.restart();
  await vi.waitFor(async () => expect(await traitsOf(host)).toEqual([]), REPORT_WAIT);
}

async function installPackages(host: SimulatedHost): Promise<void> {
  host.machine.lacksFirmware.clear();
  await host.restart();
  await vi.waitFor(async () => expect(await traitsOf(host)).toHaveLength(FIRMWARE.length), REPORT_WAIT);
}

function requestWith(firmware: Partial<VmFirmware>, hostId?: string) {
  const plain = vmRequest(fleet, hostId === undefined ? {} : { hostId: hostId as HostId });
  return { ...plain, hardware: { ...plain.hardware, firmware: { ...plain.hardware.firmware, ...firmware } } };
}
const create = (firmware: Partial<VmFirmware>, hostId?: string) =>
  createVm(fleet.test.cp, fleet.test.admin, requestWith(firmware, hostId));
const hostOf = async ({ resourceId }: { resourceId: string }) =>
  (await getVm(fleet.test.cp, fleet.test.admin, resourceId as never)).hostId;

describe('a VM that needs firmware', () => {
  it.each<[string, Partial<VmFirmware>]>([
    ['UEFI', { kind: 'uefi' }],
    ['Secure Boot', { kind: 'uefi', secureBoot: true }],
    ['a TPM', { tpm: '2.0' }],
  ])('is placed where %s is', async (_what, firmware) => {
    expect(await hostOf(await create(firmware))).toBe(whole.hostId);
  });

  it('leaves the other host to VMs that need none', async () => {
    expect(await hostOf(await create({}, bare.hostId))).toBe(bare.hostId);
  });

  it('is refused on the other host, before anything is recorded, with the package that would help', async () => {
    const refusal = await create({ kind: 'uefi', tpm: '2.0' }, bare.hostId).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(DomainError);
    const { code, details } = refusal as DomainError;
    expect(code).toBe('no_capacity');
    const placement = await getPlacement(fleet.test.cp, fleet.test.admin, String(details['placementId']) as never);
    const verdict = placement.decision.verdicts.find(({ hostId }) => hostId === bare.hostId);
    expect(verdict?.objections).toEqual([
      expect.objectContaining({
        filter: 'traits',
        reason:
          'the host is without trait firmware:uefi and tpm:2.0; install the package ovmf there; install the package swtpm there',
      }),
    ]);
    expect(placement.decision.remedies.map(({ change }) => change)).toContainEqual(
      expect.stringContaining('install the package ovmf and install the package swtpm there, or drop the traits'),
    );
    const kept = await listPlacements(fleet.test.cp, fleet.test.admin, { outcome: 'refused', limit: 5 } as never);
    expect(kept.items.map(({ id }) => id)).toContain(details['placementId']);
  });

  it('is simulated by the same rule', async () => {
    const { hardware } = requestWith({ kind: 'uefi' });
    const vm = { flavorId: fleet.flavor.id, hardware, count: 1, hostId: bare.hostId as HostId };
    const { outcome } = await simulatePlacement(fleet.test.cp, fleet.test.admin, { vms: [vm], mode: 'best-effort' });
    expect(outcome).toBe('refused');
  });

  it('cannot become one on a host that lacks it, and the field and the package are named', async () => {
    const { resourceId } = await create({}, bare.hostId);
    await fleet.test.sql(`UPDATE vms SET state = 'stopped' WHERE id = $1`, [resourceId]);
    const request = { hardware: { firmware: { tpm: '2.0' } }, onlyLive: false } as const;
    await expect(
      updateVm(fleet.test.cp, fleet.test.admin, resourceId as never, request as never),
    ).rejects.toMatchObject({
      code: 'conflict_state',
      message: expect.stringContaining('lacks tpm:2.0: install the package swtpm there'),
      details: { fields: [{ field: 'body.hardware.firmware.tpm' }] },
    });
  });

  it('follows the packages: a host that gets them is taken, one that loses them is not any more', async () => {
    await installPackages(bare);
    expect(await hostOf(await create({ kind: 'uefi', secureBoot: true }, bare.hostId))).toBe(bare.hostId);
    await removePackages(bare);
    await removePackages(whole);
    await expect(create({ kind: 'uefi' })).rejects.toMatchObject({ code: 'no_capacity' });
    expect(await hostOf(await create({}))).toEqual(expect.any(String));
  });
});
