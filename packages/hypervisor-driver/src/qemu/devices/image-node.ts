import { createHash } from 'node:crypto';
import type { RbdImage } from '../../driver.js';

export const KEY_PREFIX = 'key-';
const NODE_HEX_LENGTH = 28;

/** At most 31 bytes (BlockDriverState.node_name). */
const nodeOf = (diskId: string, image: string): string =>
  `i-${createHash('sha256').update(`${diskId}/${image}`).digest('hex').slice(0, NODE_HEX_LENGTH)}`;

export const keyId = (diskId: string): string => `${KEY_PREFIX}${diskId}`;

/** What the key of a disk in Ceph is to QEMU, but for the key itself. */
export const imageKey = (diskId: string): Readonly<Record<string, unknown>> => ({
  'qom-type': 'secret',
  id: keyId(diskId),
  format: 'base64',
});

/**
 * A disk in Ceph. Without librbd's cache: what a guest was told is on the disk is there, and no memory of the host is used that
 * was not planned for.
 */
export const imageNode = (
  diskId: string,
  { pool, namespace, image, confPath, user }: RbdImage,
  discard: 'unmap' | 'ignore',
): Readonly<Record<string, unknown>> => ({
  driver: 'rbd',
  'node-name': nodeOf(diskId, image),
  pool,
  ...(namespace === null ? {} : { namespace }),
  image,
  conf: confPath,
  user,
  'key-secret': keyId(diskId),
  cache: { direct: true },
  discard,
});
