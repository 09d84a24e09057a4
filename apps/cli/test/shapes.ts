import type { Flavor, Host, Image, Operation, Project, Vm } from '@kvorum/client';
import { PLAIN_HARDWARE } from '@kvorum/schema';

/** Ids whose last digits say what they are. */
export const idOf = (last: number): string => `019a0000-0000-7000-8000-${String(last).padStart(12, '0')}`;
export const AT = '2026-01-02T03:04:05.000Z';
export const GIB = 1024 ** 3;

export const aVm = (changes: Partial<Vm> = {}): Vm => ({
  id: idOf(1),
  projectId: idOf(9),
  name: 'web-1',
  state: 'running',
  allowedRequests: ['start', 'stop'],
  generation: 2,
  epoch: 1,
  flavorId: idOf(2),
  imageId: idOf(3),
  templateId: null,
  hostId: idOf(4),
  hostName: 'host-a',
  vmGroupId: null,
  highAvailability: false,
  vcpuCount: 2,
  memoryBytes: 2 * GIB,
  runsOn: {
    vcpuCpus: [4, 5],
    otherCpus: '0-3',
    memoryNodes: [],
    memoryOverhead: { promisedBytes: (128 * GIB) / 1024, measuredBytes: (40 * GIB) / 1024 },
  },
  hardware: {
    ...PLAIN_HARDWARE,
    cpuPolicy: { policy: 'dedicated', smt: 'prefer' },
    memory: { ...PLAIN_HARDWARE.memory, hugePageBytes: null },
  },
  machineType: 'pc-q35-10.0',
  accelerator: 'kvm',
  balloon: { enabled: true, minimumBytes: GIB, shares: 1000, status: 'active', workingSetBytes: 0.5 * GIB },
  cloudInit: null,
  pendingChanges: [],
  volumes: [{ id: idOf(5), role: 'root', sizeBytes: 20 * GIB }],
  guest: { interfaces: null, agent: 'responding', lastAnswerAt: AT, balloonBytes: null },
  conditions: [],
  waiting: null,
  failure: null,
  operationId: null,
  observedAt: AT,
  labels: { tier: 'web' },
  createdAt: AT,
  updatedAt: AT,
  ...changes,
});

export const anOperation = (changes: Partial<Operation> = {}): Operation => ({
  id: idOf(7),
  kind: 'vm.create',
  projectId: idOf(9),
  resourceKind: 'vm',
  resourceId: idOf(1),
  state: 'queued',
  steps: [aStep(0, 'ensure-image'), aStep(1, 'ensure-vm')],
  progress: null,
  isCancellable: true,
  error: null,
  createdBy: 'admin',
  createdAt: AT,
  startedAt: null,
  finishedAt: null,
  deadlineAt: AT,
  ...changes,
});

type Step = Operation['steps'][number];
export const aStep = (index: number, name: string, changes: Partial<Step> = {}): Step => ({
  index,
  name,
  state: 'pending',
  attempt: 0,
  canUndo: true,
  error: null,
  startedAt: null,
  finishedAt: null,
  ...changes,
});

export const aHost = (changes: Partial<Host> = {}): Host => ({
  id: idOf(4),
  name: 'host-a',
  state: 'active',
  connectivity: 'connected',
  cordonReason: null,
  accelerator: 'kvm',
  address: '10.0.0.1:7090',
  agentVersion: '0.1.0',
  capacity: {
    vcpuCount: 32,
    memoryBytes: 128 * GIB,
    diskBytes: 2048 * GIB,
    dedicatedCpuCount: 7,
    hugePages2MibBytes: 0,
    hugePages1GibBytes: 16 * GIB,
  },
  reserved: {
    vcpuCount: 8,
    memoryBytes: 2.1875 * GIB,
    diskBytes: 20 * GIB,
    dedicatedCpuCount: 2,
    hugePages2MibBytes: 0,
    hugePages1GibBytes: 4 * GIB,
  },
  generation: 1,
  facts: null,
  labels: {},
  lastReportAt: AT,
  networkFaults: [],
  certificateExpiresAt: AT,
  createdAt: AT,
  ...changes,
});

export const aFlavor = (changes: Partial<Flavor> = {}): Flavor => ({
  id: idOf(2),
  name: 'small',
  vcpuCount: 2,
  memoryBytes: 2 * GIB,
  rootDiskBytes: 20 * GIB,
  createdAt: AT,
  ...changes,
});

export const anImage = (changes: Partial<Image> = {}): Image => ({
  id: idOf(3),
  projectId: idOf(9),
  name: 'debian-13',
  isPublic: true,
  state: 'available',
  format: 'qcow2',
  sha256: 'ab'.repeat(32),
  description: null,
  source: { url: null, format: 'qcow2', sha256: 'ab'.repeat(32), vm: null },
  sizeBytes: GIB / 2,
  virtualSizeBytes: 2 * GIB,
  failure: null,
  generation: 1,
  labels: {},
  createdAt: AT,
  ...changes,
});

export const aProject = (changes: Partial<Project> = {}): Project => ({
  id: idOf(9),
  name: 'default',
  quota: { vmCount: 10, vcpuCount: 40, memoryBytes: 64 * GIB, diskBytes: 2048 * GIB },
  used: { vmCount: 1, vcpuCount: 2, memoryBytes: 2 * GIB, diskBytes: 20 * GIB },
  createdAt: AT,
  ...changes,
});
