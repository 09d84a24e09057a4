import { DomainError } from '@kvorum/schema';
import { ROOT_DISK_ID } from '../../driver.js';
import { DISK_NODE, ROOT_LIMITS_ID } from './device-plan.js';
import { KEY_PREFIX, keyId } from './image-node.js';
import { type MachineChange, untilGuest } from './machine-change.js';

/**
 * Nodes, limits and keys whose card is gone: of this call, or of one that was cut off. A card leaves the list of devices a moment
 * before it lets go of its node: QEMU ends it when the last request is answered.
 */
export async function removeLeftNodes({
  ask,
  disks,
  guestTimeoutMs,
}: Pick<MachineChange, 'ask' | 'disks' | 'guestTimeoutMs'>): Promise<void> {
  const kept = new Set<string | undefined>(disks.flatMap(({ node, limitsId, key }) => [node, limitsId, key?.id]));
  for (const id of [ROOT_LIMITS_ID, keyId(ROOT_DISK_ID)]) kept.add(id);
  for (const { name } of await ask('query-named-block-nodes')) {
    if (!DISK_NODE.test(name) || kept.has(name)) continue;
    await untilGuest(`the disk ${name}`, guestTimeoutMs, () => isFree(ask('blockdev-del', { 'node-name': name })));
  }
  for (const id of await ask('qom-list', { path: '/objects' })) {
    if (!(id.startsWith('limit-') || id.startsWith(KEY_PREFIX)) || kept.has(id)) continue;
    await untilGuest(`the object ${id}`, guestTimeoutMs, () => isFree(ask('object-del', { id })));
  }
}

/** bdrv_op_is_blocked and object-del of QEMU say "in use". */
async function isFree(removal: Promise<unknown>): Promise<boolean> {
  try {
    await removal;
    return true;
  } catch (thrown) {
    if (thrown instanceof DomainError && thrown.message.includes('in use')) return false;
    throw thrown;
  }
}
