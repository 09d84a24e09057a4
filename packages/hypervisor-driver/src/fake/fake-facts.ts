import { type Accelerator, featuresOfLevel, type HostCpuSupport, type HostFacts } from '@kvorum/schema';

const GIB = 1024 ** 3;
const FAKE_MEMORY_BYTES = 64 * GIB;
const FAKE_CPU_COUNT = 16;

/** What a FakeMachine says of itself, unless a test says otherwise. */
export const FAKE_FACTS: HostFacts = {
  kernel: '6.12.0-fake',
  qemuVersion: '10.0.2',
  qemuMachineType: 'pc-q35-10.0',
  machineTypes: ['pc-q35-10.0', 'pc-q35-9.2', 'pc-q35-8.2'],
  cpu: [fakeCpu('kvm'), fakeCpu('tcg')],
  cpuVendor: 'GenuineIntel',
  cpuModel: 'Fake CPU',
  cpuFlags: ['vmx', 'ept', 'vpid'],
  kvm: {
    apiVersion: 12,
    extensions: { USER_MEMORY: 1, NR_VCPUS: 288, MAX_VCPUS: 1024 },
    supportedCpuidEntryCount: 28,
    isProven: true,
    verdict: 'proven',
    reason: 'simulated hardware',
  },
  networking: null,
  seedDisks: false,
  hostCpuCount: FAKE_CPU_COUNT,
  numaNodes: [
    {
      id: 0,
      cpus: Array.from({ length: FAKE_CPU_COUNT }, (_, cpu) => cpu),
      memoryBytes: FAKE_MEMORY_BYTES,
      hugePages: { 2048: 0, 1048576: 0 },
    },
  ],
  memoryBytes: FAKE_MEMORY_BYTES,
  firmware: { uefi: true, secureBoot: true, tpm: true },
  hardware: {
    virtualisation: {
      technology: 'vt-x',
      nestedPaging: 'ept',
      isNestedPagingOn: true,
      isNestingOn: true,
      modules: ['kvm_intel'],
      isGuest: false,
    },
    iommu: { units: [], groupCount: 0 },
    microcode: '0x1',
    cores: Array.from({ length: FAKE_CPU_COUNT }, (_, core) => ({ socketId: 0, coreId: core, cpus: `${core}` })),
    caches: [],
    numaDistances: [[10]],
  },
  findings: [],
};

/** A processor of about 2013, and models that it can be. */
function fakeCpu(accelerator: Accelerator): HostCpuSupport {
  return {
    accelerator,
    models: [
      { name: 'Haswell-v4', featureCount: 60 },
      { name: 'Nehalem-v1', featureCount: 32 },
      { name: 'Westmere-v1', featureCount: 35 },
      { name: 'qemu64-v1', featureCount: 29 },
      { name: 'x86-64-v1', featureCount: 9 },
      { name: 'x86-64-v2', featureCount: 16 },
      { name: 'x86-64-v3', featureCount: 26 },
    ],
    features: [...featuresOfLevel(3), 'vmx'].sort(),
    level: 3,
    withheldFeatures: [],
  };
}
