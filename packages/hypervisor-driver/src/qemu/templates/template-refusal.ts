import { isDeepStrictEqual } from 'node:util';
import { DomainError, freezeObstaclesOf, type VmHardware } from '@kvorum/schema';
import type { LaunchSpec } from '../../driver.js';
import type { FreezeSpec, TemplateFacts } from '../../template-port.js';
import { assertLaunchable } from '../launch-refusal.js';
import { pathRefusal, runFolderRefusal } from '../run-folder.js';

/** Throws `invalid_request` for paths that cannot be, `conflict_state` for a VM that cannot be frozen, with the reason. */
export function assertFreezable({ golden, folder, runDir }: FreezeSpec): void {
  assertLaunchable(golden);
  for (const [field, refusal] of Object.entries({ folder: pathRefusal(folder), runDir: runFolderRefusal(runDir) })) {
    if (refusal === null) continue;
    const details = { fields: [{ field, message: refusal }] };
    throw new DomainError('invalid_request', `${field} ${refusal}`, { details });
  }
  const reason = freezeRefusal(golden);
  if (reason !== null) throw new DomainError('conflict_state', `a VM ${reason} cannot be made a template`);
}

/** Null: it can be frozen. */
export function freezeRefusal({ hardware, placement }: Pick<LaunchSpec, 'hardware' | 'placement'>): string | null {
  const [obstacle] = freezeObstaclesOf(hardware);
  if (obstacle !== undefined) return obstacle.what;
  return placement.memoryNodes.length > 0 ? 'whose memory is bound to NUMA nodes' : null;
}

/** Its guest knows the machine it was frozen in. Throws `conflict_state`. */
export function assertForkOf(launch: LaunchSpec, template: TemplateFacts): void {
  const wanted = { ...launch, hardware: frozenHardware(launch.hardware), hasSeedDisk: launch.seedPath != null };
  const keys = ['vcpuCount', 'memoryBytes', 'accelerator', 'machineType', 'hardware', 'hasSeedDisk'] as const;
  const other = keys.find((key) => !isDeepStrictEqual(wanted[key], template[key]));
  const refusal = other ?? (launch.placement.memoryNodes.length > 0 ? 'placement' : null);
  if (refusal === null) return;
  throw new DomainError(
    'conflict_state',
    `a fork has the ${refusal} of its template: only network cards and limits differ`,
  );
}

/** What of a VM's hardware its guest has found out: cards come after it arrived, and limits it does not see. */
export function frozenHardware(hardware: VmHardware): VmHardware {
  const { devices } = hardware;
  const rootDisk = { ...devices.rootDisk, sizeBytes: null, throttle: { iops: null, bytesPerSecond: null } };
  return { ...hardware, machineType: null, devices: { ...devices, nics: [], rootDisk } };
}
