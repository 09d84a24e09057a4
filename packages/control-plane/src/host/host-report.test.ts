import { newId } from '@kvorum/schema';
import { Accelerator, HostReport, PowerState, Switch, VmReport } from '@kvorum/schema/agent-wire';
import { describe, expect, it } from 'vitest';
import { storedFactsOf } from './hardware-shapes.js';
import { checkReport } from './host-report.js';

const aVmReport = (changes: Partial<VmReport> = {}): VmReport =>
  VmReport.fromPartial({
    vmId: newId(),
    epoch: 1,
    generation: 1,
    power: PowerState.POWER_STATE_RUNNING,
    reportGeneration: 1,
    ...changes,
  });
const FACTS = {
  kernel: '6.1',
  cpuVendor: 'GenuineIntel',
  cpuModel: 'x',
  hostCpuCount: 4,
  memoryBytes: 8,
  kvm: { isProven: false, reason: 'no device' },
};
const aReport = (changes: Parameters<typeof HostReport.fromPartial>[0] = {}): HostReport =>
  HostReport.fromPartial({ reportGeneration: 1, ...changes });

const fieldOf = (report: HostReport): string => {
  try {
    checkReport(report);
    return 'accepted';
  } catch (error) {
    const { code, details } = error as { code: string; details: { fields: { field: string }[] } };
    return `${code} ${details.fields[0]?.field}`;
  }
};

