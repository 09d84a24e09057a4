import {
  BALLOON_SHARES_DEFAULT,
  type BalloonPolicy,
  type BalloonRequest,
  DomainError,
  isMemoryFixed,
  MEMORY_BYTES_MIN,
  MIB,
  type VmMemory,
} from '@kvorum/schema';

/** Half of what a server has is in use at the most, on average; what a guest does use is not taken in any case. */
const MINIMUM_SHARE_DEFAULT = 0.5;

/** What a VM of this size is created with. Null: it keeps all its memory. Throws `invalid_request` that names the field. */
export function balloonOf(
  request: BalloonRequest | undefined,
  memoryBytes: number,
  memory: VmMemory,
): BalloonPolicy | null {
  if (request?.enabled === false) return null;
  if (isMemoryFixed(memory)) {
    if (request === undefined) return null;
    const what = memory.isLocked ? 'locked memory' : 'huge pages';
    const message = `does not go with ${what}, which stay where they are: set it to false`;
    throw new DomainError('invalid_request', `a balloon ${message}`, {
      details: { fields: [{ field: 'body.balloon.enabled', message }] },
    });
  }
  const half = Math.floor((memoryBytes * MINIMUM_SHARE_DEFAULT) / MIB) * MIB;
  const minimumBytes = request?.minimumBytes ?? Math.max(half, MEMORY_BYTES_MIN);
  if (minimumBytes > memoryBytes) {
    const message = `must be at most the memory of the VM, ${memoryBytes} bytes`;
    throw new DomainError('invalid_request', `the minimum of the balloon ${message}`, {
      details: { fields: [{ field: 'body.balloon.minimumBytes', message }] },
    });
  }
  return { minimumBytes, shares: request?.shares ?? BALLOON_SHARES_DEFAULT };
}
