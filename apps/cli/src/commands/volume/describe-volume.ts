import type { Volume, VolumePlan, VolumeSnapshot } from '@kvorum/client';
import { formatByteSize } from '../../byte-size.js';
import { type Column, type Field, formatTable } from '../../print-table.js';

export const VOLUME_COLUMNS: readonly Column<Volume>[] = [
  { title: 'NAME', of: (volume) => volume.name },
  { title: 'STATE', of: (volume) => volume.state },
  { title: 'SIZE', of: (volume) => formatByteSize(volume.sizeBytes) },
  { title: 'POOL', of: (volume) => volume.poolName },
  { title: 'VM', of: (volume) => volume.vmId },
  { title: 'SNAPSHOTS', of: (volume) => volume.snapshotCount },
  { title: 'ID', of: (volume) => volume.id },
];

const madeFrom = ({ source }: Volume): string => {
  if (source === null) return 'empty';
  return source.kind === 'image' ? `image ${source.imageId}` : `${source.mode} clone of snapshot ${source.snapshotId}`;
};

export const describeVolume = (volume: Volume): readonly Field[] => [
  ['name', volume.name],
  ['id', volume.id],
  ['project', volume.projectId],
  ['pool', volume.poolName],
  ['state', volume.state],
  ['size', formatByteSize(volume.sizeBytes)],
  ['made from', madeFrom(volume)],
  ['VM', volume.vmId === null ? null : `${volume.vmId} (${volume.role})`],
  ['goes with its VM', volume.goesWithVm ? 'yes' : 'no'],
  ['snapshots', volume.snapshotCount],
  ['trashed', volume.trashedAt],
  ['purged at', volume.purgeAt],
  ['last operation', volume.operationId],
  ['failure', volume.failure === null ? null : `${volume.failure.code}: ${volume.failure.message}`],
  ['created', volume.createdAt],
];

export const SNAPSHOT_COLUMNS: readonly Column<VolumeSnapshot>[] = [
  { title: 'NAME', of: (snapshot) => snapshot.name },
  { title: 'STATE', of: (snapshot) => snapshot.state },
  { title: 'SIZE', of: (snapshot) => formatByteSize(snapshot.sizeBytes) },
  { title: 'FROZEN', of: (snapshot) => (snapshot.wasFrozen ? 'yes' : 'no') },
  { title: 'CREATED', of: (snapshot) => snapshot.createdAt },
  { title: 'VOLUME', of: (snapshot) => snapshot.volumeId },
  { title: 'SET', of: (snapshot) => snapshot.setId },
  { title: 'ID', of: (snapshot) => snapshot.id },
];

const STEP_COLUMNS: readonly Column<VolumePlan['steps'][number]>[] = [
  { title: 'STEP', of: ({ name }) => name },
  { title: 'IF IT FAILS', of: ({ undo }) => undo },
];

export function formatVolumePlan(plan: VolumePlan, head: (text: string) => string): string {
  const volumes = plan.volumes.map(({ name, sizeBytes }) => `${name}, ${formatByteSize(sizeBytes)}`).join('; ');
  const taken = `takes ${formatByteSize(plan.diskBytesTaken)} of the project's quota and of the pool`;
  return `${plan.operation}: ${volumes}\n${taken}\n\n${formatTable(plan.steps, STEP_COLUMNS, head)}`;
}