describe('a report of a host', () => {
  it('is taken as it is when it is within bounds', () => {
    const checked = checkReport(
      aReport({
        facts: FACTS,
        accelerator: Accelerator.ACCELERATOR_TCG,
        capacity: { vcpuCount: 4, memoryBytes: 8, diskBytes: 16 },
        agentVersion: '1.0',
        address: 'host-1.example:7000',
        isFull: true,
        vms: [aVmReport()],
      }),
    );
    expect(checked).toMatchObject({
      accelerator: 'tcg',
      capacity: { vcpuCount: 4, memoryBytes: 8, diskBytes: 16 },
      address: 'host-1.example:7000',
      facts: { qemuVersion: null, kvm: { apiVersion: null, isProven: false } },
      vms: [{ power: 'running', guestAgent: 'unknown', balloonBytes: null }],
    });
  });

  it('tells what it can do of networks; an address that is none is refused, as commands of other hosts name it', () => {
    const told = (overlayAddress: string, kinds = ['nat', 'vxlan']) =>
      aReport({ facts: { ...FACTS, networking: { kinds, overlayAddress } } });
    expect(checkReport(aReport({ facts: FACTS })).facts?.networking).toBeNull();
    expect(checkReport(told('192.0.2.1')).facts?.networking).toEqual({
      kinds: ['nat', 'vxlan'],
      overlayAddress: '192.0.2.1',
      floatingInterface: null,
    });
    expect(checkReport(told('', ['nat'])).facts?.networking?.overlayAddress).toBeNull();
    expect(fieldOf(told('192.0.2.1 dev eth0'))).toBe('invalid_request facts.networking.overlayAddress');
    expect(fieldOf(told('', ['gre']))).toBe('invalid_request facts.networking.kinds.0');
  });

  it('tells its storage pools: one that is not open has a fault and no numbers; none is told twice', () => {
    const poolId = newId();
    const open = { name: 'fast', poolId, driver: 'dir', capabilities: { isThin: true }, totalBytes: 9, freeBytes: 4 };
    const shut = { name: 'slow', driver: 'shared-dir', fault: 'is its file system mounted?\u001b[31m' };
    const told = (...pools: object[]) => aReport({ pools: { pools } });
    expect(checkReport(aReport()).pools).toBeNull();
    expect(checkReport(told(open, shut)).pools).toMatchObject([
      { name: 'fast', poolId, driver: 'dir', facts: { totalBytes: 9, freeBytes: 4, trashedBytes: 0 }, fault: null },
      { name: 'slow', poolId: null, driver: 'shared-dir', facts: null, fault: 'is its file system mounted?' },
    ]);
    expect(fieldOf(told(open, open))).toBe('invalid_request pools');
    expect(fieldOf(told(open, { ...open, name: 'other' }))).toBe('invalid_request pools');
    expect(fieldOf(told({ ...open, name: '../x' }))).toBe('invalid_request pools.0.name');
    expect(fieldOf(told({ ...open, driver: 'tape' }))).toBe('invalid_request pools.0.driver');
    expect(fieldOf(told({ ...open, poolId: 'x' }))).toBe('invalid_request pools.0.poolId');
  });

  it('gives its hardware, with null for what the wire has no word for', () => {
    const told = aReport({
      facts: {
        ...FACTS,
        kvm: { ...FACTS.kvm, verdict: 'software-nested' },
        hardware: {
          virtualisation: {
            technology: 'vt-x',
            nestedPaging: '',
            nestedPagingSwitch: Switch.SWITCH_OFF,
            nestingSwitch: Switch.SWITCH_UNSPECIFIED,
            modules: ['kvm_intel'],
            isGuest: true,
          },
          iommuUnits: ['dmar0'],
          iommuGroupCount: 7,
          cores: [{ socketId: 1, coreId: 2, cpus: '0,2' }],
          caches: [{ level: 1, type: 'data', sizeBytes: 32_768, sharedBy: ['0,2'] }],
          numaDistances: [10, 21, 21, 10],
        },
      },
    });
    const facts = checkReport(told).facts;
    expect(facts?.kvm.verdict).toBe('software-nested');
    expect(facts?.hardware).toEqual({
      virtualisation: {
        technology: 'vt-x',
        nestedPaging: null,
        isNestedPagingOn: false,
        isNestingOn: null,
        modules: ['kvm_intel'],
        isGuest: true,
      },
      iommu: { units: ['dmar0'], groupCount: 7 },
      microcode: null,
      cores: [{ socketId: 1, coreId: 2, cpus: '0,2' }],
      caches: [{ level: 1, type: 'data', sizeBytes: 32_768, sharedBy: ['0,2'] }],
      numaDistances: [
        [10, 21],
        [21, 10],
      ],
    });
  });

  it('of an agent that is older or newer than we are says null where we do not know', () => {
    const facts = checkReport(aReport({ facts: { ...FACTS, kvm: { ...FACTS.kvm, verdict: 'enlightened' } } })).facts;
    expect([facts?.hardware, facts?.kvm.verdict]).toEqual([null, null]);
    const odd = checkReport(aReport({ facts: { ...FACTS, hardware: { numaDistances: [10, 21, 21] } } })).facts;
    expect(odd?.hardware?.numaDistances).toEqual([]);
    expect(
      fieldOf(aReport({ facts: { ...FACTS, hardware: { caches: [{ level: 1, type: 'odd', sizeBytes: 1 }] } } })),
    ).toBe('invalid_request facts.hardware.caches.0.type');
  });

  it('that was stored before an upgrade is read with null for what was not told then', () => {
    const { hardware: _none, qemuMachineType: _neither, ...facts } = checkReport(aReport({ facts: FACTS })).facts ?? {};
    const stored = { ...facts, kvm: { isProven: true, reason: 'x' } };
    expect(storedFactsOf(stored)).toMatchObject({
      kernel: '6.1',
      hardware: null,
      qemuMachineType: null,
      kvm: { verdict: null },
    });
    expect(storedFactsOf(null)).toBeNull();
  });

  it('does not change the accelerator when it tells no facts', () => {
    expect(checkReport(aReport()).accelerator).toBeUndefined();
    expect(checkReport(aReport({ facts: FACTS })).accelerator).toBeNull();
  });

  it.each<[string, HostReport, string]>([
    ['a negative generation', aReport({ reportGeneration: -1 }), 'reportGeneration'],
    ['a generation beyond exact numbers', aReport({ reportGeneration: 2 ** 60 }), 'reportGeneration'],
    ['half a CPU', aReport({ capacity: { vcpuCount: 0.5, memoryBytes: 1, diskBytes: 1 } }), 'capacity.vcpuCount'],
    [
      'more CPUs than int4 holds',
      aReport({ capacity: { vcpuCount: 4_294_967_295, memoryBytes: 1, diskBytes: 1 } }),
      'capacity.vcpuCount',
    ],
    ['negative memory', aReport({ capacity: { vcpuCount: 1, memoryBytes: -1, diskBytes: 1 } }), 'capacity.memoryBytes'],
    [
      'memory without bound',
      aReport({ capacity: { vcpuCount: 1, memoryBytes: 2 ** 53 - 1, diskBytes: 1 } }),
      'capacity.memoryBytes',
    ],
    ['no number', aReport({ capacity: { vcpuCount: 1, memoryBytes: 1, diskBytes: Number.NaN } }), 'capacity.diskBytes'],
    ['a socket as its address', aReport({ address: 'unix:/run/x' }), 'address'],
    ['a port of 0', aReport({ address: 'host:0' }), 'address'],
    ['a VM without an id', aReport({ vms: [aVmReport({ vmId: "'; DROP TABLE vms" })] }), 'vms.0.vmId'],
    ['a negative epoch', aReport({ vms: [aVmReport(), aVmReport({ epoch: -1 })] }), 'vms.1.epoch'],
    [
      'a working set without bound',
      aReport({ vms: [aVmReport({ workingSetBytes: 2 ** 60 })] }),
      'vms.0.workingSetBytes',
    ],
    ['a balloon without bound', aReport({ vms: [aVmReport({ balloonBytes: 2 ** 60 })] }), 'vms.0.balloonBytes'],
    ['too many VMs', aReport({ vms: Array.from({ length: 10_001 }, () => aVmReport()) }), 'vms'],
    [
      'facts without end',
      aReport({ facts: { ...FACTS, cpuFlags: Array.from({ length: 300 }, () => 'x'.repeat(1000)) } }),
      'facts',
    ],
  ])('is refused with %s', (_, report, field) => {
    expect(fieldOf(report)).toBe(`invalid_request ${field}`);
  });

  it('is cleaned of everything that is not plain text', () => {
    const evil = 'a\0b\x1b]0;x\x07c\nd\u202e';
    const checked = checkReport(
      aReport({ facts: { ...FACTS, kernel: evil }, agentVersion: evil, vms: [aVmReport({ exitDetail: evil })] }),
    );
    expect([checked.facts?.kernel, checked.agentVersion, checked.vms[0]?.exitDetail]).toEqual([
      'a bc d',
      'a bc d',
      'a bc d',
    ]);
  });

  it('takes a time that no clock can show as never', () => {
    const [vm] = checkReport(aReport({ vms: [aVmReport({ guestAgentLastAnswerMs: 2 ** 53 - 1 })] })).vms;
    expect(vm?.guestAgentAnsweredAt).toBeNull();
  });
});
