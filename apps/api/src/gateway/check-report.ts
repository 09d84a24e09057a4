import { DomainError } from '@kvorum/schema';
import {
  Accelerator,
  BalloonStatus,
  type CpuSupport,
  ExitReason,
  GuestAgentState,
  type GuestInterface,
  type Hardware,
  type HostFacts,
  type HostReport,
  type PoolReport,
  PowerState,
  Switch,
  type VmReport,
} from '@kvorum/schema/agent-wire';
import { z } from 'zod';

/** More than one machine can run: 288 vCPUs of the smallest VM fit a few hundred times. */
export const VM_REPORT_COUNT_MAX = 4096;
const TEXT_LENGTH_MAX = 1024;
/** As GuestInterface has it. */
const INTERFACE_NAME_LENGTH_MAX = 32;
const EXIT_DETAIL_LENGTH_MAX = 4096;
/** One of each kind, and room for kinds of later agents. */
const CONDITION_COUNT_MAX = 16;
/** Of flags, KVM extensions, findings, NUMA nodes: each kernel in use has under 300. */
const FACT_COUNT_MAX = 1024;
/** NR_CPUS of Debian's kernels. */
const CPU_COUNT_MAX = 8192;
/** The square of the most NUMA nodes that x86 machines are built with. */
const DISTANCE_COUNT_MAX = 64 * 64;
/** File systems for VMs of one host: a handful. */
const POOL_COUNT_MAX = 64;
/** Each has the memory of a VM on the host's disk. */
const TEMPLATE_COUNT_MAX = 10_000;
/** Counts are PostgreSQL `int`. */
const INT_MAX = 2_147_483_647;
const ADDRESS = /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}$/;

const Uuid = z.uuid();
const refusal = (field: string, message: string): DomainError =>
  new DomainError('invalid_request', `${field}: ${message}`, { details: { fields: [{ field, message }] } });

/**
 * A report with everything in bounds: a host's agent is trusted to speak for its host and for nothing else, so what it sends
 * can neither fill the database nor break it. Control characters (NUL cannot be stored) become U+FFFD; values of an enum
 * that this side does not know become "unspecified". Throws `invalid_request`.
 */
export function checkReport(report: HostReport): HostReport {
  if (report.vms.length > VM_REPORT_COUNT_MAX) throw refusal('vms', `more than ${VM_REPORT_COUNT_MAX}`);
  if (report.address !== '' && !isAddress(report.address)) throw refusal('address', 'must be host:port');
  const vms = report.vms.map(checkVm);
  if (new Set(vms.map((vm) => vm.vmId)).size !== vms.length) throw refusal('vms', 'names a VM twice');
  if ((report.capacity?.vcpuCount ?? 0) > INT_MAX) throw refusal('capacity.vcpuCount', `more than ${INT_MAX}`);
  const nodeCount = report.capacity?.nodes.length ?? 0;
  if (nodeCount > FACT_COUNT_MAX) throw refusal('capacity.nodes', `more than ${FACT_COUNT_MAX}`);
  return {
    ...report,
    agentVersion: text('agentVersion', report.agentVersion),
    accelerator: known(Accelerator, report.accelerator),
    facts: report.facts === undefined ? undefined : checkFacts(report.facts),
    vms,
    pools: report.pools && { pools: checkPools(report.pools.pools) },
    templates: report.templates && { templateIds: checkTemplates(report.templates.templateIds) },
  };
}

function checkPools(pools: readonly PoolReport[]): PoolReport[] {
  if (pools.length > POOL_COUNT_MAX) throw refusal('pools', `more than ${POOL_COUNT_MAX}`);
  return pools.map((pool) => ({
    ...pool,
    name: text('pools.name', pool.name),
    poolId: text('pools.poolId', pool.poolId),
    driver: text('pools.driver', pool.driver),
    fault: printable(pool.fault.slice(0, TEXT_LENGTH_MAX)),
  }));
}

function checkTemplates(ids: readonly string[]): string[] {
  if (ids.length > TEMPLATE_COUNT_MAX) throw refusal('templates', `more than ${TEMPLATE_COUNT_MAX}`);
  if (!ids.every((id) => Uuid.safeParse(id).success)) throw refusal('templates.templateIds', 'must be UUIDs');
  return ids.map((id) => id.toLowerCase());
}

/** host:port, the host a name, an IPv4 address or an IPv6 address in brackets. */
export const isAddress = (address: string): boolean => ADDRESS.test(address);

function checkVm(vm: VmReport): VmReport {
  if (!Uuid.safeParse(vm.vmId).success) throw refusal('vms.vmId', 'must be a UUID');
  return {
    ...vm,
    vmId: vm.vmId.toLowerCase(),
    power: known(PowerState, vm.power),
    exitReason: known(ExitReason, vm.exitReason),
    balloonStatus: known(BalloonStatus, vm.balloonStatus),
    guestAgent: known(GuestAgentState, vm.guestAgent),
    accelerator: known(Accelerator, vm.accelerator),
    machineType: text('vms.machineType', vm.machineType),
    // A guest or QEMU may have written it: its length is no reason to lose the report.
    exitDetail: printable(vm.exitDetail.slice(0, EXIT_DETAIL_LENGTH_MAX)),
    guestNetwork: vm.guestNetwork && { interfaces: vm.guestNetwork.interfaces.map(checkInterface) },
    conditions: vm.conditions.slice(0, CONDITION_COUNT_MAX).map((condition) => ({
      ...condition,
      kind: text('vms.conditions.kind', condition.kind),
      detail: printable(condition.detail.slice(0, TEXT_LENGTH_MAX)),
    })),
  };
}

