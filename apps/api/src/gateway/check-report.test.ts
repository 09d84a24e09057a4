import {
  Accelerator,
  Capacity,
  type GuestAgentState,
  HostFacts,
  HostReport,
  PowerState,
  Switch,
  VmReport,
} from '@kvorum/schema/agent-wire';
import { describe, expect, it } from 'vitest';
import { checkReport, isAddress, VM_REPORT_COUNT_MAX } from './check-report.js';

const VM_ID = '019a0000-0000-7000-8000-000000000001';
const aReport = (fields: Partial<HostReport>): HostReport => HostReport.create(fields);
const aVm = (fields: Partial<VmReport> = {}): VmReport => VmReport.create({ vmId: VM_ID, ...fields });

describe('a report of a host', () => {
  it('passes as it is when it is in bounds', () => {
    const report = aReport({
      reportGeneration: 3,
      accelerator: Accelerator.ACCELERATOR_TCG,
      address: '127.0.0.1:7000',
      agentVersion: '0.1.0',
      isFull: true,
      capacity: Capacity.create({ vcpuCount: 4, memoryBytes: 1, diskBytes: 1 }),
      facts: HostFacts.create({
        kernel: '6.1',
        cpuFlags: ['vmx'],
        kvm: { apiVersion: 12, extensions: { KVM_CAP_X: 1 }, verdict: 'proven' },
        hardware: {
          virtualisation: { technology: 'vt-x', modules: ['kvm_intel'], nestingSwitch: Switch.SWITCH_ON },
          cores: [{ socketId: 0, coreId: 0, cpus: '0,1' }],
          caches: [{ level: 1, type: 'data', sizeBytes: 32_768, sharedBy: ['0,1'] }],
          numaDistances: [10],
        },
      }),
      vms: [aVm({ power: PowerState.POWER_STATE_RUNNING })],
    });
    expect(checkReport(report)).toEqual(report);
  });

  it('loses control characters and values this side does not know', () => {
    const checked = checkReport(
      aReport({
        agentVersion: 'a\0b',
        accelerator: 77 as Accelerator,
        facts: HostFacts.create({ kernel: 'x\u001b[31m' }),
        vms: [aVm({ exitDetail: `${'e'.repeat(5000)}\0`, power: 9 as PowerState, guestAgent: -1 as GuestAgentState })],
      }),
    );
    expect(checked).toMatchObject({ agentVersion: 'a\ufffdb', accelerator: 0, facts: { kernel: 'x\ufffd[31m' } });
    expect(checked.vms[0]).toMatchObject({ power: 0, guestAgent: 0, exitDetail: 'e'.repeat(4096) });
  });

  it.each([
    ['vms', { vms: Array.from({ length: VM_REPORT_COUNT_MAX + 1 }, () => aVm()) }],
    ['vms', { vms: [aVm(), aVm({ vmId: VM_ID.toUpperCase() })] }],
    ['vms.vmId', { vms: [aVm({ vmId: '../../etc/passwd' })] }],
    ['address', { address: 'somewhere' }],
    ['address', { address: 'host:7000\nhost:1' }],
    ['agentVersion', { agentVersion: 'v'.repeat(1025) }],
    ['capacity.vcpuCount', { capacity: Capacity.create({ vcpuCount: 4_000_000_000, memoryBytes: 1, diskBytes: 1 }) }],
    ['facts.cpuFlags', { facts: HostFacts.create({ cpuFlags: Array.from({ length: 1025 }, () => 'f') }) }],
    ['facts.cpuModel', { facts: HostFacts.create({ cpuModel: 'm'.repeat(1025) }) }],
    [
      'facts.hardware.numaDistances',
      { facts: HostFacts.create({ hardware: { numaDistances: Array.from({ length: 4097 }, () => 10) } }) },
    ],
    [
      'facts.hardware.cores',
      { facts: HostFacts.create({ hardware: { cores: Array.from({ length: 8193 }, () => ({ cpus: '0' })) } }) },
    ],
    [
      'facts.hardware.modules',
      { facts: HostFacts.create({ hardware: { virtualisation: { modules: ['m'.repeat(1025)] } } }) },
    ],
    [
      'facts.numaNodes.cpus',
      { facts: HostFacts.create({ numaNodes: [{ id: 0, cpus: Array.from({ length: 8193 }, () => 1) }] }) },
    ],
  ])('is refused out of bounds, naming %s', (field, fields) => {
    expect(() => checkReport(aReport(fields))).toThrowError(
      expect.objectContaining({
        code: 'invalid_request',
        details: { fields: [{ field, message: expect.any(String) }] },
      }),
    );
  });
});

it.each([
  ['host-1.example:7000', true],
  ['127.0.0.1:1', true],
  ['[::1]:65535', true],
  ['::1:7000', false],
  ['host', false],
  ['host:', false],
  ['ho st:1', false],
  ['http://host:1', false],
])('%s as an address: %s', (address, isOne) => {
  expect(isAddress(address)).toBe(isOne);
});
