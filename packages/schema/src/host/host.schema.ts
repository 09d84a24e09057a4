import { z } from 'zod';
import { EnrolmentId, HostId } from '../ids.js';
import { Labels, ResourceName } from '../names.js';
import { HostNetworking } from '../network/host-networks.schema.js';
import { PageQuery } from '../page.schema.js';
import { MachineType } from '../vm/machine-type.js';
import { Accelerator } from '../vm/vm.schema.js';
import { HostCpuSupport, MACHINE_TYPE_COUNT_MAX } from './host-cpu.schema.js';
import { HostHardware } from './host-hardware.schema.js';

/** What an admin decided. */
export const HostState = z.enum(['active', 'cordoned', 'revoked']).meta({ id: 'HostState' });
/** What is known of its agent. Unreachable is not dead: its VMs may well be running. */
export const HostConnectivity = z.enum(['connected', 'unreachable']).meta({ id: 'HostConnectivity' });

/** One finding about the host's hardware, with what it rests on. */
export const HostFinding = z
  .object({ name: z.string(), value: z.string(), evidence: z.string(), remedy: z.string().nullable() })
  .meta({ id: 'HostFinding' });

/**
 * What is to be thought of KVM here. `proven`: flags, device and test guest agree. `software-nested`: the test guest ran, but
 * on a processor without VT-x/AMD-V. `disabled`: flags without /dev/kvm. `absent`: neither. `failed`: the device is there,
 * and it or the test guest did not do what they must.
 */
export const KvmVerdict = z
  .enum(['proven', 'software-nested', 'disabled', 'absent', 'failed'])
  .meta({ id: 'KvmVerdict' });
export type KvmVerdict = z.infer<typeof KvmVerdict>;

export const HostFacts = z
  .object({
    kernel: z.string(),
    qemuVersion: z.string().nullable(),
    qemuMachineType: z
      .string()
      .nullable()
      .meta({ description: 'What a VM becomes that starts here first, such as pc-q35-10.0; it keeps it from then on' }),
    machineTypes: z
      .array(MachineType)
      .max(MACHINE_TYPE_COUNT_MAX)
      .meta({ description: 'All that VMs can have here, newest first' }),
    cpu: z.array(HostCpuSupport).max(2).meta({
      description: 'One entry per accelerator that QEMU works with here; empty: none, or its agent is too old',
    }),
    cpuVendor: z.string(),
    cpuModel: z.string(),
    cpuFlags: z.array(z.string()).meta({ description: 'Of /proc/cpuinfo, only those about virtualisation' }),
    kvm: z
      .object({
        apiVersion: z.int().nullable(),
        extensions: z.record(z.string(), z.int()),
        supportedCpuidEntryCount: z.int().nullable(),
        isProven: z.boolean(),
        verdict: KvmVerdict.nullable().meta({ description: 'null: its agent is too old to say' }),
        reason: z.string(),
      })
      .meta({ description: 'isProven: flags are there, /dev/kvm answers and a test guest made the exits it had to' }),
    hostCpuCount: z.int(),
    numaNodes: z.array(
      z.object({ id: z.int(), cpus: z.array(z.int()), memoryBytes: z.int(), hugePages: z.record(z.string(), z.int()) }),
    ),
    memoryBytes: z.int(),
    firmware: z
      .object({
        uefi: z.boolean(),
        secureBoot: z.boolean(),
        tpm: z.boolean().meta({ description: 'TPM 2.0, emulated' }),
      })
      .nullable()
      .meta({ description: "What of a VM's firmware it can serve, besides a BIOS; null: its agent is too old to say" }),
    hardware: HostHardware.nullable().meta({ description: 'null: its agent is too old to say' }),
    networking: HostNetworking.nullable().meta({ description: 'null: its agent makes no networks' }),
    seedDisks: z.boolean().meta({ description: 'It can make seed disks for cloud-init' }),
    findings: z.array(HostFinding),
  })
  .meta({ id: 'HostFacts' });
export type HostFacts = z.infer<typeof HostFacts>;

const Amounts = z.object({
  vcpuCount: z.int(),
  memoryBytes: z.int(),
  diskBytes: z.int(),
  dedicatedCpuCount: z.int().meta({ description: 'CPUs that VMs have for themselves; each takes 4 of vcpuCount' }),
  hugePages2MibBytes: z.int().meta({ description: 'In huge pages; not part of memoryBytes' }),
  hugePages1GibBytes: z.int(),
});

export const Host = z
  .object({
    id: HostId,
    name: ResourceName,
    state: HostState,
    connectivity: HostConnectivity,
    cordonReason: z.string().nullable(),
    accelerator: Accelerator.nullable().meta({ description: 'null: neither proven KVM nor allowed emulation' }),
    address: z.string().meta({ description: 'Where the control plane reaches the agent: host:port' }),
    agentVersion: z.string().nullable(),
    capacity: Amounts.meta({ description: 'What VMs may reserve' }),
    reserved: Amounts.meta({ description: 'What VMs have reserved' }),
    generation: z.int(),
    facts: HostFacts.nullable(),
    networkFaults: z
      .array(z.object({ networkId: z.string(), message: z.string() }))
      .meta({ description: 'Networks that the host could not make, by what its agent said last; it goes on trying' }),
    labels: Labels,
    lastReportAt: z.iso.datetime().nullable(),
    certificateExpiresAt: z.iso.datetime().nullable(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Host' });
export type Host = z.infer<typeof Host>;

export const ListHostsQuery = PageQuery.extend({
  state: HostState.optional(),
  connectivity: HostConnectivity.optional(),
  name: ResourceName.optional(),
});
export type ListHostsQuery = z.infer<typeof ListHostsQuery>;

export const CreateEnrolmentRequest = z
  .strictObject({
    hostName: ResourceName,
    validForSeconds: z.int().min(60).max(604_800).default(3600),
    labels: Labels.default({}),
  })
  .meta({ id: 'CreateEnrolmentRequest' });
export type CreateEnrolmentRequest = z.infer<typeof CreateEnrolmentRequest>;

export const Enrolment = z
  .object({
    id: EnrolmentId,
    hostName: ResourceName,
    joinToken: z
      .string()
      .meta({ description: 'Shown once. Works once, for this host name; carries the fingerprint of the site CA' }),
    expiresAt: z.iso.datetime(),
    agentCommand: z.string().meta({ description: 'What to run on the host' }),
  })
  .meta({ id: 'Enrolment' });
export type Enrolment = z.infer<typeof Enrolment>;

export const CordonHostRequest = z
  .strictObject({
    reason: z
      .string()
      .min(1)
      .max(255)
      .regex(/^\P{C}*$/u)
      .default('cordoned by an operator'),
  })
  .meta({ id: 'CordonHostRequest' });
