import {
  type CreateFloatingAddressRequest,
  DomainError,
  FLOATING_ADDRESSES_PER_PROJECT_MAX,
  type FloatingAddress,
  type FloatingAddressId,
  type FloatingRangeId,
  newId,
  type Project,
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { projectForNew } from '../project/default-project.js';
import { notFound } from '../token/project-scope.js';
import {
  findFloatingAddress,
  findRangesFor,
  insertFloatingAddress,
  lockAddressesOfRange,
  lockAndCountAddresses,
  type NewFloatingAddress,
  writeFloatingPort,
} from './floating-address.store.js';
import { getFloatingAddress, recordAddressChange, visibleAddress } from './floating-addresses.js';
import { holdFloatingPort } from './hold-floating-port.js';

const CREATED_STATUS = 201;

/** Gives a project an address, and leads it to a port if one is named. Throws not_found, conflict_state, already_exists, quota_exceeded. */
export async function createFloatingAddress(
  cp: ControlPlane,
  actor: Actor,
  request: CreateFloatingAddressRequest,
  options: { idempotency?: Idempotency | undefined } = {},
): Promise<FloatingAddress> {
  const id = newId<FloatingAddressId>();
  return withTransaction(cp.database, async (tx) => {
    const answer = { status: CREATED_STATUS, resourceId: id };
    const before = await claimIdempotencyKey(tx, actor.tokenId, options.idempotency, answer);
    if (before !== null) return getFloatingAddress(cp, actor, before.resourceId as FloatingAddressId);
    const project = await projectForNew(tx, actor, request.projectId);
    const { portId, address = null } = request;
    const now = cp.clock();
    // Before the lock that all who take addresses wait for.
    if (portId !== undefined) await holdFloatingPort(tx, portId, { projectId: project.id, addressId: id });
    await requireQuota(tx, project);
    await allocate(tx, request.rangeId ?? null, { id, projectId: project.id, address, now });
    if (portId !== undefined) await writeFloatingPort(tx, id, portId, now);
    const made = visibleAddress(actor, await findFloatingAddress(tx, id));
    await recordAddressChange(tx, actor, made, 'created');
    return made;
  });
}

async function requireQuota(tx: Tx, project: Project): Promise<void> {
  const addressCount = await lockAndCountAddresses(tx, project.id);
  if (addressCount < FLOATING_ADDRESSES_PER_PROJECT_MAX) return;
  throw new DomainError('quota_exceeded', `the project has ${addressCount} floating addresses, the most it may have`, {
    details: { addressCount, addressCountMax: FLOATING_ADDRESSES_PER_PROJECT_MAX },
  });
}

/** Of the first range that has one. Ranges are locked in the order of their ids. */
async function allocate(tx: Tx, rangeId: FloatingRangeId | null, wanted: NewFloatingAddress): Promise<void> {
  const rangeIds = await findRangesFor(tx, { rangeId, address: wanted.address });
  if (rangeIds.length === 0) throw noRange(rangeId, wanted.address);
  for (const id of rangeIds) {
    if (!(await lockAddressesOfRange(tx, id))) continue;
    if ((await insertFloatingAddress(tx, id, wanted)) !== null) return;
  }
  if (wanted.address === null) {
    throw new DomainError(
      'quota_exceeded',
      'all floating addresses are taken; release some, or ask an admin for a range',
    );
  }
  throw new DomainError('already_exists', `${wanted.address} is taken`, {
    details: { fields: [{ field: 'body.address', message: 'is taken' }] },
  });
}

function noRange(rangeId: string | null, address: string | null): DomainError {
  if (rangeId !== null && address === null) return notFound('the range of floating addresses', 'body.rangeId');
  const message = address === null ? 'there is none yet; an admin makes it' : `${address} is in no such range`;
  return new DomainError('conflict_state', `floating addresses need a range: ${message}`, {
    details: { fields: [{ field: address === null ? 'body.rangeId' : 'body.address', message }] },
  });
}