const checkInterface = (face: GuestInterface): GuestInterface => ({
  ...face,
  name: printable(face.name.slice(0, INTERFACE_NAME_LENGTH_MAX)),
});

function checkFacts(facts: HostFacts): HostFacts {
  const counts = (field: string, map: { [key: string]: number }): { [key: string]: number } =>
    Object.fromEntries(
      bounded(field, Object.entries(map), FACT_COUNT_MAX, ([key, count]) => [text(field, key), count]),
    );
  return {
    ...facts,
    kernel: text('facts.kernel', facts.kernel),
    qemuVersion: text('facts.qemuVersion', facts.qemuVersion),
    qemuMachineType: text('facts.qemuMachineType', facts.qemuMachineType),
    machineTypes: bounded('machineTypes', facts.machineTypes, FACT_COUNT_MAX, (name) =>
      text('facts.machineTypes', name),
    ),
    cpu: bounded('cpu', facts.cpu, FACT_COUNT_MAX, checkCpu),
    cpuVendor: text('facts.cpuVendor', facts.cpuVendor),
    cpuModel: text('facts.cpuModel', facts.cpuModel),
    cpuFlags: bounded('cpuFlags', facts.cpuFlags, FACT_COUNT_MAX, (flag) => text('facts.cpuFlags', flag)),
    kvm:
      facts.kvm === undefined
        ? undefined
        : {
            ...facts.kvm,
            reason: text('facts.kvm.reason', facts.kvm.reason),
            verdict: text('facts.kvm.verdict', facts.kvm.verdict),
            extensions: counts('kvm.extensions', facts.kvm.extensions),
          },
    numaNodes: bounded('numaNodes', facts.numaNodes, FACT_COUNT_MAX, (node) => ({
      ...node,
      cpus: bounded('numaNodes.cpus', node.cpus, CPU_COUNT_MAX, (cpu) => cpu),
      hugePages: counts('numaNodes.hugePages', node.hugePages),
    })),
    hardware: facts.hardware === undefined ? undefined : checkHardware(facts.hardware),
    networking: facts.networking && {
      kinds: bounded('networking.kinds', facts.networking.kinds, FACT_COUNT_MAX, (kind) =>
        text('facts.networking.kinds', kind),
      ),
      overlayAddress: text('facts.networking.overlayAddress', facts.networking.overlayAddress),
      floatingInterface: text('facts.networking.floatingInterface', facts.networking.floatingInterface),
    },
    findings: bounded('findings', facts.findings, FACT_COUNT_MAX, (finding) => ({
      name: text('facts.findings.name', finding.name),
      value: text('facts.findings.value', finding.value),
      evidence: text('facts.findings.evidence', finding.evidence),
      remedy: text('facts.findings.remedy', finding.remedy),
    })),
  };
}

function checkCpu(cpu: CpuSupport): CpuSupport {
  const names = (field: string, values: readonly string[]): string[] =>
    bounded(`cpu.${field}`, values, FACT_COUNT_MAX, (value) => text(`facts.cpu.${field}`, value));
  return {
    accelerator: known(Accelerator, cpu.accelerator),
    models: bounded('cpu.models', cpu.models, FACT_COUNT_MAX, (model) => ({
      ...model,
      name: text('facts.cpu.models', model.name),
    })),
    features: names('features', cpu.features),
    level: cpu.level,
    withheldFeatures: names('withheldFeatures', cpu.withheldFeatures),
  };
}

function bounded<Item>(field: string, items: readonly Item[], countMax: number, check: (item: Item) => Item): Item[] {
  if (items.length > countMax) throw refusal(`facts.${field}`, `more than ${countMax}`);
  return items.map(check);
}

function checkHardware(hardware: Hardware): Hardware {
  const texts = (field: string, values: string[], countMax = FACT_COUNT_MAX): string[] =>
    bounded(`hardware.${field}`, values, countMax, (value) => text(`facts.hardware.${field}`, value));
  const { virtualisation } = hardware;
  return {
    virtualisation:
      virtualisation === undefined
        ? undefined
        : {
            ...virtualisation,
            technology: text('facts.hardware.technology', virtualisation.technology),
            nestedPaging: text('facts.hardware.nestedPaging', virtualisation.nestedPaging),
            nestedPagingSwitch: known(Switch, virtualisation.nestedPagingSwitch),
            nestingSwitch: known(Switch, virtualisation.nestingSwitch),
            modules: texts('modules', virtualisation.modules),
          },
    iommuUnits: texts('iommuUnits', hardware.iommuUnits),
    iommuGroupCount: hardware.iommuGroupCount,
    microcode: text('facts.hardware.microcode', hardware.microcode),
    cores: bounded('hardware.cores', hardware.cores, CPU_COUNT_MAX, (core) => ({
      ...core,
      cpus: text('facts.hardware.cores', core.cpus),
    })),
    caches: bounded('hardware.caches', hardware.caches, FACT_COUNT_MAX, (cache) => ({
      ...cache,
      type: text('facts.hardware.caches', cache.type),
      sharedBy: texts('caches', cache.sharedBy, CPU_COUNT_MAX),
    })),
    numaDistances: bounded(
      'hardware.numaDistances',
      hardware.numaDistances,
      DISTANCE_COUNT_MAX,
      (distance) => distance,
    ),
  };
}

function text(field: string, value: string): string {
  if (value.length > TEXT_LENGTH_MAX) throw refusal(field, `longer than ${TEXT_LENGTH_MAX} characters`);
  return printable(value);
}

const printable = (value: string): string => value.replace(/\p{C}/gu, '\ufffd');

/** An enum of ts-proto maps names to numbers and back; 0 is always "unspecified". */
const known = <Value extends number>(values: object, value: Value): Value =>
  Object.hasOwn(values, value) ? value : (0 as Value);
