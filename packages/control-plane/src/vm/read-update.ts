import {
  DomainError,
  fieldEffectOf,
  isMemoryFixed,
  remedyOfTrait,
  traitsNeededBy,
  type UpdateVmRequest,
  VmHardware,
} from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import { holdImages } from '../image/image.store.js';
import { requireLayout } from './amounts-of-vm.js';
import { assignDevices, refusalOf } from './assign-devices.js';
import { balloonOf } from './balloon-of.js';
import { withPorts } from './card-ports.js';
import { requireHostReaches, withAttachedVolumes } from './claim-pooled-disks.js';
import { changedCloudInit, type WantedCloudInit } from './cloud-init.js';
import { mediaIdsOf, mediaOfDrives } from './media-of-drives.js';
import { type AttachedVolume, poolIdsOf } from './pooled-disks.js';
import type { UpdateVmInput } from './update-vm.operation.js';
import { findHostOfVm } from './update-vm.store.js';
import type { VmForIntent } from './vm-intent.store.js';
import type { VmShape } from './vm-shape.js';

export interface RequestedShape {
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly vmGroupId: string | null;
  readonly highAvailability: boolean;
  readonly shape: VmShape;
  /** Of drives that get another medium. */
  readonly images: UpdateVmInput['images'];
  readonly newUserData: WantedCloudInit['newUserData'];
  /** Volumes that become disks of it. */
  readonly attached: readonly AttachedVolume[];
}

interface Question {
  readonly actor: Actor;
  readonly vm: VmForIntent;
  readonly current: VmShape;
  readonly request: UpdateVmRequest;
  readonly cp: Pick<ControlPlane, 'siteId' | 'secrets'>;
}

/** Lays a request over what the VM is to be. Throws invalid_request, not_found or conflict_state that name the field. */
export async function readUpdate(tx: Tx, { actor, vm, current, request, cp }: Question): Promise<RequestedShape> {
  refuseReplacement(vm, request);
  const wanted = vm.nextShape ?? current;
  const merged = mergeHardware(wanted.hardware, request);
  const known = [current, ...(vm.nextShape === null ? [] : [vm.nextShape])].map(({ hardware }) => hardware.devices);
  const nics = await withPorts(tx, {
    ...{ actor, projectId: vm.projectId, vmId: vm.vmId },
    ...{ wanted: merged.devices.nics, known: known.flatMap((devices) => devices.nics) },
  });
  const knownIds = new Set(known.flatMap(({ dataDisks }) => dataDisks.flatMap(({ id }) => id ?? [])));
  const asked = { projectId: vm.projectId, wanted: merged.devices, knownIds };
  const { dataDisks, attached } = await withAttachedVolumes(tx, asked);
  const attachedIds = new Set(attached.map(({ volumeId }) => volumeId));
  const devices = assignDevices({
    wanted: { ...merged.devices, nics, dataDisks },
    known,
    siteId: cp.siteId,
    attachedIds,
  });
  const held = await holdImages(tx, mediaIdsOf(devices.cdroms));
  const { cdroms, media } = mediaOfDrives(devices.cdroms, { actor, projectId: vm.projectId, images: held });
  const cloudInit = changedCloudInit(cp.secrets, vm.vmId, wanted.cloudInit, request.cloudInit);
  const memoryBytes = request.memoryBytes ?? wanted.memoryBytes;
  const shape: VmShape = {
    vcpuCount: request.vcpuCount ?? wanted.vcpuCount,
    memoryBytes,
    balloon: balloonAfter(request, wanted, memoryBytes, merged.memory),
    hardware: { ...merged, devices: { ...devices, cdroms } },
    cloudInit: cloudInit.record,
  };
  refuseContradiction(shape);
  requireLayout(shape);
  await requireHostCan(tx, vm, current, shape);
  if (vm.hostId !== null) await requireHostReaches(tx, vm.hostId, newPoolIdsOf(shape, current));
  const { name = vm.name, labels = { ...vm.labels }, vmGroupId = vm.vmGroupId } = request;
  const { highAvailability = vm.highAvailability } = request;
  const { newUserData } = cloudInit;
  return { name, labels, vmGroupId, highAvailability, shape, images: media, newUserData, attached };
}

const newPoolIdsOf = (shape: VmShape, current: VmShape): string[] => {
  const had = new Set(poolIdsOf(current.hardware));
  return poolIdsOf(shape.hardware).filter((poolId) => !had.has(poolId));
};

/** As at creation: memory that stays where it is has no balloon, unless one is asked for, which is refused. */
function balloonAfter(
  { balloon }: UpdateVmRequest,
  wanted: VmShape,
  memoryBytes: number,
  memory: VmHardware['memory'],
): VmShape['balloon'] {
  if (balloon !== undefined) return balloonOf(balloon, memoryBytes, memory);
  return isMemoryFixed(memory) ? null : wanted.balloon;
}

