import {
  Accelerator,
  BalloonPolicy,
  CloudInit,
  MemoryBytes,
  OperationId,
  ResourceName,
  VcpuCount,
  VmDevices,
  VmHardware,
  VmId,
  VolumeId,
} from '@kvorum/schema';
import { z } from 'zod';

const Count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, { error: 'must be 64 lower-case hexadecimal digits' });
/** A host CPU's number: CONFIG_NR_CPUS is 8192 at most (arch/x86/Kconfig). */
const HostCpu = z.int().min(0).max(8191);

/** Orders intents: `generation` first, then `fencingToken`. */
export const Fence = z.strictObject({ generation: Count, fencingToken: Count });
export type Fence = z.infer<typeof Fence>;

export const compareFences = (a: Fence, b: Fence): number =>
  a.generation - b.generation || a.fencingToken - b.fencingToken;

/** One of the VM's disks that lies on a storage pool, and the right by which the VM uses it. */
export const PooledVolume = z.strictObject({ volumeId: VolumeId, poolId: z.uuid(), claimEpoch: Count.min(1) });
export type PooledVolume = z.infer<typeof PooledVolume>;

export const VmSpec = z.strictObject({
  name: ResourceName,
  vcpuCount: VcpuCount,
  memoryBytes: MemoryBytes,
  accelerator: Accelerator,
  rootVolumeId: VolumeId,
  /** Null: it keeps all its memory. So do VMs of records that were written before there was a policy. */
  balloon: BalloonPolicy.nullable().default(null),
  /** A record that was written before there was any has a plain machine. */
  hardware: VmHardware.prefault({}),
  /** Null: it has no seed disk. Its user data is a secret of the guest's owner: this file is readable by the agent alone. */
  cloudInit: CloudInit.nullable().default(null),
  /** Its first start goes on where this template stood still; null: it boots. */
  templateId: z.uuid().nullable().default(null),
  /** All other disks lie in the agent's state folder. */
  pooledVolumes: z.array(PooledVolume).default([]),
});
export type VmSpec = z.infer<typeof VmSpec>;

/** What of the host it has for itself; HostClaim of plan-pinning.ts. */
const Claim = z.strictObject({
  vcpuCpus: z.array(HostCpu).readonly(),
  idleCpus: z.array(HostCpu).readonly(),
  memoryNodes: z.array(Count).readonly(),
  nodeBytes: z.array(Count).readonly(),
  pageBytes: Count.nullable(),
});

const Exit = z.strictObject({
  reason: z.enum(['guest-shutdown', 'requested', 'crash', 'out-of-memory']),
  detail: z.string(),
});

/** What of a running machine can be changed; see RunningVm.ensureMachine. */
export const MachineShape = z.object({ vcpuCount: VcpuCount, memoryBytes: MemoryBytes, devices: VmDevices });
export type MachineShape = z.infer<typeof MachineShape>;

export const machineOf = ({ vcpuCount, memoryBytes, hardware }: VmSpec): MachineShape => ({
  vcpuCount,
  memoryBytes,
  devices: hardware.devices,
});

/**
 * One process of the VM.
 *   launching  written before the process is started: there may or may not be one
 *   up         it was seen running
 *   ended      it is known to be gone; an epoch that has ended never runs again
 */
const Run = z.strictObject({
  epoch: Count,
  phase: z.enum(['launching', 'up', 'ended']),
  accelerator: Accelerator,
  claim: Claim,
  /** What the running machine was last made; null: not known, as a change was cut off or an agent kept no account. */
  machine: MachineShape.nullable().default(null),
  exit: Exit.nullable(),
});
export type Run = z.infer<typeof Run>;

/** Which other host may copy the VM, by which certificates, and until when (Unix ms). */
export const Offer = z.strictObject({
  targetHostId: z.uuid(),
  fingerprints: z.array(Sha256).readonly(),
  untilMs: Count,
});
export type Offer = z.infer<typeof Offer>;

/** What the host remembers of a VM, on the disk before it acts on it: everything that must survive a crash of the agent. */
export const VmRecord = z.strictObject({
  version: z.literal(1),
  vmId: VmId,
  /** The highest intent that was accepted. */
  fence: Fence,
  operationId: OperationId,
  /** The highest epoch of any accepted intent. */
  epoch: Count,
  spec: VmSpec.nullable(),
  /** Chosen at the first start on this host and kept. Null: not started yet, or last by an agent that kept none. */
  machineType: z.string().nullable().default(null),
  /** Given at the first start on this host and kept: a guest with another one takes itself for a copy. Null: not started yet. */
  vmGenerationId: z.uuid().nullable().default(null),
  /**
   * Of a VM with a template. `hasRun`: its guest has gone on from there and must not again, as its disk is no longer what that
   * guest knows. `isFresh`: its guest was given the time and randomness of its own, or could not be.
   */
  fork: z.strictObject({ hasRun: z.boolean(), isFresh: z.boolean() }).default({ hasRun: false, isFresh: false }),
  /** The template that is being made of it: it may stand still for that. */
  freezingTemplateId: z.uuid().nullable().default(null),
  /** The power that was asked for, and by which intent. */
  wanted: z.strictObject({ power: z.enum(['running', 'paused', 'stopped']), fence: Fence }).nullable(),
  /** A stop with grace ends at this wall-clock time (Unix ms), however often it is asked for again. */
  stopBy: z.strictObject({ generation: Count, atMs: Count }).nullable(),
  /** The last generation that asked for a reset, and whether the button was pressed for it. */
  reset: z.strictObject({ generation: Count, isDone: z.boolean() }).nullable(),
  run: Run.nullable(),
  /** Under the present fence; meanwhile the VM does not start here. */
  offer: Offer.nullable().default(null),
  /** Disks that are there, or may be: written before the disk is made, complete when it was. */
  volumes: z.record(
    VolumeId,
    /** Without an image: it was made empty. */
    z.strictObject({
      sizeBytes: Count,
      imageSha256: Sha256.nullable(),
      /** It rests on that template's. */
      templateId: z.uuid().nullable().default(null),
      isComplete: z.boolean(),
    }),
  ),
  /** Volumes of pools that its process may be using: written before they are claimed, gone when they are released. */
  claims: z.array(PooledVolume).default([]),
  /** Disks removed under the present fence: a late EnsureDisk of the same intent must not bring them back. */
  removedVolumeIds: z.array(VolumeId),
  /** Set when the VM was removed; not swept: its process or disks may still be there. */
  tombstone: z.strictObject({ removedAtMs: Count, isSwept: z.boolean() }).nullable(),
});
export type VmRecord = z.infer<typeof VmRecord>;
