import { Accelerator, BalloonPolicy, DomainError, VmHardware } from '@kvorum/schema';
import { z } from 'zod';
import type { AgentPort, AgentVmSpec, CallOptions, Intent, WantedPower } from '../agents/agent-port.js';
import type { ControlPlane } from '../control-plane.js';
import { findHostAddress } from '../host/host.store.js';
import { defineOperation, type StepContext } from '../operations/define-operation.js';
import { CloudInitRecord, cloudInitOf } from './cloud-init.js';
import { ensureCardNetworks } from './ensure-card-networks.js';

/** What steps on a VM work with. */
export type VmServices = Pick<ControlPlane, 'database' | 'agents' | 'secrets'>;

export const defineVmOperation = defineOperation<VmServices>();

/** A volume on a pool as a VM has it. */
export const PooledVolumeOfVm = z.object({
  volumeId: z.uuid(),
  poolId: z.uuid(),
  name: z.string(),
  sizeBytes: z.int(),
  /** Of the volume; fences what is asked of it on its pool. */
  generation: z.int(),
  claimEpoch: z.int(),
  /** Made with the VM, and trashed with it. */
  goesWithVm: z.boolean(),
});
export type PooledVolumeOfVm = z.infer<typeof PooledVolumeOfVm>;

/**
 * The VM as the operation was asked for it: complete, so that a step needs no look into the database to know what to do,
 * and two executions of it do the same.
 */
export const VmTarget = z.object({
  vmId: z.uuid(),
  projectId: z.uuid(),
  hostId: z.uuid(),
  /** Of this intent. */
  generation: z.int(),
  epoch: z.int(),
  name: z.string(),
  vcpuCount: z.int(),
  memoryBytes: z.int(),
  accelerator: Accelerator,
  rootVolumeId: z.uuid(),
  /** Null: the VM keeps all its memory. An operation recorded before there was a policy has none. */
  balloon: BalloonPolicy.nullable().default(null),
  /** An operation recorded before there was any has a plain machine. */
  hardware: VmHardware.prefault({}),
  /** Of its disks, and those that become some, what lies on pools. */
  pooledVolumes: z.array(PooledVolumeOfVm).default([]),
  /** Its user data is read when the host is told: an operation's record holds no secret. */
  cloudInit: CloudInitRecord.nullable().default(null),
  /** The template that it is a fork of. */
  templateId: z.uuid().nullable().default(null),
});
export type VmTarget = z.infer<typeof VmTarget>;

/** Launching, pausing, removing: work of seconds on a healthy host, also under emulation. */
export const HOST_CALL_MS = 60_000;
/** Beside the guest's own time to shut down: ending the process and answering. */
export const STOP_MARGIN_MS = 30_000;
export const MINUTE_MS = 60_000;

type Context = StepContext<unknown, unknown, VmServices>;

export const agentOf = async (services: VmServices, hostId: string): Promise<AgentPort> => {
  const host = await findHostAddress(services.database, hostId);
  if (host === null) throw new DomainError('host_not_trusted', 'the host is not known any more');
  return services.agents.agentOf(host);
};

/** Which intent on which VM. */
export type VmIntentTarget = Pick<VmTarget, 'vmId' | 'projectId' | 'generation'>;

export const intentOf = (context: Context, target: VmTarget, epoch: number = target.epoch): Intent => ({
  vmId: target.vmId,
  generation: target.generation,
  fencingToken: context.fencingToken,
  epoch,
  operationId: context.operationId,
});

export const specOf = async (services: VmServices, target: VmTarget): Promise<AgentVmSpec> => ({
  name: target.name,
  vcpuCount: target.vcpuCount,
  memoryBytes: target.memoryBytes,
  accelerator: target.accelerator,
  rootVolumeId: target.rootVolumeId,
  balloon: target.balloon,
  hardware: target.hardware,
  // An update's target names more: those that come or go with it.
  pooledVolumes: target.pooledVolumes
    .filter(({ volumeId }) => isDiskOf(target, volumeId))
    .map(({ volumeId, poolId, claimEpoch }) => ({ volumeId, poolId, claimEpoch })),
  cloudInit: await cloudInitOf(services, target),
  templateId: target.templateId,
});

const isDiskOf = ({ rootVolumeId, hardware }: VmTarget, volumeId: string): boolean =>
  volumeId === rootVolumeId || hardware.devices.dataDisks.some(({ id }) => id === volumeId);

/** A call never outlives its step: the runner decides about a deadline that has passed. */
export const callOptions = (context: Context, timeoutMs: number): CallOptions => ({
  timeoutMs: Math.max(1, Math.min(timeoutMs, context.remainingMs())),
  signal: context.signal,
});

/** Kept with the step, for `settle`: reports that were under way before this answer are old news. */
export type EnsuredVm = { readonly reportGeneration: number };

/**
 * Brings the VM to a power state on its host. Throws guest_fault when its process ended instead. A guest that has meanwhile
 * shut itself down is no failure: it did run, and the host's next report tells the rest.
 */
export async function ensurePower(
  context: Context,
  target: VmTarget,
  wanted: WantedPower,
  options: { epoch?: number; timeoutMs?: number } = {},
): Promise<EnsuredVm> {
  const agent = await agentOf(context.services, target.hostId);
  const timeoutMs = wanted.power === 'stopped' ? wanted.graceMs + STOP_MARGIN_MS : (options.timeoutMs ?? HOST_CALL_MS);
  const intent = intentOf(context, target, options.epoch);
  if (wanted.power !== 'stopped') {
    await ensureCardNetworks(context.services, target, callOptions(context, HOST_CALL_MS));
  }
  const spec = await specOf(context.services, target);
  const vm = await agent.ensureVm(intent, spec, wanted, callOptions(context, timeoutMs)).catch((error: unknown) => {
    if (hasShutItselfDown(error)) return null;
    throw error;
  });
  if (vm === null) return ANY_REPORT_COUNTS;
  if (vm.power !== wanted.power) {
    throw new DomainError('guest_fault', `the VM is ${vm.power} and not ${wanted.power}`, {
      details: { power: vm.power, reason: vm.exitReason },
    });
  }
  return { reportGeneration: vm.reportGeneration };
}

/** Of a VM whose process has ended by itself: its host tells, or has told by now. */
export const ANY_REPORT_COUNTS: EnsuredVm = { reportGeneration: 0 };

const hasShutItselfDown = (error: unknown): boolean =>
  error instanceof DomainError && error.code === 'guest_fault' && error.details['reason'] === 'guest-shutdown';
