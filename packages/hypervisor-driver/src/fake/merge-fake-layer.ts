import { DomainError } from '@kvorum/schema';
import { type LayerMerge, type MergeProgress, ROOT_DISK_ID } from '../driver.js';
import type { FakeProcess } from './fake-machine.js';

/** Done when it is asked for the second time, or when a test lets it be. */
export async function mergeFakeLayer(process: FakeProcess, merge: LayerMerge): Promise<MergeProgress> {
  const { diskId, abovePath, childPath, basePath } = merge;
  const chain = chainOf(process, diskId);
  const at = chain.indexOf(abovePath);
  const isThere = at >= 0 && chain.includes(basePath);
  if (!isThere) throw new DomainError('conflict_state', `the running VM has no disk ${diskId} on these files`);
  if (chain[at + 1] !== childPath) return { state: 'merged' };
  if (!process.merges.has(diskId)) {
    process.merges.add(diskId);
    return { state: 'running', doneBytes: 0, totalBytes: 0 };
  }
  if (process.mergesAreHeld) return { state: 'running', doneBytes: 1, totalBytes: 2 };
  process.merges.delete(diskId);
  try {
    await process.onMerge(merge);
  } catch (thrown) {
    return { state: 'failed', detail: String(thrown) };
  }
  setBases(process, diskId, [...chain.slice(1, at + 1), ...chain.slice(at + 2)]);
  return { state: 'merged' };
}

export function endFakeMerges(process: FakeProcess, diskId: string): void {
  process.merges.delete(diskId);
}

/** The file that is written first. */
function chainOf({ machine }: FakeProcess, diskId: string): readonly string[] {
  if (diskId === ROOT_DISK_ID) return [machine.diskPath, ...(machine.rootBases ?? [])];
  const path = machine.attachments?.disks[diskId];
  return path === undefined ? [] : [path, ...(machine.attachments?.bases?.[diskId] ?? [])];
}

export function setBases(process: FakeProcess, diskId: string, bases: readonly string[]): void {
  const { machine } = process;
  const { attachments = { disks: {}, media: {} } } = machine;
  process.machine =
    diskId === ROOT_DISK_ID
      ? { ...machine, rootBases: bases }
      : { ...machine, attachments: { ...attachments, bases: { ...attachments.bases, [diskId]: bases } } };
}
