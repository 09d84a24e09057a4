import {
  type Accelerator,
  DISK_BYTES_MAX,
  DomainError,
  GIB,
  HostFacts,
  HostNetworking,
  Ipv4Address,
  KIB,
  MachineType,
  NUMA_NODE_COUNT_MAX,
  VCPU_COUNT_MAX,
  VmId,
} from '@kvorum/schema';
import type { HostReport, VmReport, HostFacts as WireFacts } from '@kvorum/schema/agent-wire';
import { z } from 'zod';
import type { ObservedVm } from '../agents/agent-port.js';
import { acceleratorOf, observedVmOf } from '../agents/wire-shapes.js';
import { cleanLine } from '../plain-text.js';
import { hardwareShapeOf, verdictOf } from './hardware-shapes.js';
import { HostAddress } from './host-address.js';
import { type AgentPool, AgentPools, agentPoolOf } from './pool-report.js';

/** What a host may say of itself at most. A host is enrolled, not trusted: it can lie, but not flood or overflow. */
const HOST_VCPU_COUNT_MAX = 65_536;
const HOST_MEMORY_BYTES_MAX = 1024 * 1024 * GIB;
const HOST_DISK_BYTES_MAX = 1024 * DISK_BYTES_MAX;
/** CONFIG_NR_CPUS and MAX_NUMNODES of x86-64 kernels. */
const HOST_CPU_MAX = 8191;
const HOST_NODE_MAX = 1023;
/** x86 has 2; others up to 8. */
const THREADS_PER_CORE_MAX = 8;
const VM_COUNT_MAX = 10_000;
const FACTS_BYTES_MAX = 256 * KIB;
const EXIT_DETAIL_LENGTH_MAX = 4 * KIB;
const VERSION_LENGTH_MAX = 128;
const TEXT_LENGTH_MAX = 1024;
/** One of each kind, and room. */
const CONDITION_COUNT_MAX = 16;

const Amount = (max: number) => z.int().min(0).max(max);
const Capacity = z.object({
  vcpuCount: Amount(HOST_VCPU_COUNT_MAX),
  memoryBytes: Amount(HOST_MEMORY_BYTES_MAX),
  diskBytes: Amount(HOST_DISK_BYTES_MAX),
  dedicatedCpuCount: Amount(HOST_VCPU_COUNT_MAX),
  hugePages2MibBytes: Amount(HOST_MEMORY_BYTES_MAX),
  hugePages1GibBytes: Amount(HOST_MEMORY_BYTES_MAX),
  /** What is free of each NUMA node. Empty: an agent that does not say. */
  nodes: z
    .array(
      z.object({
        dedicatedCpuCount: Amount(HOST_VCPU_COUNT_MAX),
        wholeCoreCount: Amount(HOST_VCPU_COUNT_MAX),
        memoryBytes: Amount(HOST_MEMORY_BYTES_MAX),
        hugePages2MibBytes: Amount(HOST_MEMORY_BYTES_MAX),
        hugePages1GibBytes: Amount(HOST_MEMORY_BYTES_MAX),
      }),
    )
    .max(HOST_NODE_MAX + 1),
  /** An agent that does not say is one without SMT. */
  threadsPerCore: Amount(THREADS_PER_CORE_MAX).transform((count) => Math.max(1, count)),
});
const VmNumbers = z.object({
  vmId: VmId,
  epoch: Amount(Number.MAX_SAFE_INTEGER),
  generation: Amount(Number.MAX_SAFE_INTEGER),
  reportGeneration: Amount(Number.MAX_SAFE_INTEGER),
  balloonBytes: Amount(HOST_MEMORY_BYTES_MAX).nullable(),
  workingSetBytes: Amount(HOST_MEMORY_BYTES_MAX).nullable(),
});

const RunsOn = z.object({
  vcpuCpus: z.array(Amount(HOST_CPU_MAX)).max(VCPU_COUNT_MAX),
  otherCpus: z
    .string()
    .max(TEXT_LENGTH_MAX)
    .regex(/^[0-9,-]*$/, { error: 'must be a list of CPUs' }),
  memoryNodes: z.array(Amount(HOST_NODE_MAX)).max(NUMA_NODE_COUNT_MAX),
  memoryOverhead: z.object({
    promisedBytes: Amount(HOST_MEMORY_BYTES_MAX),
    measuredBytes: Amount(HOST_MEMORY_BYTES_MAX).nullable(),
  }),
});

const TemplateIds = z.array(z.uuid()).max(VM_COUNT_MAX);

/** A report with everything checked and bounded. Null: not part of this report. */
export interface CheckedReport {
  readonly reportGeneration: number;
  readonly facts: HostFacts | null;
  readonly capacity: z.infer<typeof Capacity> | null;
  /** Undefined: not told now; null: the host offers none. */
  readonly accelerator: Accelerator | null | undefined;
  readonly agentVersion: string | null;
  readonly address: string | null;
  readonly isFull: boolean;
  readonly vms: readonly ObservedVm[];
  readonly pools: readonly AgentPool[] | null;
  readonly templateIds: readonly string[] | null;
}

