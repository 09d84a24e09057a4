import { describe, expect, it } from 'vitest';
import { formatHostCheck, type HostCheck, hostCheckOf } from '../src/commands/host/format-host-check.js';
import { ok, openDouble, page } from './double.js';
import { aHost, idOf } from './shapes.js';

const FACTS: HostCheck['facts'] = {
  kernel: '6.12.0',
  qemuVersion: null,
  qemuMachineType: null,
  machineTypes: [],
  cpu: [],
  cpuVendor: 'GenuineIntel',
  cpuModel: 'Xeon',
  cpuFlags: ['vmx'],
  kvm: {
    apiVersion: null,
    extensions: {},
    supportedCpuidEntryCount: null,
    isProven: false,
    verdict: 'disabled',
    reason: 'flags without /dev/kvm: disabled in firmware or module not loaded',
  },
  networking: null,
  seedDisks: false,
  hostCpuCount: 4,
  numaNodes: [],
  memoryBytes: 1,
  firmware: null,
  hardware: null,
  findings: [
    { name: 'kvm', value: 'disabled', evidence: 'flags\u001b[2J without /dev/kvm', remedy: 'Turn it on.' },
    { name: 'microcode', value: '0x1', evidence: '/proc/cpuinfo', remedy: null },
  ],
};
const plain = (text: string) => text;

describe('the answer of a host check', () => {
  it('has the verdict on top, and each finding with its evidence and remedy', () => {
    expect(formatHostCheck(hostCheckOf(FACTS), plain)).toBe(
      [
        'KVM is not usable here: flags without /dev/kvm: disabled in firmware or module not loaded',
        'Xeon, 4 CPUs, Linux 6.12.0',
        '',
        'kvm        disabled',
        '           evidence: flags [2J without /dev/kvm',
        '           remedy: Turn it on.',
        'microcode  0x1',
        '           evidence: /proc/cpuinfo',
        '',
      ].join('\n'),
    );
  });

  it('says that KVM is usable only when it is proven', () => {
    const proven = hostCheckOf({ ...FACTS, kvm: { ...FACTS.kvm, isProven: true, reason: 'the test guest ran' } });
    expect([proven.isKvmUsable, proven.verdict]).toEqual([true, 'KVM is usable here: the test guest ran']);
  });
});

describe('kvorum host check', () => {
  it.each(['host check --json', 'host check -o json', '-o json host check'])(
    'as `%s` tells of this machine, and its exit code is the verdict; nobody is asked',
    async (command) => {
      const { run, calls } = await openDouble({});
      const { exitCode, stdout, stderr } = await run(command, { isLoggedIn: false });
      const check = JSON.parse(stdout) as HostCheck;
      expect(check.facts.hostCpuCount).toBeGreaterThan(0);
      expect(check.isKvmUsable).toBe(check.facts.kvm.isProven);
      expect([exitCode, stderr, calls]).toEqual([check.isKvmUsable ? 0 : 1, '', []]);
    },
  );

  it('for people starts with the verdict', async () => {
    const { run } = await openDouble({});
    const { stdout } = await run('host check', { isLoggedIn: false });
    expect(stdout).toMatch(/^KVM is (not )?usable here: .+\n/);
    for (const name of ['cpu-virtualisation', 'nested-paging', 'kvm ', 'iommu', 'caches', 'cpu-topology', 'numa']) {
      expect(stdout).toContain(`\n${name}`);
    }
  });
});

it('kvorum host get shows the same findings of a host that joined', async () => {
  const networkFaults = [{ networkId: idOf(5), message: 'there is no interface eth7' }];
  const host = aHost({ facts: FACTS, networkFaults });
  const { run } = await openDouble({ 'GET /v1/hosts': page(host), [`GET /v1/hosts/${idOf(4)}`]: ok(host) });
  const { stdout } = await run('host get host-a');
  expect(stdout).toMatch(/^KVM +disabled: flags without \/dev\/kvm/m);
  expect(stdout).toMatch(/^kvm +disabled \(Turn it on\.\)$/m);
  expect(stdout).toMatch(/^microcode +0x1$/m);
  expect(stdout).toMatch(/^network 0\S+ +there is no interface eth7$/m);
});