/** A VM stays on its host: what that cannot do, it cannot become. Throws conflict_state that names the field. */
async function requireHostCan(tx: Tx, vm: VmForIntent, current: VmShape, shape: VmShape): Promise<void> {
  const host = await findHostOfVm(tx, vm.vmId);
  if (host === null) return;
  const had = new Set(traitsNeededBy(current.hardware, current.cloudInit));
  const needed = traitsNeededBy(shape.hardware, shape.cloudInit);
  const missing = needed.find((trait) => !had.has(trait) && !host.traits.includes(trait));
  const { smt } = shape.hardware.cpuPolicy;
  const lacksSmt = smt === 'require' && current.hardware.cpuPolicy.smt !== 'require' && host.threadsPerCore === 1;
  if (missing === undefined && !lacksSmt) return;
  const field =
    missing === undefined
      ? 'hardware.cpuPolicy.smt'
      : (FIELD_OF_TRAIT[missing] ?? FIELD_OF_TRAIT[missing.split(':')[0] ?? ''] ?? 'hardware');
  const remedy = missing === undefined ? null : remedyOfTrait(missing);
  const message =
    missing === undefined
      ? `${host.name}, its host, has no SMT`
      : `${host.name}, its host, lacks ${missing}${remedy === null ? '' : `: ${remedy} there`}`;
  throw new DomainError('conflict_state', `${field} cannot be that: ${message}`, {
    details: { fields: [{ field: `body.${field}`, message }] },
  });
}

/** By trait or by its kind, as in traitsNeededBy. */
const FIELD_OF_TRAIT: Readonly<Record<string, string>> = {
  'cpu-model': 'hardware.cpu.model',
  'machine-type': 'hardware.machineType',
  'nested-virtualisation': 'hardware.cpu.nestedVirtualisation',
  'firmware:uefi': 'hardware.firmware.kind',
  'firmware:secure-boot': 'hardware.firmware.secureBoot',
  tpm: 'hardware.firmware.tpm',
  network: 'hardware.devices.nics',
  'cloud-init': 'cloudInit',
};

function mergeHardware(before: VmHardware, request: UpdateVmRequest): VmHardware {
  const { hardware = {}, rootDiskBytes } = request;
  const { machineType = before.machineType, ...given } = hardware;
  const parts = Object.entries(given).map(([part, fields]) => [
    part,
    { ...before[part as Exclude<keyof VmHardware, 'machineType'>], ...fields },
  ]);
  const parsed = VmHardware.safeParse({ ...before, ...Object.fromEntries(parts), machineType });
  if (!parsed.success) {
    const fields = parsed.error.issues.map(({ path, message }) => ({
      field: `body.hardware.${path.join('.')}`,
      message,
    }));
    throw new DomainError('invalid_request', `${fields[0]?.field} ${fields[0]?.message}`, { details: { fields } });
  }
  if (rootDiskBytes === undefined) return parsed.data;
  const { devices } = parsed.data;
  return { ...parsed.data, devices: { ...devices, rootDisk: { ...devices.rootDisk, sizeBytes: rootDiskBytes } } };
}

function refuseContradiction({ vcpuCount, memoryBytes, balloon, hardware }: VmShape): void {
  const { maxVcpuCount, maxMemoryBytes } = hardware.devices;
  if (maxVcpuCount !== null && vcpuCount > maxVcpuCount) {
    throw refusalOf(
      'body.vcpuCount',
      `is more than hardware.devices.maxVcpuCount, ${maxVcpuCount}; raise that as well`,
    );
  }
  if (maxMemoryBytes !== null && memoryBytes > maxMemoryBytes) {
    throw refusalOf(
      'body.memoryBytes',
      `is more than hardware.devices.maxMemoryBytes, ${maxMemoryBytes}; raise that as well`,
    );
  }
  if (balloon !== null && balloon.minimumBytes > memoryBytes) {
    throw refusalOf(
      'body.memoryBytes',
      `is below the minimum of the balloon, ${balloon.minimumBytes}; give balloon as well`,
    );
  }
}

const FIXED = ['accelerator', 'imageId', 'flavorId', 'projectId', 'hostId'] as const;

/** Fields that only another VM can have otherwise; given as they are, they say nothing. */
function refuseReplacement(vm: VmForIntent, request: UpdateVmRequest): void {
  for (const field of FIXED) {
    const wanted = request[field];
    if (wanted === undefined || wanted === vm[field]) continue;
    const { note } = fieldEffectOf(field);
    throw new DomainError('conflict_state', `${field} cannot be changed: ${note}`, {
      details: { fields: [{ field: `body.${field}`, message: note }] },
    });
  }
}