/** Throws invalid_request, naming the field. */
export function checkReport(report: HostReport): CheckedReport {
  if (report.vms.length > VM_COUNT_MAX) throw invalid('vms', `holds more than ${VM_COUNT_MAX} VMs`);
  return {
    reportGeneration: check('reportGeneration', Amount(Number.MAX_SAFE_INTEGER), report.reportGeneration),
    facts: report.facts === undefined ? null : checkFacts(report.facts),
    capacity: report.capacity === undefined ? null : check('capacity', Capacity, report.capacity),
    // Told together with the facts it rests on; the wire cannot tell "none" from "not told".
    accelerator: report.facts === undefined ? undefined : acceleratorOf(report.accelerator),
    agentVersion: report.agentVersion === '' ? null : cleanLine(report.agentVersion, VERSION_LENGTH_MAX),
    address: report.address === '' ? null : check('address', HostAddress, report.address),
    isFull: report.isFull,
    vms: report.vms.map(checkVm),
    templateIds: report.templates === undefined ? null : check('templates', TemplateIds, report.templates.templateIds),
    pools: report.pools === undefined ? null : check('pools', AgentPools, report.pools.pools.map(agentPoolOf)),
  };
}

function checkVm(report: VmReport, index: number): ObservedVm {
  const vm = observedVmOf(report);
  const runsOn = vm.runsOn === null ? null : check(`vms.${index}.runsOn`, RunsOn, vm.runsOn);
  const numbers = check(`vms.${index}`, VmNumbers, vm);
  const conditions = vm.conditions
    .slice(0, CONDITION_COUNT_MAX)
    .map((condition) => ({ ...condition, detail: cleanLine(condition.detail, TEXT_LENGTH_MAX) }));
  const machineType = vm.machineType === null ? null : check(`vms.${index}.machineType`, MachineType, vm.machineType);
  return {
    ...vm,
    ...numbers,
    runsOn,
    machineType,
    exitDetail: cleanLine(vm.exitDetail, EXIT_DETAIL_LENGTH_MAX),
    conditions,
  };
}

function checkFacts(wire: WireFacts): HostFacts {
  const facts = cleanDeep({
    ...wire,
    qemuVersion: wire.qemuVersion === '' ? null : wire.qemuVersion,
    qemuMachineType: wire.qemuMachineType || null,
    cpu: wire.cpu.map((support) => ({ ...support, accelerator: acceleratorOf(support.accelerator) })),
    kvm: {
      ...(wire.kvm ?? { extensions: {}, isProven: false, reason: 'the agent did not say' }),
      apiVersion: wire.kvm?.apiVersion || null,
      supportedCpuidEntryCount: wire.kvm?.supportedCpuidEntryCount || null,
      verdict: verdictOf(wire.kvm?.verdict),
    },
    firmware: wire.firmware ?? null,
    hardware: wire.hardware === undefined ? null : hardwareShapeOf(wire.hardware),
    networking: networkingOf(wire.networking),
    findings: wire.findings.map((finding) => ({ ...finding, remedy: finding.remedy === '' ? null : finding.remedy })),
  });
  const checked = check('facts', HostFacts, facts);
  if (JSON.stringify(checked).length > FACTS_BYTES_MAX)
    throw invalid('facts', `are larger than ${FACTS_BYTES_MAX} bytes`);
  return checked;
}

/** Null: the host makes no networks. An address that is none is refused: it goes into the commands of other hosts. */
function networkingOf(wire: WireFacts['networking']): HostFacts['networking'] {
  if (wire === undefined) return null;
  const overlayAddress =
    wire.overlayAddress === '' ? null : check('facts.networking.overlayAddress', Ipv4Address, wire.overlayAddress);
  const kinds = check('facts.networking.kinds', HostNetworking.shape.kinds, wire.kinds);
  const named = wire.floatingInterface === '' ? null : wire.floatingInterface;
  const { floatingInterface: shape } = HostNetworking.shape;
  return { kinds, overlayAddress, floatingInterface: check('facts.networking.floatingInterface', shape, named) };
}

/** Every text in it on one line and bounded: control characters would reach terminals, and jsonb refuses NUL. */
function cleanDeep(value: unknown): unknown {
  if (typeof value === 'string') return cleanLine(value, TEXT_LENGTH_MAX);
  if (Array.isArray(value)) return value.map(cleanDeep);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [cleanLine(key, TEXT_LENGTH_MAX), cleanDeep(inner)]),
  );
}

function check<Shape extends z.ZodType>(field: string, shape: Shape, value: unknown): z.output<Shape> {
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalid([field, ...(issue?.path ?? [])].join('.'), issue?.message ?? 'is not valid');
}

const invalid = (field: string, message: string): DomainError =>
  new DomainError('invalid_request', `the report is not valid: ${field} ${message}`, {
    details: { fields: [{ field, message }] },
  });
