import { DomainError } from '@kvorum/schema';
import type { HostPeerIdentity } from '../rpc/authenticate-caller.js';
import type { VmDirectory } from '../vm/vm-directory.js';
import type { VmRecord } from '../vm/vm-record.js';
import { isFor } from './image-offers.js';

/**
 * The record of a VM that this peer may copy now, for that operation. Throws `unavailable` otherwise, without telling whether there
 * is such a VM: an offer that has run out is made again when the operation goes on.
 */
export function offeredVm(
  directory: Pick<VmDirectory, 'find'>,
  peer: HostPeerIdentity,
  asked: { readonly vmId: string; readonly operationId: string },
): VmRecord {
  const record = directory.find(asked.vmId)?.record ?? null;
  const isOffered =
    record?.offer != null &&
    record.tombstone === null &&
    record.operationId === asked.operationId &&
    isFor(record.offer, peer);
  if (isOffered) return record;
  throw new DomainError('unavailable', 'this VM is not offered to this host (any more)');
}
